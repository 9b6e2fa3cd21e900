//! What is counted once per GIL, not per thread: totals, who follows whom, and who is to blame.
//!
//! Written by whoever holds the GIL's own mutex, so there is one writer at a time; `sequence` is a
//! seqlock for the reader, as in a slot.

use crate::histogram::Histogram;
use core::sync::atomic::{AtomicU32, AtomicU64};

/// Totals of one GIL. What an uncontended cycle touches stands in the first line.
#[repr(C, align(64))]
pub struct GilTotals {
    /// Seqlock: odd while a writer is inside.
    pub sequence: AtomicU32,
    /// 1 while somebody holds the GIL.
    pub held: AtomicU32,
    /// Serial of the present or last holder.
    pub holder: AtomicU32,
    /// Threads waiting now.
    pub waiters: AtomicU32,
    /// Stamp of the drop request that the present holder has not answered, or 0.
    pub drop_request_ns: AtomicU64,
    /// Stamp of the last change between held and free.
    pub changed_ns: AtomicU64,
    /// Time held, up to `changed_ns`.
    pub held_ns: AtomicU64,
    /// Time free, up to `changed_ns`. `held_ns + free_ns + window_start_ns == changed_ns`, always.
    pub free_ns: AtomicU64,
    /// Time waited, added up over all waiters, is `wait_base_ns + waiters * now`, wrapping: a wait
    /// that begins subtracts its stamp, one that ends adds it. On 2.7, where waiters are not
    /// serialised, both stand in this word: the sum of 48 bits above the number of waiters in 16.
    pub wait_base_ns: AtomicU64,
    /// Stamp when the window began: the boot thread let go of the GIL. 0: not yet.
    pub window_start_ns: AtomicU64,
    /// Acquires by a thread other than the last holder.
    pub handoffs: AtomicU64,
    /// Drop requests set.
    pub drop_requests: AtomicU64,
    /// Handoffs that found the table full; they are counted in `handoffs` all the same.
    pub handoffs_overflow: AtomicU64,
    /// Wait that found the blame table full, ns.
    pub blame_overflow_ns: AtomicU64,
    /// GIL acquires by threads that found no free slot: counted in no slot.
    pub lost_no_slot: AtomicU64,
    /// From a drop request to the holder's release.
    pub drop_to_release: Histogram,
    /// From a release to the acquire by a waiter.
    pub wake: Histogram,
}

/// How often, and after how long a wait, the GIL went from one thread to another. Open addressed.
#[repr(C)]
pub struct Handoff {
    /// Serial of the giver; 0 if the entry is free.
    pub from: AtomicU32,
    /// Serial of the taker.
    pub to: AtomicU32,
    /// Times.
    pub count: AtomicU64,
    /// Sum of the taker's waits, ns (0 for uncontended acquires).
    pub wait_ns: AtomicU64,
}

/// What a holder ran while others waited. Open addressed by (holder, code, instruction).
#[repr(C)]
pub struct Blame {
    /// Serial of the holder; 0 if the entry is free.
    pub holder: AtomicU32,
    /// Index in the code table, or 0: the holder was not looked at in that wait.
    pub code: AtomicU32,
    /// Byte offset of the instruction, or `u32::MAX`.
    pub instruction: AtomicU32,
    /// Times the holder was looked at here.
    pub samples: AtomicU32,
    /// Waits that it made longer.
    pub waits: AtomicU64,
    /// Wait inflicted: time in which somebody waited while it held the GIL, ns.
    pub wait_ns: AtomicU64,
}
