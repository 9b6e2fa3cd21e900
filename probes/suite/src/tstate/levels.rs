//! A thread's open cycles, one inside the other, and what one took once it is over.

use super::{put, set};
use crate::gil::add;
use crate::hot::Hot;
use core::sync::atomic::Ordering::Relaxed;
use wire::slot::Slot;
use wire::tstate::{Level, MAX_LEVELS, Times, stage};

/// Room for one more open cycle; the one before it keeps its stage until then.
pub(super) fn opened(hot: &Hot, slot: &Slot) -> Option<&'static Level> {
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
pub(super) fn top(hot: &Hot, slot: &Slot) -> Option<&'static Level> {
    let at = (slot.states.depth.load(Relaxed) as usize).checked_sub(1)?;
    // Found anew through the table of slots, which lives as long as the segment.
    hot.slot(hot.number_of(slot))?.states.levels.get(at)
}

/// Forgets the newest open cycle; the one before it goes on.
pub(super) fn close(slot: &Slot) {
    let states = &slot.states;
    let depth = states.depth.load(Relaxed).saturating_sub(1);
    set(&states.depth, depth);
    let outer = (depth as usize).checked_sub(1).and_then(|at| states.levels.get(at));
    set(&slot.cycle, outer.map_or(stage::NONE, |outer| outer.stage.load(Relaxed)));
}

/// A timed cycle begins.
pub(super) fn started(level: &Level, now: u64) {
    put(&level.ensure_ns, now);
    put(&level.map_ns, 0);
    put(&level.mapped_ns, 0);
    put(&level.chunk, 0);
    put(&level.unmap_ns, 0);
}

/// Adds a cycle that ends at `now`; returns what it took besides running and waiting. Stamps of one thread
/// may stand a little out of order (two of them are read under different locks): parts are never negative.
pub(super) fn book(times: &Times, level: &Level, now: u64) -> u64 {
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
