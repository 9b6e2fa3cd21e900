//! `--light`: every cycle is counted, but only some are timed, drawn by lot.
//!
//! A cycle that begins while nobody waits is timed with probability 1 in `light_every` and then
//! stands for that many; the draw is made before anything is known of it, so sums are unbiased
//! (Horvitz and Thompson). While anybody waits, every acquire and release is stamped, so waits, their
//! free part and who inflicted them are as exact as ever. Held time is then an estimate, and the
//! daemon computes its standard error from the histogram.

use super::{add, hand_over, scratch};
use crate::hot::Hot;
use crate::slots;
use core::sync::atomic::Ordering::Relaxed;
use wire::slot::{Slot, phase};

/// How many cycles the one that begins stands for. 0: it is counted here, and that was all.
#[inline(always)]
pub(super) fn weight(hot: &'static Hot) -> u64 {
    let totals = hot.totals();
    if totals.window_start_ns.load(Relaxed) == 0 || totals.waiters.load(Relaxed) != 0 {
        return 1;
    }
    let Some(slot) = slots::own(hot) else { return 1 };
    let mask = hot.light_mask.load(Relaxed) as u64;
    if draw(slot) & mask == 0 {
        return mask + 1;
    }
    let serial = slot.serial.load(Relaxed);
    let from = totals.holder.load(Relaxed);
    if from != serial {
        totals.holder.store(serial, Relaxed);
        hot.holder_slot.store(hot.number_of(slot) as u32 + 1, Relaxed);
        if from != 0 {
            add(&totals.handoffs, 1);
            hand_over(hot, from, serial, 0);
        }
    }
    totals.held.store(1, Relaxed);
    add(&slot.acquires, 1);
    slot.phase.store(phase::HOLDING, Relaxed);
    slot.hold_start_ns.store(0, Relaxed); // not known
    slot.scratch[scratch::WEIGHT].store(0, Relaxed);
    // Nobody waits: the time waited by all stands still until somebody does.
    slot.scratch[scratch::HOLD_WAITED].store(totals.wait_base_ns.load(Relaxed), Relaxed);
    0
}

/// True if the cycle that ends was one to count only, and has been.
#[inline(always)]
pub(super) fn counted_only(hot: &'static Hot) -> bool {
    let totals = hot.totals();
    if totals.window_start_ns.load(Relaxed) == 0 || totals.waiters.load(Relaxed) != 0 {
        return false;
    }
    let Some(slot) = slots::own(hot) else { return false };
    if slot.phase.load(Relaxed) != phase::HOLDING
        || slot.scratch[scratch::WEIGHT].load(Relaxed) != 0
    {
        return false;
    }
    totals.held.store(0, Relaxed);
    add(&slot.releases_voluntary, 1);
    slot.phase.store(phase::AWAY, Relaxed);
    true
}

/// A random word of the thread's own (xorshift64, Marsaglia 2003).
#[inline(always)]
fn draw(slot: &Slot) -> u64 {
    let word = &slot.scratch[scratch::RANDOM];
    let mut x = word.load(Relaxed);
    if x == 0 {
        x = 0x9e37_79b9_7f4a_7c15 ^ (slot.serial.load(Relaxed) as u64) << 32;
    }
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    word.store(x, Relaxed);
    x >> 32
}
