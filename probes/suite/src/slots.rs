//! A thread finds its slot: by thread pointer and kernel thread id, without TLS.
//!
//! The index table is open addressed by the thread pointer, which is unique among living threads.
//! An entry whose thread id differs belongs to a dead thread with the same pointer; an entry whose
//! slot is no longer its own can be taken. A thread writes only the entry with its own pointer.

use crate::hot::Hot;
use crate::memory::{gettid, scattered, thread_pointer};
use core::sync::atomic::{
    Ordering::{Acquire, Relaxed, Release},
    fence,
};
use wire::slot::{IndexEntry, NO_SLOT, Slot, phase, state};

/// Entries looked at before a thread is said to have no place.
const PROBES: usize = 64;
/// Retired slots looked at when no fresh slot is left; bounds the work of a hook.
const RETIRED_LOOKED_AT: usize = 256;
/// Thread control block bytes searched for the thread id.
const TCB_BYTES: u32 = 2048;

/// Finds where this libc keeps the thread id in the control block: the one word that equals it.
///
/// Two hits cannot be told apart by one thread; the first above the header (0x100) is right in
/// every glibc looked at (0x2d0). 0 if there is none.
pub fn find_tid_offset() -> u32 {
    let (pointer, thread_id) = (thread_pointer(), gettid());
    let hit = (0x100..TCB_BYTES).step_by(4).find(|offset| {
        // SAFETY: struct pthread is larger than 2,048 bytes in every glibc since 2.3, and stands at
        // the thread pointer; reading a word of it has no effect.
        unsafe { ((pointer + *offset as u64) as *const u32).read_volatile() == thread_id }
    });
    hit.unwrap_or(0)
}

/// The kernel's id of this thread, from the control block.
#[inline(always)]
pub fn thread_id(hot: &Hot, pointer: u64) -> u32 {
    let offset = hot.tid_offset.load(Relaxed) as u64;
    // SAFETY: `find_tid_offset` found the offset within the control block of a thread of this libc.
    unsafe { ((pointer + offset) as *const u32).read() }
}

#[inline(always)]
fn start_of(pointer: u64) -> usize {
    (scattered(pointer) >> 40) as usize
}

