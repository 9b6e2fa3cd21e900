//! The thread state probe: what it costs that threads come into Python without a state of their own.
//!
//! Hooks stand in the imports of the objects that call `PyGILState_Ensure` and its kin ([`imports`]), and
//! see each call begin; where the GIL is acquired and released is told by the GIL probe's own hooks. From
//! these stamps a cycle is put together, per thread, in its slot. What comes after the GIL was released
//! (3.11 and later free the state then: some tens of ns) is not seen.
//!
//! Counts are made while the GIL is held, so the callers' table has one writer at a time. A thread that
//! found no slot is counted by atomic additions and not timed.

mod callers;
pub mod chunks;
pub mod hooks;
pub mod imports;
mod levels;
pub mod seats;

use crate::gil::add;
use crate::hot::Hot;
use crate::memory::scattered;
use crate::slots;
use callers::{caller_of, remember};
use chunks::Mapping;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use levels::{book, close, opened, started, top};
use wire::slot::{Slot, phase};
use wire::tstate::{Caller, Level, N_CALLERS, StateTotals, kind, stage};

/// One kept cycle in so many is timed: two more stamps would cost it a third of its own time.
const KEPT_EVERY: u64 = 8;
/// `PyGILState_UNLOCKED`: the Release that gets it lets go of the GIL.
const UNLOCKED: u32 = 1;
/// A larger mapping is an arena of the allocator; a chunk of that size would need a frame of 100 KB.
const CHUNK_BYTES_BELOW: u64 = 256 * 1024;

fn set(word: &AtomicU32, value: u32) {
    word.store(value, Relaxed);
}

fn put(word: &AtomicU64, value: u64) {
    word.store(value, Relaxed);
}

impl Hot {
    /// The totals of this probe.
    fn state_totals(&self) -> &'static StateTotals {
        // SAFETY: as for `totals`: `adopt` computed the address from the checked layout.
        unsafe { &*(self.state_totals.load(Relaxed) as *const StateTotals) }
    }

    /// The callers' table.
    fn callers(&self) -> &'static [Caller] {
        // SAFETY: as for `totals`; the layout has room for N_CALLERS entries there.
        unsafe {
            core::slice::from_raw_parts(self.callers.load(Relaxed) as *const Caller, N_CALLERS)
        }
    }
}

/// A session begins; returns its totals.
pub fn begin(hot: &Hot) -> &'static StateTotals {
    put(&hot.no_seat_before, seats::NO_SEAT.load(Relaxed));
    hot.state_totals()
}

/// Zeroes a slot's part of this probe for the slot's next thread.
pub(crate) fn reset(slot: &Slot) {
    let states = &slot.states;
    for word in [&states.fresh, &states.kept, &states.nested, &states.cost_ns] {
        put(word, 0);
    }
    for word in [&states.depth, &states.skipped, &slot.cycle].into_iter().chain(&states.callers) {
        set(word, 0);
    }
}

/// Whether the calling thread has no thread state; none where asking takes a lock (2.7).
#[inline(always)]
fn is_fresh(hot: &Hot) -> Option<bool> {
    let ask = hot.this_thread_state.load(Relaxed);
    if ask == 0 {
        return None;
    }
    // SAFETY: `PyGILState_GetThisThreadState` of this interpreter (3.2 and later): one
    // pthread_getspecific, which needs no GIL, and which the Ensure that follows calls itself.
    Some(unsafe { core::mem::transmute::<usize, extern "C" fn() -> u64>(ask)() } == 0)
}

/// `PyGILState_Ensure` is called and will return to `site`.
fn ensure(hot: &'static Hot, site: u64) {
    let Some((caller, entry)) = caller_of(hot, site) else { return };
    let Some(slot) = slots::own(hot) else {
        return unseen(entry, is_fresh(hot) == Some(true));
    };
    if slot.phase.load(Relaxed) == phase::HOLDING {
        add(&entry.nested, 1);
        add(&slot.states.nested, 1);
        return;
    }
    let fresh = is_fresh(hot);
    let Some(level) = opened(hot, slot) else {
        hot.state_totals().too_deep.fetch_add(1, Relaxed);
        return unseen(entry, fresh == Some(true));
    };
    let kept = slot.states.kept.load(Relaxed);
    // A hash of the count: one in eight, in no rhythm that a program could have too.
    let drawn = scattered(kept) >> 32 & (KEPT_EVERY - 1) == 0;
    let timed = fresh != Some(false) || drawn;
    set(&level.caller, caller as u32);
    set(&level.kind, if fresh == Some(true) { kind::FRESH } else { kind::KEPT });
    set(&level.timed, u32::from(timed));
    set(&slot.cycle, stage::ENTERING);
    if timed {
        started(level, hot.now());
    }
}

