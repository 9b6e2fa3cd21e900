//! The segment: where everything stands in the shared mapping.
//!
//! The daemon makes it (a memfd, sized, pre-faulted and sealed by the daemon) and writes the header
//! but for the part named *agent's*; then the agent maps it. Offsets are computed by [`Layout`] from
//! three counts on both sides; neither side follows a pointer of the other.

use crate::clock::Clock;
use crate::code::CodeEntry;
use crate::event::WORDS;
use crate::imports::{Import, ImportTotals, N_IMPORTS};
use crate::plan::Plan;
use crate::policy::Policy;
use crate::slot::{IndexEntry, Slot};
use crate::totals::{Blame, GilTotals, Handoff};
use crate::tstate::{Caller, N_CALLERS, StateTotals};
use core::sync::atomic::{AtomicI32, AtomicU32, AtomicU64};

/// "gilscope" in ASCII, little endian.
pub const MAGIC: u64 = u64::from_le_bytes(*b"gilscope");
/// Changes whenever anything in this crate changes its layout or meaning.
pub const ABI_VERSION: u32 = 4;
/// Bytes of a page; everything in the segment starts on one.
pub const PAGE: usize = 4096;
/// Entries of the code table.
pub const N_CODES: usize = 2048;
/// Entries of the blame table; a power of two.
pub const N_BLAMES: usize = 4096;
/// Entries of the handoff table; a power of two.
pub const N_HANDOFFS: usize = 4096;

/// Where the agent stands; written by the agent.
pub mod status {
    /// The agent has not run yet.
    pub const NEW: u32 = 0;
    /// The agent runs and looks for the interpreter's GIL.
    pub const BOOTING: u32 = 1;
    /// Hooks are in place and record.
    pub const RECORDING: u32 = 2;
    /// Python is there but its GIL is not (2.7 and 3.6 before the first thread, preload before start).
    pub const NO_GIL_YET: u32 = 3;
    /// Hooks are gone.
    pub const DETACHED: u32 = 4;
    /// It failed; `Header::error` says why.
    pub const FAILED: u32 = 5;
    /// The process is not Python.
    pub const NOT_PYTHON: u32 = 6;
}

/// Why the agent failed; a person reads the daemon's words for it.
pub mod error {
    /// Nothing wrong.
    pub const NONE: u32 = 0;
    /// Magic, version or size of the segment do not fit.
    pub const ABI: u32 = 1;
    /// The mapping failed.
    pub const MAP: u32 = 2;
    /// A thread could not be started.
    pub const THREAD: u32 = 3;
    /// A function that is needed was not found.
    pub const SYMBOL: u32 = 4;
    /// No GOT entry for a function that has to be hooked.
    pub const GOT: u32 = 5;
    /// The calibration did not see what it has to.
    pub const CALIBRATION: u32 = 6;
    /// The interpreter is shutting down.
    pub const FINALIZING: u32 = 7;
    /// A page could not be made writable.
    pub const PROTECT: u32 = 8;
    /// The GIL is off (free-threaded build).
    pub const NO_GIL: u32 = 9;
    /// The process has forbidden itself to read the time stamp counter (PR_SET_TSC).
    pub const CLOCK: u32 = 10;
}

/// First page of the segment.
#[repr(C, align(4096))]
pub struct Header {
    /// [`MAGIC`], stored last by the daemon.
    pub magic: AtomicU64,
    /// [`ABI_VERSION`].
    pub abi_version: u32,
    /// Slots in the table.
    pub n_slots: u32,
    /// Entries of the index table; a power of two.
    pub n_index: u32,
    /// Events in each ring; a power of two.
    pub ring_events: u32,
    /// Bytes of the whole segment.
    pub segment_bytes: u64,
    /// Process that made it (the daemon), for "already attached by".
    pub daemon_pid: u32,
    /// Process it was made for; anyone else leaves it alone.
    pub target_pid: u32,
    /// The session's clock.
    pub clock: Clock,
    /// What is wanted.
    pub plan: Plan,
    /// Daemon's, at any time: 1 calls off a boot that still waits for the GIL.
    pub cancel: AtomicU32,
    /// Daemon's, at any time: 1 keeps waiters from looking at holders (a seccomp filter came up).
    pub blame_off: AtomicU32,
    /// Daemon's: slots retired so far, so that threads that found none know when to try again.
    pub retirements: AtomicU32,
    /// Keeps the layout explicit.
    pub reserved: u32,