/// This thread's slot, claimed if it is new; none if all slots are taken.
#[inline(always)]
pub fn own(hot: &'static Hot) -> Option<&'static Slot> {
    let pointer = thread_pointer();
    let index = hot.index();
    let entry = index.get(start_of(pointer) & (index.len() - 1))?;
    let thread_id = thread_id(hot, pointer);
    if entry.thread_pointer.load(Relaxed) == pointer && entry.thread_id.load(Relaxed) == thread_id {
        let number = entry.slot.load(Relaxed);
        match hot.slot(number as usize) {
            // A slot that was retired by mistake is left to whoever gets it, and another one claimed.
            Some(slot) if slot.state.load(Relaxed) == state::LIVE => return Some(slot),
            None if number == refusal(hot) => return None,
            _ => return claim(hot, entry, pointer, thread_id),
        }
    }
    own_elsewhere(hot, pointer, thread_id)
}

/// What an entry says whose thread has found no slot since the last one was given back.
#[inline]
fn refusal(hot: &Hot) -> u32 {
    NO_SLOT | hot.header().retirements.load(Relaxed)
}

#[cold]
#[inline(never)]
fn own_elsewhere(hot: &'static Hot, pointer: u64, thread_id: u32) -> Option<&'static Slot> {
    let index = hot.index();
    let mask = index.len() - 1;
    let start = start_of(pointer);
    let mut vacant = None;
    for step in 0..PROBES {
        let entry = index.get((start + step) & mask)?;
        let found = entry.thread_pointer.load(Relaxed);
        if found == pointer {
            let number = entry.slot.load(Relaxed);
            if entry.thread_id.load(Relaxed) == thread_id {
                match hot.slot(number as usize) {
                    Some(slot) if slot.state.load(Relaxed) == state::LIVE => return Some(slot),
                    None if number == refusal(hot) => return None,
                    _ => {}
                }
            }
            return claim(hot, entry, pointer, thread_id);
        }
        if vacant.is_none() && (found == 0 || is_stale(hot, entry)) {
            vacant = Some((entry, found));
        }
        if found == 0 {
            break;
        }
    }
    let (entry, found) = vacant?;
    entry.thread_pointer.compare_exchange(found, pointer, Relaxed, Relaxed).ok()?;
    claim(hot, entry, pointer, thread_id)
}

/// True if the entry's thread no longer owns the slot that it names.
fn is_stale(hot: &Hot, entry: &IndexEntry) -> bool {
    hot.slot(entry.slot.load(Relaxed) as usize).is_none_or(|slot| {
        slot.state.load(Acquire) == state::RETIRED
            || slot.thread_id.load(Relaxed) != entry.thread_id.load(Relaxed)
    })
}

/// Gives the entry's thread a slot of its own.
fn claim(
    hot: &'static Hot,
    entry: &IndexEntry,
    pointer: u64,
    thread_id: u32,
) -> Option<&'static Slot> {
    let header = hot.header();
    header.claims.fetch_add(1, Relaxed);
    // Until a slot is there, the entry must not lead anybody to the old one.
    entry.thread_id.store(0, Relaxed);
    let Some(number) = fresh(hot).or_else(|| retired(hot)) else {
        entry.slot.store(refusal(hot), Relaxed);
        entry.thread_id.store(thread_id, Relaxed);
        return None;
    };
    let slot = hot.slot(number)?;
    reset(slot);
    slot.thread_id.store(thread_id, Relaxed);
    slot.thread_pointer.store(pointer, Relaxed);
    slot.serial.store(header.serials.fetch_add(1, Relaxed) + 1, Relaxed);
    slot.state.store(state::LIVE, Release);
    entry.slot.store(number as u32, Relaxed);
    fence(Release);
    entry.thread_id.store(thread_id, Relaxed);
    Some(slot)
}

fn fresh(hot: &Hot) -> Option<usize> {
    let used = &hot.header().slots_used;
    let n_slots = hot.n_slots() as u32;
    used.fetch_update(Relaxed, Relaxed, |used| (used < n_slots).then_some(used + 1))
        .ok()
        .map(|i| i as usize)
}

fn retired(hot: &Hot) -> Option<usize> {
    let n_slots = hot.n_slots();
    let start = hot.header().claims.load(Relaxed) as usize;
    (0..RETIRED_LOOKED_AT.min(n_slots)).map(|step| (start + step) % n_slots.max(1)).find(|i| {
        hot.slot(*i).is_some_and(|slot| {
            slot.state.load(Relaxed) == state::RETIRED
                && slot
                    .state
                    .compare_exchange(state::RETIRED, state::CLAIMING, Acquire, Relaxed)
                    .is_ok()
        })
    })
}

/// Zeroes a slot for its next thread. The ring's indices go on: the daemon keeps its own tail.
fn reset(slot: &Slot) {
    for word in [
        &slot.hold_start_ns,
        &slot.wait_start_ns,
        &slot.hold_waited_ns,
        &slot.acquires,
        &slot.acquires_contended,
        &slot.releases_voluntary,
        &slot.releases_forced,
        &slot.drop_requests_received,
        &slot.wait_inflicted_ns,
        &slot.wait_free_ns,
        &slot.acquires_timed,
        &slot.lost_full,
        &slot.lost_nested,
    ] {
        word.store(0, Relaxed);
    }
    slot.scratch.iter().chain(&slot.priority).for_each(|word| word.store(0, Relaxed));
    slot.phase.store(phase::AWAY, Relaxed);
    slot.wait_drop_requests.store(0, Relaxed);
    crate::tstate::reset(slot);
    for histogram in [&slot.hold, &slot.wait] {
        histogram.clear();
    }
}
