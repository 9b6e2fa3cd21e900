//! `--light`: every cycle is counted, but only some are timed, drawn by lot.
//!
//! Of each `light_every` acquires of a thread in a row, a block, one is drawn before anything is known of
//! it. If nobody waits when it comes, it is timed and stands for the whole block: each cycle is timed with
//! probability 1 in `light_every`, so sums are unbiased (Horvitz and Thompson). While anybody waits, every
//! acquire and release is stamped and stands for itself, so waits, their free part and who inflicted them
//! are as exact as ever. Held time is then an estimate, and the daemon computes a bound of its standard
//! error from the histogram.

use super::{add, hand_over, scratch};
use crate::hot::Hot;
use crate::{slots, tstate};
use core::sync::atomic::Ordering::Relaxed;
use wire::slot::{Slot, phase};
use wire::totals::GilTotals;
use wire::tstate::stage;

/// How many cycles the one that begins stands for. 0: it is counted here, and that was all.
#[inline(always)]
pub(super) fn weight(hot: &'static Hot) -> u64 {
    let totals = hot.totals();
    if totals.window_start_ns.load(Relaxed) == 0 || totals.waiters.load(Relaxed) != 0 {
        return 1;
    }
    let Some(slot) = slots::own(hot) else { return 1 };
    let mask = hot.light_mask.load(Relaxed) as u64;
    if is_drawn(slot, mask) {
        return mask + 1;
    }
    let serial = slot.serial.load(Relaxed);
    let from = totals.holder.load(Relaxed);
    if from != serial {
        totals.holder.store(serial, Relaxed);
        hot.set_holder(Some(slot));
        if from != 0 {
            add(&totals.handoffs, 1);
            hand_over(hot, from, serial, 0);
        }
    }
    count_acquire(hot, totals, slot);
    0
}

/// Counts an acquire that is not timed. Nobody waits.
#[inline(always)]
pub(super) fn count_acquire(hot: &'static Hot, totals: &GilTotals, slot: &Slot) {
    totals.held.store(1, Relaxed);
    add(&slot.acquires, 1);
    slot.phase.store(phase::HOLDING, Relaxed);
    slot.hold_start_ns.store(0, Relaxed); // not known
    slot.scratch[scratch::WEIGHT].store(0, Relaxed);
    // The time waited by all stands still until somebody waits.
    slot.hold_waited_ns.store(totals.wait_base_ns.load(Relaxed), Relaxed);
    if slot.cycle.load(Relaxed) == stage::ENTERING {
        tstate::acquired(hot, slot, 0, 0);
    }
}

/// Counts the release that ends such a hold.
#[inline(always)]
pub(super) fn count_release(hot: &'static Hot, totals: &GilTotals, slot: &Slot) {
    totals.held.store(0, Relaxed);
    add(&slot.releases_voluntary, 1);
    slot.phase.store(phase::AWAY, Relaxed);
    if slot.cycle.load(Relaxed) == stage::LEAVING {
        tstate::released(hot, slot, 0);
    }
}

/// The number of the acquire that is about to be counted; the first block begins with the first one.
#[inline(always)]
fn number(slot: &Slot, mask: u64) -> u64 {
    slot.acquires.load(Relaxed).wrapping_add(mask + 1)
}

/// True if the acquire that is about to be counted comes before the one that is drawn next.
#[inline(always)]
pub(super) fn is_before_drawn(hot: &Hot, slot: &Slot) -> bool {
    let mask = hot.light_mask.load(Relaxed) as u64;
    number(slot, mask) < slot.scratch[scratch::DRAWN].load(Relaxed)
}

/// True if the acquire that is about to be counted is the one drawn of its block; draws the next one.
fn is_drawn(slot: &Slot, mask: u64) -> bool {
    let number = number(slot, mask);
    let mut drawn = slot.scratch[scratch::DRAWN].load(Relaxed);
    if drawn < number && drawn & !mask != number & !mask {
        // The block that began meanwhile was not drawn for, since others waited: it is now, and the
        // lot may fall on what has gone by.
        drawn = (number & !mask) + (random(slot) & mask);
    }
    if drawn <= number {
        let next = (number & !mask) + mask + 1 + (random(slot) & mask);
        slot.scratch[scratch::DRAWN].store(next, Relaxed);
    } else {
        slot.scratch[scratch::DRAWN].store(drawn, Relaxed);
    }
    drawn == number
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
    count_release(hot, totals, slot);
    true
}

/// A random word of the thread's own (xorshift64, Marsaglia 2003).
fn random(slot: &Slot) -> u64 {
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

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::boxed::Box;

    const MASK: u64 = 7;

    /// One thread's slot as it is when it was just claimed.
    fn slot(serial: u32) -> Box<Slot> {
        // SAFETY: a slot is atomics only, and is claimed as zeros.
        let slot: Box<Slot> = Box::new(unsafe { core::mem::zeroed() });
        slot.serial.store(serial, Relaxed);
        slot
    }

    /// Goes through `n` cycles as the hooks do; `contended` ones are timed without a draw.
    fn drawn(slot: &Slot, n: u64, contended: impl Fn(u64) -> bool) -> std::vec::Vec<u64> {
        (0..n)
            .filter(|i| {
                let is_drawn = !contended(*i) && is_drawn(slot, MASK);
                add(&slot.acquires, 1);
                is_drawn
            })
            .collect()
    }

    #[test]
    fn every_cycle_is_drawn_with_the_same_chance() {
        const SLOTS: u32 = 40_000;
        const CYCLES: usize = 40;
        let mut times = [0u32; CYCLES];
        for serial in 1..=SLOTS {
            // Others wait for a while, in the middle of blocks.
            let busy = |i: u64| (10..21).contains(&i);
            drawn(&slot(serial), CYCLES as u64, busy).iter().for_each(|i| times[*i as usize] += 1);
        }
        let expected = f64::from(SLOTS) / (MASK + 1) as f64;
        for (i, n) in times.iter().enumerate().filter(|(i, _)| !(10..21).contains(i)) {
            // Five standard deviations of a binomial count.
            let off = (f64::from(*n) - expected).abs();
            assert!(off < 5.0 * expected.sqrt(), "cycle {i} was drawn {n} times, not {expected}");
        }
    }

    #[test]
    fn the_stated_error_holds_in_95_of_100_runs() {
        const RUNS: u32 = 100;
        const CYCLES: u64 = 20_000;
        // Holds of a program: mostly short, some a hundred times longer, in no order.
        let hold = |i: u64| {
            let h = i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54;
            if h < 20 { 90_000.0 } else { 300.0 + h as f64 }
        };
        let truth: f64 = (0..CYCLES).map(hold).sum();
        let mut kept = 0;
        for run in 1..=RUNS {
            let seen = drawn(&slot(run.wrapping_mul(7919)), CYCLES, |_| false);
            let every = (MASK + 1) as f64;
            let sum: f64 = seen.iter().map(|i| every * hold(*i)).sum();
            // As `collect::gil` states it, with exact holds for its buckets' middles.
            let squares: f64 = seen.iter().map(|i| every * hold(*i).powi(2)).sum();
            let error = ((every - 1.0) * squares).sqrt();
            kept += u32::from((sum - truth).abs() <= 1.96 * error);
        }
        assert!(kept >= 95, "the truth lay within 1.96 standard errors in {kept} of {RUNS} runs");
    }
}