/// A call that cannot be followed, since its thread has no slot or is too deep in others.
#[cold]
fn unseen(entry: &Caller, fresh: bool) {
    (if fresh { &entry.unseen_fresh } else { &entry.unseen_other }).fetch_add(1, Relaxed);
}

/// The thread of `slot`, which is entering, has acquired the GIL at `now`; its wait began at `wait_from_ns`,
/// 0 if it had none. Under the GIL's mutex.
#[cold]
#[inline(never)]
pub(crate) fn acquired(hot: &'static Hot, slot: &Slot, now: u64, wait_from_ns: u64) {
    let Some(level) = top(hot, slot) else { return };
    set(&slot.cycle, stage::INSIDE);
    let Some(entry) = hot.callers().get(level.caller.load(Relaxed) as usize) else { return };
    match level.kind.load(Relaxed) {
        kind::FRESH => {
            add(&entry.fresh, 1);
            add(&slot.states.fresh, 1);
        }
        kind::KEPT => {
            add(&entry.kept, 1);
            add(&slot.states.kept, 1);
        }
        _ => {}
    }
    remember(hot, slot, entry);
    if level.timed.load(Relaxed) != 0 {
        let began = level.ensure_ns.load(Relaxed);
        let now = if now == 0 { hot.now() } else { now }.max(began);
        let waited_from = if wait_from_ns == 0 { now } else { wait_from_ns.max(began).min(now) };
        put(&level.wait_ns, now - waited_from);
        put(&level.acquired_ns, now);
    }
    let lost = seats::NO_SEAT.load(Relaxed);
    put(&hot.state_totals().lost_no_seat, lost.wrapping_sub(hot.no_seat_before.load(Relaxed)));
}

/// `PyGILState_Release` is called with what its Ensure returned. The thread holds the GIL.
fn release(hot: &'static Hot, old_state: u32) {
    if old_state != UNLOCKED {
        return;
    }
    let Some(slot) = slots::own(hot) else { return };
    let skipped = slot.states.skipped.load(Relaxed);
    if skipped != 0 {
        return set(&slot.states.skipped, skipped - 1);
    }
    if slot.cycle.load(Relaxed) != stage::INSIDE {
        return; // its Ensure came before the window
    }
    let Some(level) = top(hot, slot) else { return };
    if level.kind.load(Relaxed) != kind::MADE {
        leaves(hot, slot, level);
    }
}

/// The cycle's last part begins.
fn leaves(hot: &Hot, slot: &Slot, level: &Level) {
    if level.timed.load(Relaxed) == 0 {
        return close(slot);
    }
    put(&level.release_ns, hot.now());
    set(&slot.cycle, stage::LEAVING);
}

/// The thread of `slot`, which is leaving, lets go of the GIL at `now`: its cycle is over. Under the GIL's
/// mutex. `now` of 0: the GIL probe does not time this one.
#[cold]
#[inline(never)]
pub(crate) fn released(hot: &'static Hot, slot: &Slot, now: u64) {
    let Some(level) = top(hot, slot) else { return };
    let now = if now == 0 { hot.now() } else { now };
    if let Some(entry) = hot.callers().get(level.caller.load(Relaxed) as usize) {
        let kept = level.kind.load(Relaxed) == kind::KEPT;
        let cost = book(if kept { &entry.kept_times } else { &entry.fresh_times }, level, now);
        if !kept {
            add(&slot.states.cost_ns, cost);
        }
        if level.kind.load(Relaxed) == kind::FRESH {
            add(&entry.fresh_deleted, 1);
        }
    }
    close(slot);
}

/// `PyThreadState_New` is called by an extension and will return to `site`.
fn new_state(hot: &'static Hot, site: u64) {
    let Some((caller, entry)) = caller_of(hot, site) else { return };
    entry.made.fetch_add(1, Relaxed);
    let Some(slot) = slots::own(hot) else { return };
    if slot.phase.load(Relaxed) == phase::HOLDING {
        return; // for some other thread, or for later
    }
    let Some(level) = opened(hot, slot) else {
        return set(&slot.states.skipped, slot.states.skipped.load(Relaxed).saturating_sub(1));
    };
    set(&level.caller, caller as u32);
    set(&level.kind, kind::MADE);
    set(&level.timed, 1);
    put(&level.state, 0);
    started(level, hot.now());
    set(&slot.cycle, stage::MADE);
}

