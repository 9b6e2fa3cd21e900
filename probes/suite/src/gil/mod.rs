//! The GIL probe: who holds the GIL, who waits, for whom and for how long.
//!
//! Source: CPython `Python/ceval_gil.c`. A release signals `cond`, an acquire signals `switch_cond`,
//! a wait is a `pthread_cond_timedwait` on `cond`; all three happen under the GIL's own mutex, so
//! totals have one writer at a time and need no atomic read-modify-write. 2.7 has a semaphore
//! instead and its own file, [`semaphore`].
//!
//! Invariant: `held_ns + free_ns + window_start_ns == changed_ns` after every call.

mod blame;
pub mod hooks;
mod light;
pub mod priority;
pub mod semaphore;
mod usual;
pub mod wait;

use crate::hot::{HOT, Hot};
use crate::memory::thread_pointer;
use crate::{slots, tstate};
use core::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{Relaxed, Release},
    fence,
};
use wire::event::{Event, Kind};
use wire::plan::Mode;
use wire::slot::{Slot, phase};
use wire::totals::{GilTotals, Handoff};
use wire::tstate::stage;

pub use blame::set_layout;

/// Adds to a word that has one writer.
#[inline(always)]
pub(crate) fn add(word: &AtomicU64, value: u64) {
    word.store(word.load(Relaxed).wrapping_add(value), Relaxed);
}

/// Words of [`Slot::scratch`], private to the writer.
pub(crate) mod scratch {
    /// Free time of the GIL when the wait began.
    pub(crate) const WAIT_FREE: usize = 0;
    /// `--light`: the acquire that is drawn next (see `light`).
    pub(crate) const DRAWN: usize = 1;
    /// Serial of the holder when the wait began.
    pub(crate) const HOLDER_START: usize = 2;
    /// Stamp and free time at the last look.
    pub(crate) const LOOK_NS: usize = 3;
    pub(crate) const LOOK_FREE: usize = 4;
    /// What was seen: code in the low half, instruction in the high half. Serial of the holder.
    pub(crate) const LOOK_CODE: usize = 5;
    pub(crate) const LOOK_HOLDER: usize = 6;
    /// Deadline of the last `pthread_cond_timedwait`, ns of its clock.
    pub(crate) const DEADLINE: usize = 7;
    /// Handoffs when it began: unchanged means that the same thread still holds.
    pub(crate) const SWITCHES: usize = 8;
    /// Looks in this wait.
    pub(crate) const LOOKS: usize = 9;
    /// Cycles that the present hold stands for: 1, more if it was drawn by lot, 0 if it is not timed.
    pub(crate) const WEIGHT: usize = 10;
    /// State of the lot (`--light`).
    pub(crate) const RANDOM: usize = 11;
}

/// Writes to a structure with a seqlock: odd while `write` runs.
#[inline(always)]
pub(crate) fn written<T>(sequence: &AtomicU32, write: impl FnOnce() -> T) -> T {
    let before = sequence.load(Relaxed);
    sequence.store(before.wrapping_add(1), Relaxed);
    fence(Release);
    let result = write();
    sequence.store(before.wrapping_add(2), Release);
    result
}

/// Time waited so far by all waiters together (see [`GilTotals::wait_base_ns`]).
#[inline(always)]
fn waited(totals: &GilTotals, now: u64) -> u64 {
    let waiters = totals.waiters.load(Relaxed) as u64;
    totals.wait_base_ns.load(Relaxed).wrapping_add(waiters.wrapping_mul(now))
}

/// Free time so far, the running free time included.
#[inline(always)]
pub(crate) fn free_so_far(totals: &GilTotals, now: u64) -> u64 {
    let running = now.saturating_sub(totals.changed_ns.load(Relaxed));
    let open = if totals.held.load(Relaxed) == 0 { running } else { 0 };
    totals.free_ns.load(Relaxed).wrapping_add(open)
}

/// This thread has just acquired the GIL.
#[inline(never)]
#[unsafe(link_section = ".text.hot")]
pub extern "C" fn acquired() {
    let hot = &HOT;
    if !usual::acquired(hot) {
        acquired_unusually(hot);
    }
}

#[cold]
#[inline(never)]
fn acquired_unusually(hot: &'static Hot) {
    if hot.segment.load(Relaxed) == 0 {
        return;
    }
    let weight = match hot.is_light() {
        true => light::weight(hot),
        false => 1,
    };
    if weight != 0 {
        acquired_at(hot, hot.now(), weight);
    }
}

