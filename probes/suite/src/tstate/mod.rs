//! The thread state probe: what it costs that threads come into Python without a state of their own.
//!
//! Hooks stand in the imports of the objects that call `PyGILState_Ensure` and its kin ([`imports`]), and
//! see each call begin; where the GIL is acquired and released is told by the GIL probe's own hooks. From
//! these stamps a cycle is put together, per thread, in its slot. What comes after the GIL was released
//! (3.11 and later free the state then: some tens of ns) is not seen.
//!
//! Counts are made while the GIL is held, so the callers' table has one writer at a time. A thread that
//! found no slot is counted by atomic additions and not timed.

pub mod hooks;
pub mod imports;
pub mod seats;

use crate::gil::add;
use crate::hot::Hot;
use crate::object::module_without_lock;
use crate::slots;
use core::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{Acquire, Relaxed},
};
use wire::slot::{Slot, phase};
use wire::tstate::{
    Caller, Level, MAX_LEVELS, N_CALLERS, OTHER_CALLERS, StateTotals, Times, kind, stage,
};

/// One kept cycle in so many is timed: two more stamps would cost it a third of its own time.
const KEPT_EVERY: u64 = 8;
/// Entries of the callers' table looked at before a caller is one of the others.
const CALLER_PROBES: usize = 64;
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

/// The entry for calls that return to `site`.
#[inline(always)]
fn caller_of(hot: &Hot, site: u64) -> Option<(usize, &'static Caller)> {
    let table = hot.callers();
    let start = (site.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 44) as usize & (N_CALLERS - 1);
    let entry = table.get(start)?;
    if entry.site.load(Relaxed) == site {
        Some((start, entry))
    } else {
        look_for(table, site, start)
    }
}

#[cold]
#[inline(never)]
fn look_for(table: &'static [Caller], site: u64, start: usize) -> Option<(usize, &'static Caller)> {
    let last = N_CALLERS - 1;
    for at in (start..start + CALLER_PROBES).map(|at| at & last).filter(|at| *at != last) {
        let entry = table.get(at)?;
        let found = match entry.site.load(Acquire) {
            0 => entry.site.compare_exchange(0, site, Relaxed, Relaxed).unwrap_or_else(|now| now),
            found => found,
        };
        if found == 0 {
            set(&entry.first, first_of_object(table, site).unwrap_or(at) as u32 + 1);
        }
        if found == 0 || found == site {
            return Some((at, entry));
        }
    }
    let others = table.get(last)?;
    put(&others.site, OTHER_CALLERS);
    Some((last, others))
}

/// The first entry of the object that holds `site`, if another is there already.
fn first_of_object(table: &[Caller], site: u64) -> Option<usize> {
    let object = module_without_lock(site)?;
    let same = |entry: &Caller| {
        let other = entry.site.load(Relaxed);
        let other = (other != 0 && other != site).then(|| module_without_lock(other)).flatten();
        other.is_some_and(|other| other.dynamic == object.dynamic)
    };
    let found = table.iter().find(|entry| same(entry))?;
    (found.first.load(Relaxed) as usize).checked_sub(1)
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
    let drawn = kept.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32 & (KEPT_EVERY - 1) == 0;
    let timed = fresh != Some(false) || drawn;
    set(&level.caller, caller as u32);
    set(&level.kind, if fresh == Some(true) { kind::FRESH } else { kind::KEPT });
    set(&level.timed, u32::from(timed));
    set(&slot.cycle, stage::ENTERING);
    if timed {
        started(level, hot.now());
    }
}

fn started(level: &Level, now: u64) {
    put(&level.ensure_ns, now);
    put(&level.mapped_ns, 0);
    put(&level.unmap_ns, 0);
}

/// A call that cannot be followed, since its thread has no slot or is too deep in others.
#[cold]
fn unseen(entry: &Caller, fresh: bool) {
    (if fresh { &entry.unseen_fresh } else { &entry.unseen_other }).fetch_add(1, Relaxed);
}

/// Room for one more open cycle; the one before it keeps its stage until then.
fn opened(hot: &Hot, slot: &Slot) -> Option<&'static Level> {
    let states = &slot.states;
    match slot.cycle.load(Relaxed) {
        // A state that was made and is now got hold of by Ensure, or an Ensure that never got the GIL.
        stage::MADE | stage::ENTERING => close(slot),
        _ => {}
    }
    let depth = states.depth.load(Relaxed) as usize;
    if depth >= MAX_LEVELS {
        set(&states.skipped, states.skipped.load(Relaxed) + 1);
        return None;
    }
    if let Some(outer) = depth.checked_sub(1).and_then(|at| states.levels.get(at)) {
        set(&outer.stage, slot.cycle.load(Relaxed));
    }
    set(&states.depth, depth as u32 + 1);
    top(hot, slot)
}