/// 2.7: Ensure itself makes a state, so it had none.
fn new_state_inside(hot: &'static Hot) {
    if let Some(slot) = slots::own(hot)
        && slot.cycle.load(Relaxed) == stage::ENTERING
        && let Some(level) = top(hot, slot)
    {
        set(&level.kind, kind::FRESH);
    }
}

/// `PyEval_AcquireThread(state)` is called: the state that was made is the one that this thread takes.
fn acquire_thread(hot: &'static Hot, state: u64) {
    if let Some(slot) = slots::own(hot)
        && slot.cycle.load(Relaxed) == stage::MADE
        && let Some(level) = top(hot, slot)
    {
        put(&level.state, state);
        set(&slot.cycle, stage::ENTERING);
    }
}

/// `PyThreadState_Clear(state)` is called: if the state was made by this thread's cycle, that ends.
fn clear_state(hot: &'static Hot, state: u64) {
    if let Some(slot) = slots::own(hot)
        && slot.cycle.load(Relaxed) == stage::INSIDE
        && let Some(level) = top(hot, slot)
        && level.kind.load(Relaxed) == kind::MADE
        && level.state.load(Relaxed) == state
    {
        leaves(hot, slot, level);
    }
}

/// Says whether a call of `mmap` maps a chunk in a cycle; `is_chunk` if it could be answered by a kept one.
fn maps(hot: &'static Hot, bytes: u64, is_chunk: bool) -> Mapping {
    if bytes >= CHUNK_BYTES_BELOW {
        return Mapping::Other;
    }
    let Some(slot) = slots::own(hot) else { return Mapping::Other };
    if slot.cycle.load(Relaxed) != stage::INSIDE || slot.phase.load(Relaxed) != phase::HOLDING {
        return Mapping::Other;
    }
    let Some(level) = top(hot, slot).filter(|level| level.timed.load(Relaxed) != 0) else {
        return Mapping::Other;
    };
    // The first one is the state's root chunk, which it keeps for as long as it lives.
    let is_root = is_chunk
        && level.kind.load(Relaxed) != kind::KEPT
        && level.map_ns.load(Relaxed) == 0
        && level.mapped_ns.load(Relaxed) == 0
        && level.chunk.load(Relaxed) == 0;
    if is_root && let Some(chunk) = chunks::take() {
        put(&level.chunk, chunk);
        return Mapping::Kept(chunk);
    }
    // Not an address yet, but no longer nothing: what is mapped now is the root.
    put(&level.chunk, if is_root { chunks::AWAITED } else { level.chunk.load(Relaxed) });
    put(&level.map_ns, hot.now());
    Mapping::Timed
}

/// A chunk is mapped at `address`.
fn mapped(hot: &'static Hot, address: u64) {
    let Some(slot) = slots::own(hot) else { return };
    if slot.cycle.load(Relaxed) != stage::INSIDE {
        return;
    }
    let Some(level) = top(hot, slot) else { return };
    let began = level.map_ns.swap(0, Relaxed);
    if began == 0 {
        return; // another session's
    }
    add(&level.mapped_ns, hot.now().saturating_sub(began).max(1));
    if level.chunk.load(Relaxed) == chunks::AWAITED {
        put(&level.chunk, if chunks::is_address(address) { address } else { 0 });
    }
    if let Some(entry) = hot.callers().get(level.caller.load(Relaxed) as usize) {
        add(&entry.maps, 1);
    }
}

/// A chunk of `bytes` is about to be unmapped; true if it is kept instead.
fn unmaps(hot: &'static Hot, address: u64, bytes: u64) -> bool {
    if bytes >= CHUNK_BYTES_BELOW {
        return false;
    }
    let Some(slot) = slots::own(hot) else { return false };
    let cycle = slot.cycle.load(Relaxed);
    if cycle != stage::LEAVING && cycle != stage::INSIDE {
        return false;
    }
    let Some(level) = top(hot, slot) else { return false };
    let is_root = level.chunk.load(Relaxed) == address;
    if is_root {
        put(&level.chunk, 0);
    }
    if cycle != stage::LEAVING {
        return false;
    }
    if is_root
        && slot.phase.load(Relaxed) == phase::HOLDING
        && chunks::are_kept(hot)
        && chunks::keep(address, bytes)
    {
        return true;
    }
    if level.unmap_ns.load(Relaxed) == 0 {
        put(&level.unmap_ns, hot.now());
    }
    if let Some(entry) = hot.callers().get(level.caller.load(Relaxed) as usize) {
        add(&entry.unmaps, 1);
    }
    false
}
