//! What thread states cost: who makes them, and what each part of their short life takes.
//!
//! A thread that Python did not create takes the GIL by `PyGILState_Ensure`. If it has no thread state
//! one is made (*fresh*), and `PyGILState_Release` tears it down again; if it has one and does not hold
//! the GIL the call only takes it (*kept*); if it holds it already nothing happens (*nested*).
//! One way through it, from the call of Ensure to the release of the GIL in Release, is a *cycle*.

use core::sync::atomic::{AtomicU32, AtomicU64};

/// Entries of the callers' table; a power of two. The last one is for callers that found no place.
pub const N_CALLERS: usize = 512;
/// What [`Caller::site`] says in the last entry.
pub const OTHER_CALLERS: u64 = u64::MAX;
/// Cycles that may be open at a time on one thread: it lets go of the GIL in one and begins another.
pub const MAX_LEVELS: usize = 4;
/// Callers that a thread remembers to have come from, so that each counts its threads.
pub const REMEMBERED_CALLERS: usize = 8;

/// How a cycle came to its thread state.
pub mod kind {
    /// It was there.
    pub const KEPT: u32 = 0;
    /// Ensure made it.
    pub const FRESH: u32 = 1;
    /// The caller made it itself (`PyThreadState_New`).
    pub const MADE: u32 = 2;
}

/// Where a thread's newest open cycle stands.
pub mod stage {
    /// No cycle is open.
    pub const NONE: u32 = 0;
    /// Ensure was called, the GIL is not yet acquired.
    pub const ENTERING: u32 = 1;
    /// Between Ensure and Release.
    pub const INSIDE: u32 = 2;
    /// Release was called, the GIL is not yet released.
    pub const LEAVING: u32 = 3;
    /// `PyThreadState_New` was called; whether this thread will take the GIL with it is not known.
    pub const MADE: u32 = 4;
}

/// Sums over cycles that are over and were timed. The five parts of a cycle add up to it, exactly.
#[repr(C)]
pub struct Times {
    /// Cycles.
    pub cycles: AtomicU64,
    /// From the call of Ensure to the acquire of the GIL, less `gil_wait_ns`: making the state, and taking
    /// a GIL that was free.
    pub create_ns: AtomicU64,
    /// Waiting for the GIL.
    pub gil_wait_ns: AtomicU64,
    /// From the acquire to the call of Release, less what mapping chunks took.
    pub run_ns: AtomicU64,
    /// Mapping data-stack chunks, and from the call that unmaps one in Release to the GIL's release.
    pub chunk_ns: AtomicU64,
    /// From the call of Release to the GIL's release, less the unmapping.
    pub delete_ns: AtomicU64,
}

/// One place in the code that calls Ensure. Open addressed by the call's return address.
///
/// Written by whoever holds the GIL, but for the words that say so; `site` is claimed by a swap.
#[repr(C, align(64))]
pub struct Caller {
    /// Return address of the call; 0 if the entry is free.
    pub site: AtomicU64,
    /// Ensures that made a state.
    pub fresh: AtomicU64,
    /// Ensures that found a state and took the GIL.
    pub kept: AtomicU64,
    /// Ensures that found the GIL held by their own thread.
    pub nested: AtomicU64,
    /// States made by `PyThreadState_New`, by anybody at any time (atomic).
    pub made: AtomicU64,
    /// Releases that tore a fresh state down.
    pub fresh_deleted: AtomicU64,
    /// Threads that came from here; of all places in one object only its first entry counts them.
    pub threads: AtomicU64,
    /// Index + 1 of the first entry of the same object. Private to the writers.
    pub first: AtomicU32,
    /// Keeps the layout explicit.
    pub reserved: AtomicU32,
    /// Ensures that made a state on a thread without a slot: counted, not timed (atomic).
    pub unseen_fresh: AtomicU64,
    /// Other Ensures of such threads, kept or nested (atomic).
    pub unseen_other: AtomicU64,
    /// Chunks mapped in cycles.
    pub maps: AtomicU64,
    /// Chunks unmapped in Release.
    pub unmaps: AtomicU64,
    /// Fresh and made cycles: all of them are timed.
    pub fresh_times: Times,
    /// Kept cycles: about one in eight is timed.
    pub kept_times: Times,
}

/// What is counted once for the process. Atomic: written by anybody.
#[repr(C, align(64))]
pub struct StateTotals {
    /// 1 while the hooks of this probe record; 2 if they could not be placed.
    pub status: AtomicU32,
    /// Objects whose imports lead to the hooks.
    pub objects: AtomicU32,
    /// Imports that lead to the hooks.
    pub imports: AtomicU32,
    /// Imports left alone: another tool has changed them, or there was no room to remember them.
    pub imports_left: AtomicU32,
    /// `PyThreadState_Delete` and `PyThreadState_DeleteCurrent`, called by extensions.
    pub deleted: AtomicU64,
    /// Calls that were not counted, since too many threads come and go (cause "no_seat").
    pub lost_no_seat: AtomicU64,
    /// Cycles that were begun inside `MAX_LEVELS` others: counted as unseen.
    pub too_deep: AtomicU64,
    /// What a kept Ensure and Release took on the boot thread, with the GIL free, ns; 0: not measured.
    pub kept_pair_ns: AtomicU64,
}

/// Values of [`StateTotals::status`].
pub mod status {
    /// Hooks are in place.
    pub const RECORDING: u32 = 1;
    /// 2.7 without a place for the hook that tells fresh from kept.
    pub const NO_FRESH: u32 = 2;
}

/// A cycle that is open. Private to the writer; stamps and durations in ns.
#[repr(C)]
pub struct Level {
    /// Index of the caller.
    pub caller: AtomicU32,
    /// A [`kind`].
    pub kind: AtomicU32,
    /// A [`stage`], while a newer cycle is open.
    pub stage: AtomicU32,
    /// 1 if it is timed.
    pub timed: AtomicU32,
    /// Made: the thread state, once it is known.
    pub state: AtomicU64,
    /// Stamp of the call of Ensure.
    pub ensure_ns: AtomicU64,
    /// Stamp of the acquire.
    pub acquired_ns: AtomicU64,
    /// How long it waited for the GIL.
    pub wait_ns: AtomicU64,
    /// Stamp at which a chunk began to be mapped.
    pub map_ns: AtomicU64,
    /// What mapping took so far.
    pub mapped_ns: AtomicU64,
    /// The state's first data-stack chunk, an address; 0 while it has none, or one that could not be kept.
    pub chunk: AtomicU64,
    /// Stamp of the call of Release.
    pub release_ns: AtomicU64,
    /// Stamp at which a chunk began to be unmapped in Release, 0 if none was.
    pub unmap_ns: AtomicU64,
}

/// A thread's part, in its slot. Written by the thread alone.
#[repr(C)]
pub struct ThreadStates {
    /// Ensures that made a state.
    pub fresh: AtomicU64,
    /// Ensures that found one and took the GIL.
    pub kept: AtomicU64,
    /// Ensures that found the GIL held.
    pub nested: AtomicU64,
    /// Making, mapping, unmapping and deleting in fresh cycles.
    pub cost_ns: AtomicU64,
    /// Open cycles.
    pub depth: AtomicU32,
    /// Cycles open beyond [`MAX_LEVELS`].
    pub skipped: AtomicU32,
    /// The open cycles, oldest first.
    pub levels: [Level; MAX_LEVELS],
    /// Objects it came from lately, as [`Caller::first`] numbers them.
    pub callers: [AtomicU32; REMEMBERED_CALLERS],
}