    /// Agent's: a [`status`].
    pub status: AtomicU32,
    /// Agent's: an [`error`].
    pub error: AtomicU32,
    /// Agent's: errno of the failure, or 0.
    pub errno: AtomicI32,
    /// Agent's: slots used so far; slots from here on were never touched.
    pub slots_used: AtomicU32,
    /// Agent's: serials given out so far.
    pub serials: AtomicU32,
    /// Agent's: code entries used so far (1 and up; entry 0 is never used).
    pub codes_used: AtomicU32,
    /// Agent's: PY_VERSION_HEX as the interpreter itself reports it, without the release level.
    pub python_version: AtomicU32,
    /// Agent's: thread id of the boot thread, 0 when it is gone.
    pub boot_thread_id: AtomicU32,
    /// Agent's: address of `cond` (the semaphore on 2.7).
    pub cond: AtomicU64,
    /// Agent's: address of `switch_cond`, 0 on 2.7.
    pub switch_cond: AtomicU64,
    /// Agent's: address of `_gil_runtime_state`, 0 where the layout gives none (2.7, 3.6).
    pub gil: AtomicU64,
    /// Agent's: address of `_PyRuntime`, or 0.
    pub runtime: AtomicU64,
    /// Agent's: address of the function `PyInterpreterState_Head`, or 0.
    pub interpreter_head: AtomicU64,
    /// Agent's: where libc keeps a thread's kernel id in its control block, 0 if not found.
    pub tid_offset: AtomicU32,
    /// Agent's: GOT entries patched.
    pub patched: AtomicU32,
    /// Agent's: GOT entries that another tool had changed meanwhile and that detach left alone.
    pub shared_entries: AtomicU32,
    /// Agent's: version of the text that is loaded, so that a re-attach by another build is refused.
    pub build_id: AtomicU64,
    /// Agent's: calls that took the slow way of claiming a slot.
    pub claims: AtomicU64,
    /// Agent's: looks at a holder that a bad address or a moving frame cut short.
    pub samples_failed: AtomicU64,
    /// Agent's: looks at a holder in all.
    pub samples: AtomicU64,
    /// Agent's: why waiters do not look at holders (`cpython::check::Mismatch`), 0 if they do.
    pub blame_mismatch: AtomicU32,
    /// What is tried on the interpreter's waiting.
    pub policy: Policy,
}

/// Where the parts of a segment begin, in bytes from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Slots.
    pub n_slots: usize,
    /// Entries of the index table.
    pub n_index: usize,
    /// Events a ring.
    pub ring_events: usize,
}

const fn pages(bytes: usize) -> usize {
    bytes.next_multiple_of(PAGE)
}

impl Layout {
    /// A layout for `n_slots` threads (at most 65,536) and rings of `ring_bytes`, rounded to powers of two.
    pub const fn new(n_slots: usize, ring_bytes: usize) -> Self {
        let n_slots = if n_slots > 65_536 { 65_536 } else { n_slots };
        let events = ring_bytes / (8 * WORDS);
        let ring_events = if events < 2 { 2 } else { events.next_power_of_two() };
        Self { n_slots, n_index: (4 * n_slots).next_power_of_two(), ring_events }
    }

    /// The layout that a header tells, if its counts fit each other and `segment_bytes`.
    pub fn of(header: &Header, segment_bytes: usize) -> Option<Self> {
        let layout = Self {
            n_slots: header.n_slots as usize,
            n_index: header.n_index as usize,
            ring_events: header.ring_events as usize,
        };
        let sane = layout.n_slots <= 65_536
            && layout.n_index.is_power_of_two()
            && layout.n_index <= 1 << 20
            && layout.ring_events.is_power_of_two()
            && layout.ring_events <= 1 << 20;
        (sane && layout.bytes() == segment_bytes && header.segment_bytes == segment_bytes as u64)
            .then_some(layout)
    }

    /// Totals of the GIL.
    pub const fn totals(&self) -> usize {
        pages(size_of::<Header>())
    }

    /// Handoff table.
    pub const fn handoffs(&self) -> usize {
        self.totals() + pages(size_of::<GilTotals>())
    }

    /// Blame table.
    pub const fn blames(&self) -> usize {
        self.handoffs() + pages(N_HANDOFFS * size_of::<Handoff>())
    }

    /// Code table.
    pub const fn codes(&self) -> usize {
        self.blames() + pages(N_BLAMES * size_of::<Blame>())
    }

    /// Totals of thread states.
    pub const fn state_totals(&self) -> usize {
        self.codes() + pages(N_CODES * size_of::<CodeEntry>())
    }

    /// Table of those who call for thread states.
    pub const fn callers(&self) -> usize {
        self.state_totals() + pages(size_of::<StateTotals>())
    }

    /// Index table.
    pub const fn index(&self) -> usize {
        self.callers() + pages(N_CALLERS * size_of::<Caller>())
    }

    /// Slots.
    pub const fn slots(&self) -> usize {
        self.index() + pages(self.n_index * size_of::<IndexEntry>())
    }

    /// Bytes from one slot to the next.
    pub const fn slot_stride(&self) -> usize {
        size_of::<Slot>().next_multiple_of(64)
    }

    /// Rings.
    pub const fn rings(&self) -> usize {
        self.slots() + pages(self.n_slots * self.slot_stride())
    }

    /// Bytes of one ring.
    pub const fn ring_stride(&self) -> usize {
        self.ring_events * 8 * WORDS
    }

    /// Totals of imports. Behind the rings, since most sessions never touch what follows.
    pub const fn import_totals(&self) -> usize {
        self.rings() + pages(self.n_slots * self.ring_stride())
    }

    /// Table of imports.
    pub const fn imports(&self) -> usize {
        self.import_totals() + pages(size_of::<ImportTotals>())
    }

    /// Bytes of the whole segment.
    pub const fn bytes(&self) -> usize {
        self.imports() + pages(N_IMPORTS * size_of::<Import>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_overlap() {
        let layout = Layout::new(1024, 64 * 1024);
        let starts = [
            layout.totals(),
            layout.handoffs(),
            layout.blames(),
            layout.codes(),
            layout.state_totals(),
            layout.callers(),
            layout.index(),
            layout.slots(),
            layout.rings(),
            layout.import_totals(),
            layout.imports(),
            layout.bytes(),
        ];
        assert!(starts.is_sorted());
        assert!(starts.iter().all(|start| start % PAGE == 0));
        assert_eq!(layout.ring_events, 1024);
    }

    #[test]
    fn the_header_is_one_page() {
        assert_eq!(size_of::<Header>(), PAGE);
    }
}
