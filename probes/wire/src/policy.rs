//! What the daemon asks of the interpreter's waiting: a plain block in the header, written at any time.
//!
//! It stands on a lease that the daemon renews at each poll: when the daemon dies or hangs, the lease
//! runs out and the hooks are stock again without anybody's help. A block of zeros asks for nothing.

use core::sync::atomic::{AtomicU32, AtomicU64};

/// Longest lease, ns: how long a policy can outlive the daemon that asked for it.
pub const LEASE_NS: u64 = 3_000_000_000;
/// Shortest wait of an I/O thread, ns.
pub const IO_WAIT_LEAST_NS: u64 = 5_000;
/// Wait of an I/O thread by default, ns; see the README for how it was found.
pub const IO_WAIT_NS: u64 = 50_000;
/// Parts in a thousand of their time that CPU threads may lose to switching, by default.
pub const SWITCHING_PERMILLE: u32 = 100;
/// Parts in a thousand of the GIL's time that CPU threads keep however many I/O threads want it, by default.
pub const CPU_SHARE_PERMILLE: u32 = 250;

/// How a thread uses the GIL, as the policy sees it.
pub mod class {
    /// It has not waited before: it is given the benefit of the doubt.
    pub const NEW: u64 = 0;
    /// It lets go of the GIL by itself, soon.
    pub const IO: u64 = 1;
    /// It has to be asked for it.
    pub const CPU: u64 = 2;
}

/// The block. Everything relaxed: each word means something by itself.
#[repr(C)]
pub struct Policy {
    /// Daemon's: stamp until which the rest stands. 0: nothing is asked.
    pub until_ns: AtomicU64,
    /// Daemon's: 1 lets I/O threads in first.
    pub io_priority: AtomicU32,
    /// Daemon's: most that CPU threads may lose to switching, parts in a thousand of their time.
    pub switching_permille: AtomicU32,
    /// Daemon's: least share of the GIL that CPU threads keep, parts in a thousand.
    pub cpu_share_permille: AtomicU32,
    /// Daemon's: 1 keeps the data-stack chunk of a thread state that is torn down for the next one.
    pub keep_chunks: AtomicU32,
    /// Daemon's: how long an I/O thread waits before it asks for the GIL, ns.
    pub io_wait_ns: AtomicU64,
    /// Daemon's: switch interval that is wanted, µs; 0 for the interpreter's own. The agent zeroes it if
    /// the program sets an interval of its own meanwhile.
    pub switch_interval_us: AtomicU64,

    /// Agent's: switch interval of ours that the interpreter has now, µs; 0 if it has its own.
    pub interval_set_us: AtomicU64,
    /// Agent's: what it was before, µs.
    pub interval_before_us: AtomicU64,
    /// Agent's: CPU threads that wait now.
    pub cpu_waiters: AtomicU64,
    /// Agent's: stamp at which an I/O thread got in before waiting CPU threads, and the free time then.
    pub displaced_ns: AtomicU64,
    /// See `displaced_ns`.
    pub displaced_free_ns: AtomicU64,
    /// Agent's: CPU threads keep the GIL until this stamp, for what the last displacement cost them.
    pub owed_until_ns: AtomicU64,
}

/// Words of [`crate::slot::Slot::priority`], private to the writer.
pub mod word {
    /// A [`super::class`].
    pub const CLASS: usize = 0;
    /// Voluntary and forced releases, and time held, when the thread was classed last.
    pub const SEEN_VOLUNTARY: usize = 1;
    /// See `SEEN_VOLUNTARY`.
    pub const SEEN_FORCED: usize = 2;
    /// See `SEEN_VOLUNTARY`.
    pub const SEEN_HOLD_NS: usize = 3;
    /// Share of voluntary releases, of 1,024, smoothed.
    pub const VOLUNTARY: usize = 4;
    /// Mean hold, ns, smoothed.
    pub const MEAN_HOLD_NS: usize = 5;
    /// Length of the present turn if it was made shorter, else 0, ns.
    pub const TURN_NS: usize = 6;
    /// 1 while the thread is counted in `cpu_waiters`.
    pub const COUNTED: usize = 7;
}