/// As [`acquired`], at a stamp (2.7 learns of some acquires late), standing for `weight` cycles.
pub(crate) fn acquired_at(hot: &'static Hot, now: u64, weight: u64) {
    let totals = hot.totals();
    if totals.window_start_ns.load(Relaxed) == 0 && !opens(hot, totals, now) {
        return;
    }
    // The counter may be read a moment before the lock that orders us is ours: never backwards.
    let now = now.max(totals.changed_ns.load(Relaxed));
    let Some(slot) = slots::own(hot) else {
        // Held by nobody we can name; the totals still tell held from free.
        totals.lost_no_slot.fetch_add(1, Relaxed);
        taken(hot, totals, 0, now);
        hot.set_holder(None);
        return;
    };
    if slot.phase.load(Relaxed) == phase::HOLDING {
        // Its release was never seen: the interpreter was finalised with the GIL held and made anew.
        released_at(hot, totals, now, false);
    }
    let serial = slot.serial.load(Relaxed);
    let waiting = slot.phase.load(Relaxed) == phase::WAITING;
    let (from, gap) = taken(hot, totals, serial, now);
    written(&slot.sequence, || {
        add(&slot.acquires, 1);
        if hot.is_light() {
            add(&slot.acquires_timed, 1);
        }
        let wait_ns = if waiting { wait::ended(hot, slot, from, now, gap) } else { 0 };
        if slot.cycle.load(Relaxed) == stage::ENTERING {
            let from_ns = if waiting { slot.wait_start_ns.load(Relaxed) } else { 0 };
            tstate::acquired(hot, slot, now, from_ns);
        }
        hot.set_holder(Some(slot));
        if from != serial && from != 0 {
            hand_over(hot, from, serial, wait_ns);
        }
        slot.phase.store(phase::HOLDING, Relaxed);
        slot.hold_start_ns.store(now, Relaxed);
        let so_far =
            if hot.is_semaphore() { semaphore::waited(totals, now) } else { waited(totals, now) };
        slot.hold_waited_ns.store(so_far, Relaxed);
        slot.scratch[scratch::WEIGHT].store(weight, Relaxed);
    });
}

/// Moves the totals from free to held; returns the holder before and how long the GIL was free.
#[inline(always)]
fn taken(hot: &Hot, totals: &GilTotals, serial: u32, now: u64) -> (u32, u64) {
    let from = totals.holder.load(Relaxed);
    let gap = now.saturating_sub(totals.changed_ns.load(Relaxed));
    written(&totals.sequence, || {
        // Held already: its release was not seen (a hook that came late). The time stays held.
        let sum = if totals.held.load(Relaxed) == 0 { &totals.free_ns } else { &totals.held_ns };
        add_if_stamped(hot, totals, sum, gap);
        totals.changed_ns.store(now, Relaxed);
        totals.held.store(1, Relaxed);
        totals.holder.store(serial, Relaxed);
        totals.drop_request_ns.store(0, Relaxed);
        if from != serial && from != 0 {
            add(&totals.handoffs, 1);
        }
    });
    (from, gap)
}

/// Adds to held or free time, unless cycles without stamps may lie in between (`--light`, nobody waits).
#[inline(always)]
fn add_if_stamped(hot: &Hot, totals: &GilTotals, sum: &AtomicU64, part: u64) {
    if !hot.is_light() || totals.waiters.load(Relaxed) != 0 {
        add(sum, part);
    }
}

/// This thread is about to release the GIL.
#[inline(never)]
#[unsafe(link_section = ".text.hot")]
pub extern "C" fn released() {
    let hot = &HOT;
    if !usual::released(hot) {
        released_unusually(hot);
    }
}

#[cold]
#[inline(never)]
fn released_unusually(hot: &'static Hot) {
    if hot.segment.load(Relaxed) == 0 {
        return;
    }
    if hot.is_light() && light::counted_only(hot) {
        return;
    }
    let now = hot.now();
    let totals = hot.totals();
    if totals.window_start_ns.load(Relaxed) == 0 {
        opens_at_release(hot, totals, now);
        return;
    }
    let requested = totals.drop_request_ns.load(Relaxed);
    if let Some((slot, hold_ns)) = released_at(hot, totals, now, requested != 0) {
        tell_of_hold(hot, slot, now, hold_ns, requested);
    }
}

