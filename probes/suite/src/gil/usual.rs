//! The usual cycle: the thread that had the GIL last takes it again, nobody waits, and gives it back.
//!
//! That is what a loop of I/O calls does millions of times a second, so it is written out straight and
//! booked exactly as the general way would: same counters, same sums. Whatever is different in any way
//! (another thread, a waiter, a drop request, a long hold, the window not open) is left to the general
//! way. Everything that is touched stands in five cache lines: the hot page's first, the totals' first, the
//! slot's first, and two of the histogram of holds.
//!
//! Only for the GIL with a mutex; 2.7's has hooks of its own.

use super::{add, light, written};
use crate::hot::{Hot, usual};
use crate::memory::thread_pointer;
use crate::{slots, tstate};
use core::sync::atomic::Ordering::Relaxed;
use wire::slot::{Slot, phase, state};
use wire::totals::GilTotals;
use wire::tstate::stage;

/// Books an acquire, if it is a usual one.
#[inline(always)]
pub(super) fn acquired(hot: &'static Hot) -> bool {
    let kind = hot.usual.load(Relaxed);
    let Some(slot) = hot.holder() else { return false };
    let (totals, pointer) = (hot.totals(), thread_pointer());
    let is_ours = slot.thread_pointer.load(Relaxed) == pointer
        && slot.thread_id.load(Relaxed) == slots::thread_id(hot, pointer)
        && slot.state.load(Relaxed) == state::LIVE
        && slot.serial.load(Relaxed) == totals.holder.load(Relaxed);
    let is_quiet = slot.phase.load(Relaxed) == phase::AWAY
        && totals.held.load(Relaxed) == 0
        && totals.waiters.load(Relaxed) == 0;
    if !is_ours || !is_quiet {
        return false;
    }
    match kind {
        usual::TIMED => time_acquire(hot, totals, slot),
        usual::COUNTED if light::is_before_drawn(hot, slot) => {
            light::count_acquire(hot, totals, slot);
        }
        _ => return false,
    }
    true
}

#[inline(always)]
fn time_acquire(hot: &'static Hot, totals: &GilTotals, slot: &Slot) {
    let changed = totals.changed_ns.load(Relaxed);
    let now = hot.stamp_of_tsc(wire::clock::tsc()).max(changed);
    written(&totals.sequence, || {
        add(&totals.free_ns, now - changed);
        totals.changed_ns.store(now, Relaxed);
        totals.held.store(1, Relaxed);
    });
    written(&slot.sequence, || {
        add(&slot.acquires, 1);
        slot.phase.store(phase::HOLDING, Relaxed);
        slot.hold_start_ns.store(now, Relaxed);
        // Nobody waits: the time waited by all stands still.
        slot.hold_waited_ns.store(totals.wait_base_ns.load(Relaxed), Relaxed);
        if slot.cycle.load(Relaxed) == stage::ENTERING {
            tstate::acquired(hot, slot, now, 0);
        }
    });
}

/// Books a release, if it is a usual one.
#[inline(always)]
pub(super) fn released(hot: &'static Hot) -> bool {
    let kind = hot.usual.load(Relaxed);
    let Some(slot) = hot.holder() else { return false };
    let totals = hot.totals();
    // A thread that holds the GIL lives, so its thread pointer is nobody else's.
    let is_ours = slot.thread_pointer.load(Relaxed) == thread_pointer()
        && slot.state.load(Relaxed) == state::LIVE
        && slot.phase.load(Relaxed) == phase::HOLDING;
    // Without a waiter now there was none in this hold: a wait ends with an acquire.
    let is_quiet = totals.waiters.load(Relaxed) == 0 && totals.drop_request_ns.load(Relaxed) == 0;
    if !is_ours || !is_quiet {
        return false;
    }
    let is_timed = slot.hold_start_ns.load(Relaxed) != 0;
    match kind {
        usual::TIMED if is_timed => time_release(hot, totals, slot),
        usual::COUNTED if !is_timed => {
            light::count_release(hot, totals, slot);
            true
        }
        _ => false,
    }
}

#[inline(always)]
fn time_release(hot: &'static Hot, totals: &GilTotals, slot: &Slot) -> bool {
    let changed = totals.changed_ns.load(Relaxed);
    let now = hot.stamp_of_tsc(wire::clock::tsc()).max(changed);
    let hold_ns = now.saturating_sub(slot.hold_start_ns.load(Relaxed));
    if hold_ns >= hot.long_hold_ns.load(Relaxed) {
        return false;
    }
    written(&totals.sequence, || {
        add(&totals.held_ns, now - changed);
        totals.changed_ns.store(now, Relaxed);
        totals.held.store(0, Relaxed);
    });
    written(&slot.sequence, || {
        slot.hold.record(hold_ns);
        slot.phase.store(phase::AWAY, Relaxed);
        add(&slot.releases_voluntary, 1);
        if slot.cycle.load(Relaxed) == stage::LEAVING {
            tstate::released(hot, slot, now);
        }
    });
    true
}
