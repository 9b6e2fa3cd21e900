//! Who calls: the table of return addresses in the segment, and which of them lie in one object.

use super::{put, set};
use crate::gil::add;
use crate::hot::Hot;
use crate::memory::scattered;
use crate::object::module_without_lock;
use core::sync::atomic::Ordering::{Acquire, Relaxed};
use wire::slot::Slot;
use wire::tstate::{Caller, N_CALLERS, OTHER_CALLERS};

/// Entries of the callers' table looked at before a caller is one of the others.
const CALLER_PROBES: usize = 64;

/// The entry for calls that return to `site`.
#[inline(always)]
pub(super) fn caller_of(hot: &Hot, site: u64) -> Option<(usize, &'static Caller)> {
    let table = hot.callers();
    let start = (scattered(site) >> 44) as usize & (N_CALLERS - 1);
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

/// Counts the thread for its caller's object, once.
#[inline(always)]
pub(super) fn remember(hot: &Hot, slot: &Slot, entry: &Caller) {
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
