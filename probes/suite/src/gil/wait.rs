//! A wait for the GIL: when it begins, each time it goes on, when it ends.
//!
//! `take_gil` loops: it waits up to the switch interval, and if that time ran out while the same
//! thread held on, it sets the drop request. Each turn of the loop comes by here, so the begin of a
//! turn tells how the last one ended. All under the GIL's mutex (but 2.7: see `semaphore`).

use super::{add, blame, free_so_far, priority, scratch, semaphore, tell, written};
use crate::hot::{HOT, Hot};
use crate::slots;
use core::sync::atomic::Ordering::Relaxed;
use wire::event::{Event, Kind};
use wire::slot::{Slot, phase};

/// `struct timespec` on x86-64.
#[repr(C)]
pub struct Timespec {
    pub(super) seconds: i64,
    pub(super) nanoseconds: i64,
}

/// A deadline within this of "interval after the last one" counts as past it: 3.6 and 3.7 round to µs.
const ROUNDING_NS: u64 = 1_000;

/// A turn of a wait begins: `pthread_cond_timedwait(cond, mutex, deadline)`.
///
/// # Safety
/// `deadline` is null or the caller's own timespec, as `take_gil` passes it.
#[inline(never)]
pub unsafe extern "C" fn turn(_cond: u64, _mutex: u64, deadline: *mut Timespec) {
    let hot = &HOT;
    if hot.segment.load(Relaxed) == 0 || hot.totals().window_start_ns.load(Relaxed) == 0 {
        return;
    }
    // The counter of this core may be a little behind that of the last holder's: never backwards.
    let now = hot.now().max(hot.totals().changed_ns.load(Relaxed));
    let Some(slot) = slots::own(hot) else { return };
    let deadline_ns = match deadline.is_null() {
        true => 0,
        // SAFETY: the caller passes pthread_cond_timedwait a valid timespec; it is only read.
        false => unsafe {
            (*deadline).seconds as u64 * 1_000_000_000 + (*deadline).nanoseconds as u64
        },
    };
    if slot.phase.load(Relaxed) == phase::WAITING {
        goes_on(hot, slot, now, deadline_ns);
    } else {
        begins(hot, slot, now);
    }
    slot.scratch[scratch::DEADLINE].store(deadline_ns, Relaxed);
    slot.scratch[scratch::SWITCHES].store(hot.totals().handoffs.load(Relaxed), Relaxed);
    // SAFETY: by this function's contract.
    unsafe { priority::turn(hot, slot, now, deadline) };
}

/// The wait begins.
pub(super) fn begins(hot: &'static Hot, slot: &'static Slot, now: u64) {
    let totals = hot.totals();
    if hot.is_light() && totals.waiters.load(Relaxed) == 0 {
        // Cycles before this one went unstamped; from now on, while anybody waits, none does.
        totals.changed_ns.store(now, Relaxed);
    }
    let free = free_so_far(totals, now);
    written(&slot.sequence, || {
        note_begin(slot, totals.holder.load(Relaxed), now, free);
    });
    if hot.is_semaphore() {
        semaphore::wait_begins(totals, now);
    } else {
        written(&totals.sequence, || {
            totals.waiters.store(totals.waiters.load(Relaxed) + 1, Relaxed);
            add(&totals.wait_base_ns, now.wrapping_neg());
        });
    }
    if may_look(hot, now) {
        blame::look(hot, slot, now, free);
    }
}

/// Puts the begin of a wait into the slot: its stamp, the free time so far, and who held.
pub(super) fn note_begin(slot: &Slot, holder: u32, now: u64, free: u64) {
    slot.wait_start_ns.store(now, Relaxed);
    slot.wait_drop_requests.store(0, Relaxed);
    for (word, value) in [
        (scratch::WAIT_FREE, free),
        (scratch::HOLDER_START, holder as u64),
        (scratch::LOOK_NS, now),
        (scratch::LOOK_FREE, free),
        (scratch::LOOK_CODE, blame::NO_LOOK),
        (scratch::LOOK_HOLDER, holder as u64),
        (scratch::LOOKS, 0),
    ] {
        slot.scratch[word].store(value, Relaxed);
    }
    slot.phase.store(phase::WAITING, Relaxed);
}