/// Books a release; `forced` says whether the interpreter demanded it. Returns the hold's length.
pub(crate) fn released_at(
    hot: &'static Hot,
    totals: &'static GilTotals,
    now: u64,
    forced: bool,
) -> Option<(&'static Slot, u64)> {
    let requested = totals.drop_request_ns.load(Relaxed);
    let now = now.max(totals.changed_ns.load(Relaxed));
    written(&totals.sequence, || {
        let part = now.saturating_sub(totals.changed_ns.load(Relaxed));
        let sum = if totals.held.load(Relaxed) != 0 { &totals.held_ns } else { &totals.free_ns };
        add_if_stamped(hot, totals, sum, part);
        totals.changed_ns.store(now, Relaxed);
        totals.held.store(0, Relaxed);
        totals.drop_request_ns.store(0, Relaxed);
        if requested != 0 {
            totals.drop_to_release.record(now.saturating_sub(requested));
        }
    });
    let slot = slots::own(hot)?;
    if slot.phase.load(Relaxed) != phase::HOLDING {
        return None;
    }
    let hold_ns = written(&slot.sequence, || {
        let weight = slot.scratch[scratch::WEIGHT].load(Relaxed);
        let hold_ns = match weight {
            0 => 0,
            _ => now.saturating_sub(slot.hold_start_ns.load(Relaxed)),
        };
        if weight != 0 {
            slot.hold.record_weighted(hold_ns, weight);
        }
        let inflicted_ns = if hot.is_semaphore() {
            semaphore::waited_since(totals, now, slot.hold_waited_ns.load(Relaxed))
        } else {
            waited(totals, now).wrapping_sub(slot.hold_waited_ns.load(Relaxed))
        };
        add(&slot.wait_inflicted_ns, inflicted_ns);
        slot.phase.store(phase::AWAY, Relaxed);
        if slot.cycle.load(Relaxed) == stage::LEAVING {
            tstate::released(hot, slot, now);
        }
        add(if forced { &slot.releases_forced } else { &slot.releases_voluntary }, 1);
        hold_ns
    });
    Some((slot, hold_ns))
}

/// Makes an event of a hold that deserves one.
#[inline(always)]
pub(crate) fn tell_of_hold(hot: &'static Hot, slot: &Slot, now: u64, hold_ns: u64, requested: u64) {
    let (kind, drop_to_release_ns) = if requested != 0 {
        (Kind::ForcedRelease, now.saturating_sub(requested))
    } else if hold_ns >= hot.long_hold_ns.load(Relaxed) {
        (Kind::LongHold, 0)
    } else if hot.mode.load(Relaxed) == Mode::Trace as u32 {
        (Kind::Hold, 0)
    } else {
        return;
    };
    let event = Event {
        kind: kind as u8,
        at_ns: now,
        duration_ns: hold_ns,
        drop_to_release_ns,
        ..Event::default()
    };
    tell(hot, slot, event);
}

/// Puts an event into the slot's ring, or counts it as lost.
pub(crate) fn tell(hot: &'static Hot, slot: &Slot, event: Event) {
    if !wire::ring::push(&slot.ring, hot.ring(slot), event) {
        add(&slot.lost_full, 1);
    }
}

/// Preload: the interpreter has just made its GIL and takes it for the first time.
#[cold]
fn opens(hot: &Hot, totals: &GilTotals, now: u64) -> bool {
    if hot.open_at_acquire.load(Relaxed) == 0 {
        return false;
    }
    open(totals, now);
    true
}

/// Attach: the boot thread lets go of the GIL, and the window begins, free.
#[cold]
fn opens_at_release(hot: &Hot, totals: &GilTotals, now: u64) {
    if hot.boot_thread.load(Relaxed) == thread_pointer() {
        open(totals, now);
        hot.boot_thread.store(0, Relaxed);
    }
}

fn open(totals: &GilTotals, now: u64) {
    // Stamp 0 means "not yet": a window that would open at 0 opens at 1 ns.
    let now = now.max(1);
    written(&totals.sequence, || {
        totals.changed_ns.store(now, Relaxed);
        totals.held.store(0, Relaxed);
        totals.window_start_ns.store(now, Relaxed);
    });
}

/// Entries of the handoff table looked at before one is given up for lost.
const HANDOFF_PROBES: usize = 32;

/// Counts the GIL's way from one thread to another.
#[inline]
fn hand_over(hot: &'static Hot, from: u32, to: u32, wait_ns: u64) {
    let table = hot.handoffs();
    let start = (from.wrapping_mul(0x9e37_79b9) ^ to.wrapping_mul(0x85eb_ca6b)) as usize;
    for step in 0..HANDOFF_PROBES {
        let Some(entry) = table.get((start.wrapping_add(step)) & (table.len() - 1)) else { break };
        if claimed(entry, from, to) {
            add(&entry.count, 1);
            add(&entry.wait_ns, wait_ns);
            return;
        }
    }
    add(&hot.totals().handoffs_overflow, 1);
}

/// True if the entry is for this pair, which it may become now.
#[inline(always)]
fn claimed(entry: &Handoff, from: u32, to: u32) -> bool {
    match entry.from.load(Relaxed) {
        0 => {
            entry.to.store(to, Relaxed);
            entry.from.store(from, Release);
            true
        }
        found => found == from && entry.to.load(Relaxed) == to,
    }
}