/// The newest open cycle.
fn top(hot: &Hot, slot: &Slot) -> Option<&'static Level> {
    let at = (slot.states.depth.load(Relaxed) as usize).checked_sub(1)?;
    // Found anew through the table of slots, which lives as long as the segment.
    hot.slot(hot.number_of(slot))?.states.levels.get(at)
}

/// Forgets the newest open cycle; the one before it goes on.
fn close(slot: &Slot) {
    let states = &slot.states;
    let depth = states.depth.load(Relaxed).saturating_sub(1);
    set(&states.depth, depth);
    let outer = (depth as usize).checked_sub(1).and_then(|at| states.levels.get(at));
    set(&slot.cycle, outer.map_or(stage::NONE, |outer| outer.stage.load(Relaxed)));
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

/// Counts the thread for its caller's object, once.
#[inline(always)]
fn remember(hot: &Hot, slot: &Slot, entry: &Caller) {
    let (number, known) = (entry.first.load(Relaxed), &slot.states.callers);
    if known.iter().any(|word| word.load(Relaxed) == number) {
        return;
    }
    let first = (number as usize).checked_sub(1).and_then(|at| hot.callers().get(at));
    add(&first.unwrap_or(entry).threads, 1);
    // The oldest goes: the last place is the newest.
    for at in 1..known.len() {
        set(&known[at - 1], known[at].load(Relaxed));
    }
    if let Some(newest) = known.last() {
        set(newest, number);
    }
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

/// Adds a cycle that ends at `now`; returns what it took besides running and waiting. Stamps of one thread
/// may stand a little out of order (two of them are read under different locks): parts are never negative.
fn book(times: &Times, level: &Level, now: u64) -> u64 {
    let ensure = level.ensure_ns.load(Relaxed);
    let acquired = level.acquired_ns.load(Relaxed).max(ensure);
    let release = level.release_ns.load(Relaxed).max(acquired);
    let now = now.max(release);
    let wait = level.wait_ns.load(Relaxed);
    let mapped = level.mapped_ns.load(Relaxed).min(release - acquired);
    let unmap = level.unmap_ns.load(Relaxed);
    let delete = if unmap == 0 { now } else { unmap.clamp(release, now) } - release;
    let chunk = mapped + (now - release - delete);
    let create = acquired - ensure - wait;
    add(&times.cycles, 1);
    add(&times.create_ns, create);
    add(&times.gil_wait_ns, wait);
    add(&times.run_ns, release - acquired - mapped);
    add(&times.chunk_ns, chunk);
    add(&times.delete_ns, delete);
    create + chunk + delete
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

/// True, and stamped, if a chunk of `bytes` is about to be mapped in a cycle.
fn maps(hot: &'static Hot, bytes: u64) -> bool {
    if bytes >= CHUNK_BYTES_BELOW {
        return false;
    }
    let Some(slot) = slots::own(hot) else { return false };
    if slot.cycle.load(Relaxed) != stage::INSIDE || slot.phase.load(Relaxed) != phase::HOLDING {
        return false;
    }
    let Some(level) = top(hot, slot).filter(|level| level.timed.load(Relaxed) != 0) else {
        return false;
    };
    put(&level.map_ns, hot.now());
    true
}

/// The chunk is mapped.
fn mapped(hot: &'static Hot) {
    let Some(slot) = slots::own(hot) else { return };
    let Some(level) = top(hot, slot) else { return };
    add(&level.mapped_ns, hot.now().saturating_sub(level.map_ns.load(Relaxed)));
    if let Some(entry) = hot.callers().get(level.caller.load(Relaxed) as usize) {
        add(&entry.maps, 1);
    }
}

/// A chunk of `bytes` is about to be unmapped.
fn unmaps(hot: &'static Hot, bytes: u64) {
    if bytes >= CHUNK_BYTES_BELOW {
        return;
    }
    let Some(slot) = slots::own(hot) else { return };
    if slot.cycle.load(Relaxed) != stage::LEAVING {
        return;
    }
    let Some(level) = top(hot, slot) else { return };
    if level.unmap_ns.load(Relaxed) == 0 {
        put(&level.unmap_ns, hot.now());
    }
    if let Some(entry) = hot.callers().get(level.caller.load(Relaxed) as usize) {
        add(&entry.unmaps, 1);
    }
}