/// The wait goes on: if the last turn ran out of time under one holder, a drop request was set.
fn goes_on(hot: &'static Hot, slot: &'static Slot, now: u64, deadline_ns: u64) {
    let totals = hot.totals();
    let later = deadline_ns.saturating_sub(slot.scratch[scratch::DEADLINE].load(Relaxed));
    let early_ns = priority::early_ns(slot);
    let turn_ns = if early_ns == 0 { interval_ns(hot) } else { early_ns };
    let timed_out = later + ROUNDING_NS >= turn_ns;
    let same_holder =
        slot.scratch[scratch::SWITCHES].load(Relaxed) == totals.handoffs.load(Relaxed);
    if timed_out && same_holder && totals.held.load(Relaxed) != 0 {
        written(&totals.sequence, || {
            add(&totals.drop_requests, 1);
            if totals.drop_request_ns.load(Relaxed) == 0 {
                totals.drop_request_ns.store(now, Relaxed);
            }
        });
        slot.wait_drop_requests.store(slot.wait_drop_requests.load(Relaxed) + 1, Relaxed);
        if let Some(holder) = hot.holder() {
            add(&holder.drop_requests_received, 1);
        }
    }
    let free = free_so_far(totals, now);
    blame::goes_on(hot, slot, now, free);
    // Rationed as well: each release wakes a waiter, often too late to find the GIL free, so that turns can be
    // far shorter than the interval, and a look keeps the holder from its mutex. Nobody waits for a whole
    // interval unseen, though.
    let is_unseen = timed_out && early_ns == 0 && !blame::has_seen(slot);
    if is_unseen || may_look(hot, now) {
        blame::look(hot, slot, now, free);
    }
}

/// Looks of 2.7 in the time of one elsewhere: a look keeps nobody from a mutex there, and a wait has only the one
/// at its begin.
const SEMAPHORE_LOOKS: u64 = 5;

/// True once per ration, which it uses up.
fn may_look(hot: &Hot, now: u64) -> bool {
    let ration_ns = hot.blame_ration_ns.load(Relaxed);
    let ration_ns = if hot.is_semaphore() { ration_ns / SEMAPHORE_LOOKS } else { ration_ns };
    let due = now.saturating_sub(hot.last_look_ns.load(Relaxed)) >= ration_ns;
    if due {
        hot.last_look_ns.store(now, Relaxed);
    }
    due
}

/// The switch interval in ns: `gil->interval` is in µs (CPython `_gil_runtime_state`).
pub(super) fn interval_ns(hot: &Hot) -> u64 {
    let gil = hot.gil.load(Relaxed);
    let function = hot.switch_interval.load(Relaxed);
    let microseconds = if gil != 0 {
        // SAFETY: calibration proved `gil` to be the interpreter's `_gil_runtime_state`, whose first
        // word is the interval (cpython.md A1); it lives as long as the interpreter.
        unsafe { (gil as *const u64).read_volatile() }
    } else if function != 0 {
        // SAFETY: `_PyEval_GetSwitchInterval` of 3.6 only returns a static variable.
        unsafe { core::mem::transmute::<usize, extern "C" fn() -> u64>(function)() }
    } else {
        5_000
    };
    microseconds.saturating_mul(1_000)
}

/// The wait is over: this thread has acquired. Returns how long it was, ns.
pub(super) fn ended(hot: &'static Hot, slot: &'static Slot, from: u32, now: u64, gap: u64) -> u64 {
    let totals = hot.totals();
    let start = slot.wait_start_ns.load(Relaxed);
    let wait_ns = now.saturating_sub(start);
    let free = totals.free_ns.load(Relaxed);
    // Clamped for stamps of 2.7 that are known late; exact elsewhere.
    let free_ns = free.saturating_sub(slot.scratch[scratch::WAIT_FREE].load(Relaxed)).min(wait_ns);
    if hot.is_semaphore() {
        semaphore::wait_ends(totals, start + wait_ns);
    } else {
        written(&totals.sequence, || {
            totals.waiters.store(totals.waiters.load(Relaxed).saturating_sub(1), Relaxed);
            add(&totals.wait_base_ns, start + wait_ns);
        });
    }
    totals.wake.record(gap);
    priority::ended(hot, slot, now, gap, free);
    slot.wait.record(wait_ns);
    add(&slot.wait_free_ns, free_ns);
    add(&slot.acquires_contended, 1);
    blame::settle(hot, slot, now, free);
    blame::finish(hot, slot);
    let look = slot.scratch[scratch::LOOK_CODE].load(Relaxed);
    let event = Event {
        kind: Kind::Wait as u8,
        drop_requests: slot.wait_drop_requests.load(Relaxed).min(u16::MAX as u32) as u16,
        samples: slot.scratch[scratch::LOOKS].load(Relaxed) as u32,
        at_ns: now,
        duration_ns: wait_ns,
        free_ns,
        holder_start: slot.scratch[scratch::HOLDER_START].load(Relaxed) as u32,
        holder_end: from,
        code: look as u32,
        instruction: (look >> 32) as u32,
        ..Event::default()
    };
    tell(hot, slot, event);
    wait_ns
}

/// A forced switch: after a drop request was answered, the thread waits until another has taken over.
#[inline(never)]
pub extern "C" fn forced_switch() {
    let hot = &HOT;
    if hot.segment.load(Relaxed) == 0 {
        return;
    }
    let now = hot.now();
    if let Some(slot) = slots::own(hot) {
        tell(
            hot,
            slot,
            Event { kind: Kind::ForcedSwitchWait as u8, at_ns: now, ..Event::default() },
        );
    }
}
