//! A slot: the counters and histograms of one thread, written by that thread alone.
//!
//! A thread finds its slot through the index table by thread pointer *and* kernel thread id, since
//! thread pointers are reused. `serial` names the thread for the whole session and is never reused;
//! the slot itself is, once the daemon has retired it.

use crate::histogram::Histogram;
use crate::ring::Indices;
use crate::tstate::ThreadStates;
use core::sync::atomic::{AtomicU32, AtomicU64};

/// Life of a slot. Free → Live by the target, Live → Retired by the daemon, Retired → Live by the target.
pub mod state {
    /// Never used.
    pub const FREE: u32 = 0;
    /// Belongs to the thread `thread_id`.
    pub const LIVE: u32 = 1;
    /// Its thread is dead and everything in it was read: the next new thread may have it.
    pub const RETIRED: u32 = 2;
    /// Being cleared for a new thread; not to be read.
    pub const CLAIMING: u32 = 3;
}

/// What the thread is doing about the GIL.
pub mod phase {
    /// Neither holding nor waiting.
    pub const AWAY: u32 = 0;
    /// Holding since `hold_start_ns`.
    pub const HOLDING: u32 = 1;
    /// Waiting since `wait_start_ns`.
    pub const WAITING: u32 = 2;
}

/// Set in [`IndexEntry::slot`] when the thread found no free slot.
pub const NO_SLOT: u32 = 1 << 31;

/// One entry of the index table, 16 bytes.
#[repr(C, align(16))]
pub struct IndexEntry {
    /// The thread pointer (`fs:0`), 0 if free.
    pub thread_pointer: AtomicU64,
    /// Kernel thread id that claimed it.
    pub thread_id: AtomicU32,
    /// Index of its slot; or [`NO_SLOT`] and the number of retirements when none was to be had.
    pub slot: AtomicU32,
}

/// One thread's counters. All durations in ns, all counts since the session began.
///
/// `sequence` is odd while the owner writes: a reader copies the slot between two equal even values.
/// What an uncontended cycle touches fills the first line and the histogram of holds behind it.
#[repr(C, align(64))]
pub struct Slot {
    /// Seqlock of this slot.
    pub sequence: AtomicU32,
    /// A [`state`].
    pub state: AtomicU32,
    /// Kernel thread id.
    pub thread_id: AtomicU32,
    /// Names the thread for the session; 1 and up.
    pub serial: AtomicU32,
    /// The thread pointer (`fs:0`), which is Python's `threading.get_ident()` with glibc.
    pub thread_pointer: AtomicU64,
    /// A [`phase`].
    pub phase: AtomicU32,
    /// Where its newest cycle through a thread state stands, a `tstate::stage`.
    pub cycle: AtomicU32,
    /// Stamp of the present hold's start.
    pub hold_start_ns: AtomicU64,
    /// Private to the writer: time waited by all when the present hold began.
    pub hold_waited_ns: AtomicU64,
    /// GIL acquires.
    pub acquires: AtomicU64,
    /// Releases without a drop request.
    pub releases_voluntary: AtomicU64,
    /// How long it held the GIL, each time.
    pub hold: Histogram,
    /// Stamp of the present wait's start.
    pub wait_start_ns: AtomicU64,
    /// Drop requests that this thread set in its present wait.
    pub wait_drop_requests: AtomicU32,
    /// Keeps the layout explicit.
    pub reserved: AtomicU32,
    /// Of the acquires, those after a wait.
    pub acquires_contended: AtomicU64,
    /// Releases that a drop request forced.
    pub releases_forced: AtomicU64,
    /// Drop requests that others set while this thread held the GIL.
    pub drop_requests_received: AtomicU64,
    /// Time that others waited while this thread held the GIL, added up over the waiters.
    pub wait_inflicted_ns: AtomicU64,
    /// Part of this thread's waits in which nobody held the GIL.
    pub wait_free_ns: AtomicU64,
    /// `--light`: acquires that were timed. Not counted otherwise: all are.
    pub acquires_timed: AtomicU64,
    /// Events that did not fit into the ring.
    pub lost_full: AtomicU64,
    /// Calls that nested in one of ours (a signal handler) and were not recorded.
    pub lost_nested: AtomicU64,
    /// Private to the writer: global sums at the start of the wait, and the last sample.
    pub scratch: [AtomicU64; 12],
    /// Private to the writer: what the policy keeps of the thread (`policy::word`).
    pub priority: [AtomicU64; 8],
    /// How long it waited for the GIL, each contended time.
    pub wait: Histogram,
    /// Its ways through thread states.
    pub states: ThreadStates,
    /// The ring's indices.
    pub ring: Indices,
}
