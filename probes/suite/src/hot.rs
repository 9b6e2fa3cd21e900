//! The hot page: all that a hook looks at before it decides to do anything.
//!
//! The page is its own private anonymous memory (part of `.bss`, aligned to a page) and marked
//! `MADV_WIPEONFORK`: in a forked child it reads as zeros, so no address matches and every hook
//! passes straight through, with no handler and no lock. Addresses of the original functions must
//! survive a fork and stand outside, in [`ORIGINALS`].

use crate::originals::ORIGINALS;
use core::sync::atomic::{
    AtomicU32, AtomicU64, AtomicUsize,
    Ordering::{Relaxed, Release, SeqCst},
};
use wire::clock::{Clock, ClockKind};
use wire::code::CodeEntry;
use wire::imports::{Import, ImportTotals, N_IMPORTS};
use wire::plan::Mode;
use wire::ring::Entry;
use wire::segment::{Header, Layout, N_BLAMES, N_CODES, N_HANDOFFS};
use wire::slot::{IndexEntry, Slot};
use wire::totals::{Blame, GilTotals, Handoff};

/// Bytes of a page on x86-64 Linux.
pub const PAGE: usize = 4096;

/// See the module's text. Everything is relaxed: the page is filled before `cond` is stored.
#[repr(C, align(4096))]
pub struct Hot {
    /// Condition signalled at a release (2.7: the GIL's semaphore). 0: the hooks pass through.
    pub cond: AtomicU64,
    /// Condition signalled at an acquire; 0 on 2.7.
    pub switch_cond: AtomicU64,
    /// Address of the slot of the thread that holds or last held the GIL; 0 if it has none.
    holder: AtomicUsize,
    totals: AtomicUsize,
    clock_anchor: AtomicU64,
    clock_rate: AtomicU64,
    /// Offset of the thread id in the thread control block.
    pub tid_offset: AtomicU32,
    /// What a usual cycle is (see `gil::usual`): nothing, to be timed, or to be counted.
    pub usual: AtomicU32,
    /// 1 on 2.7, whose GIL is a semaphore.
    pub semaphore: AtomicU32,
    /// See `wire::plan::Plan`.
    pub long_hold_ns: AtomicU64,
    /// Calls that are inside a semaphore hook now (2.7 only; see `gil::semaphore`).
    pub inside: AtomicU64,
    /// Start of the segment, 0 if none is mapped.
    pub segment: AtomicU64,
    /// Where the agent stands: 0 idle, 1 booting, 2 recording, 3 leaving (`inside::entry`).
    pub stage: AtomicU32,
    /// 1: a boot that is under way is to leave again.
    pub cancel: AtomicU32,
    /// Address and length of the segment that a boot is for.
    pub boot_segment: AtomicU64,
    /// See `boot_segment`.
    pub boot_bytes: AtomicU64,
    /// Preload: address of the segment that waits for the interpreter to make its GIL, or 0.
    pub pending: AtomicU64,
    segment_bytes: AtomicU64,
    handoffs: AtomicUsize,
    blames: AtomicUsize,
    codes: AtomicUsize,
    index: AtomicUsize,
    index_mask: AtomicUsize,
    slots: AtomicUsize,
    slot_stride: AtomicUsize,
    rings: AtomicUsize,
    ring_events: AtomicUsize,
    n_slots: AtomicUsize,
    clock_kind: AtomicU32,
    /// A `wire::plan::Mode`.
    pub mode: AtomicU32,
    /// `--light`: mask of the cycles between two timed ones.
    pub light_mask: AtomicU32,
    /// See `wire::plan::Plan`.
    pub blame_ration_ns: AtomicU64,
    /// Address of `_gil_runtime_state`, or 0.
    pub gil: AtomicU64,
    /// Address of the word that holds the running thread state where `gil` is 0 (2.7, 3.6).
    pub current_thread_state: AtomicU64,
    /// `unsigned long _PyEval_GetSwitchInterval(void)` where `gil` is 0 (3.6), else 0.
    pub switch_interval: AtomicUsize,
    /// `void _PyEval_SetSwitchInterval(unsigned long)` where `gil` is 0 (3.6), else 0.
    pub set_switch_interval: AtomicUsize,
    /// 2.7: time waited by all at the last release.
    pub released_waited: AtomicU64,
    /// 2.7: threads that waited when the window opened and have not got the GIL since.
    pub unseen_waiters: AtomicU32,
    /// 2.7: addresses of `_Py_Ticker` and `_Py_CheckInterval`, else 0.
    pub ticker: AtomicU64,
    /// See `ticker`.
    pub check_interval: AtomicU64,
    /// 1: waiters look at the holder.
    pub blame: AtomicU32,
    /// 1 while a waiter looks (a guard for 2.7, where waiters are not serialised).
    pub looking: AtomicU32,
    /// Stamp of the last look at the beginning of a wait.
    pub last_look_ns: AtomicU64,
    /// Thread pointer of the boot thread until its release opened the window.
    pub boot_thread: AtomicU64,
    /// Thread pointer of the boot thread while it takes the GIL guarded (`inside::guard`). Here, so that
    /// a child has none: its threads get the stacks, and so the pointers, of threads it was forked from.
    pub guarded: AtomicU64,
    /// As `guarded`, while it calibrates.
    pub calibrating: AtomicU64,
    /// 1: the hooks of the thread state probe record.
    pub states: AtomicU32,
    /// 1: the seats (`tstate::seats`) are this process's own, not those of one it was forked from.
    pub seats_are_ours: AtomicU32,
    /// `PyGILState_GetThisThreadState`, 0 where asking takes a lock (2.7).
    pub this_thread_state: AtomicUsize,
    /// The function that the interpreter's arenas come from, 0 if that is not known (`tstate::chunks`).
    pub arena_alloc: AtomicU64,
    /// Calls without a seat before this session (`tstate::seats`).
    pub no_seat_before: AtomicU64,
    pub(crate) state_totals: AtomicUsize,
    pub(crate) callers: AtomicUsize,
    /// 1: imports are recorded.
    pub imports: AtomicU32,
    /// Threads that are inside an import now.
    pub importing: AtomicU32,
    /// Number of the session, so that an import that began in an earlier one is told apart.
    pub imports_session: AtomicU32,
    /// Preload: address of the segment that waits for the interpreter to have an importer, or 0.
    pub imports_pending: AtomicU64,
    import_totals: AtomicUsize,
    import_table: AtomicUsize,
    /// 1: the window opens by itself at the first acquire (preload: the interpreter has just begun).
    pub open_at_acquire: AtomicU32,
}

/// The one hot page.
// SAFETY: all-zero is a valid value of every field (atomics); zero also means "off" for each.
pub static HOT: Hot = unsafe { core::mem::zeroed() };

impl Hot {
    /// Takes over a mapped segment. `layout` must be the one of the header at `segment`.
    pub fn adopt(&self, segment: usize, layout: &Layout, header: &Header) {
        self.segment_bytes.store(layout.bytes() as u64, Relaxed);
        self.totals.store(segment + layout.totals(), Relaxed);
        self.handoffs.store(segment + layout.handoffs(), Relaxed);
        self.blames.store(segment + layout.blames(), Relaxed);
        self.codes.store(segment + layout.codes(), Relaxed);
        self.state_totals.store(segment + layout.state_totals(), Relaxed);
        self.callers.store(segment + layout.callers(), Relaxed);
        self.import_totals.store(segment + layout.import_totals(), Relaxed);
        self.import_table.store(segment + layout.imports(), Relaxed);
        self.index.store(segment + layout.index(), Relaxed);
        self.index_mask.store(layout.n_index - 1, Relaxed);
        self.slots.store(segment + layout.slots(), Relaxed);
        self.slot_stride.store(layout.slot_stride(), Relaxed);
        self.rings.store(segment + layout.rings(), Relaxed);
        self.ring_events.store(layout.ring_events, Relaxed);
        self.n_slots.store(layout.n_slots, Relaxed);
        self.clock_kind.store(header.clock.kind, Relaxed);
        self.clock_anchor.store(header.clock.anchor, Relaxed);
        self.clock_rate.store(header.clock.rate, Relaxed);
        self.mode.store(header.plan.mode, Relaxed);
        self.light_mask.store(header.plan.light_every.next_power_of_two().wrapping_sub(1), Relaxed);
        self.long_hold_ns.store(header.plan.long_hold_ns, Relaxed);
        self.blame_ration_ns.store(header.plan.blame_ration_ns, Relaxed);
        self.usual.store(usual(header), Relaxed);
        self.segment.store(segment as u64, Release);
    }

    /// Makes every hook that is called from now on pass through. Those that run go on as before.
    pub fn shut(&self) {
        self.imports.store(0, SeqCst);
        self.states.store(0, SeqCst);
        self.cond.store(0, SeqCst);
        self.switch_cond.store(0, SeqCst);
    }

    /// [`Hot::shut`], and forgets the segment; returns its address and length. No hook may be running.
    pub fn clear(&self) -> (u64, u64) {
        self.shut();
        self.semaphore.store(0, Relaxed);
        self.blame.store(0, Relaxed);
        self.gil.store(0, Relaxed);
        self.boot_thread.store(0, Relaxed);
        self.open_at_acquire.store(0, Relaxed);
        self.unseen_waiters.store(0, Relaxed);
        self.usual.store(usual::NONE, Relaxed);
        self.holder.store(0, Relaxed);
        self.last_look_ns.store(0, Relaxed);
        let bytes = self.segment_bytes.swap(0, Relaxed);
        (self.segment.swap(0, Relaxed), bytes)
    }

    /// True on 2.7, whose GIL is a semaphore.
    #[inline(always)]
    pub fn is_semaphore(&self) -> bool {
        self.semaphore.load(Relaxed) != 0
    }

    /// True if only a sample of the cycles is timed. 2.7 has no cheap way to count, so it times all.
    #[inline(always)]
    pub fn is_light(&self) -> bool {
        self.mode.load(Relaxed) == Mode::Light as u32 && !self.is_semaphore()
    }

    /// The stamp of this moment, ns.
    #[inline(always)]
    pub fn now(&self) -> u64 {
        let clock = Clock {
            kind: self.clock_kind.load(Relaxed),
            reserved: 0,
            anchor: self.clock_anchor.load(Relaxed),
            monotonic_ns: 0,
            rate: self.clock_rate.load(Relaxed),
        };
        let counter =
            if clock.kind == ClockKind::Tsc as u32 { wire::clock::tsc() } else { monotonic_ns() };
        clock.stamp_of(counter)
    }

    /// The header. Only while a segment is adopted.
    #[inline(always)]
    pub fn header(&self) -> &'static Header {
        // SAFETY: hooks run between `adopt` and the end of `clear`'s grace (see `inside::detach`);
        // in that time the segment is mapped and a `Header` (atomics and plain data) starts it.
        unsafe { &*(self.segment.load(Relaxed) as *const Header) }
    }

    /// The GIL's totals.
    #[inline(always)]
    pub fn totals(&self) -> &'static GilTotals {
        // SAFETY: as for `header`; `adopt` computed the address from the checked layout.
        unsafe { &*(self.totals.load(Relaxed) as *const GilTotals) }
    }

    /// The handoff table.
    #[inline(always)]
    pub fn handoffs(&self) -> &'static [Handoff] {
        // SAFETY: as for `totals`; the layout has room for N_HANDOFFS entries there.
        unsafe {
            core::slice::from_raw_parts(self.handoffs.load(Relaxed) as *const Handoff, N_HANDOFFS)
        }
    }

    /// The blame table.
    #[inline(always)]
    pub fn blames(&self) -> &'static [Blame] {
        // SAFETY: as for `totals`; the layout has room for N_BLAMES entries there.
        unsafe { core::slice::from_raw_parts(self.blames.load(Relaxed) as *const Blame, N_BLAMES) }
    }

    /// The code table, as raw entries: they are written once, under `looking`.
    #[inline(always)]
    pub fn codes(&self) -> *mut CodeEntry {
        self.codes.load(Relaxed) as *mut CodeEntry
    }

    /// Entries of the code table.
    pub const N_CODES: usize = N_CODES;

    /// Totals of imports.
    #[inline(always)]
    pub fn import_totals(&self) -> &'static ImportTotals {
        // SAFETY: as for `totals`.
        unsafe { &*(self.import_totals.load(Relaxed) as *const ImportTotals) }
    }

    /// Table of imports.
    #[inline(always)]
    pub fn imports(&self) -> &'static [Import] {
        let address = self.import_table.load(Relaxed) as *const Import;
        // SAFETY: as for `totals`; the layout has room for N_IMPORTS entries there.
        unsafe { core::slice::from_raw_parts(address, N_IMPORTS) }
    }

    /// The index table.
    #[inline(always)]
    pub fn index(&self) -> &'static [IndexEntry] {
        let n = self.index_mask.load(Relaxed) + 1;
        // SAFETY: as for `totals`; `n_index` entries stand there.
        unsafe { core::slice::from_raw_parts(self.index.load(Relaxed) as *const IndexEntry, n) }
    }

    /// Slot number `i`, if there is one.
    #[inline(always)]
    pub fn slot(&self, i: usize) -> Option<&'static Slot> {
        if i >= self.n_slots.load(Relaxed) {
            return None;
        }
        let address = self.slots.load(Relaxed) + i * self.slot_stride.load(Relaxed);
        // SAFETY: as for `totals`; `i` was checked against the number of slots.
        Some(unsafe { &*(address as *const Slot) })
    }

    /// The slot that holds or last held the GIL.
    #[inline(always)]
    pub fn holder(&self) -> Option<&'static Slot> {
        let address = self.holder.load(Relaxed);
        // SAFETY: as for `totals`; only `set_holder` stores it, from a slot, and `clear` zeroes it.
        (address != 0).then(|| unsafe { &*(address as *const Slot) })
    }

    /// The GIL has a new holder.
    #[inline(always)]
    pub fn set_holder(&self, slot: Option<&'static Slot>) {
        self.holder.store(slot.map_or(0, |slot| core::ptr::from_ref(slot) as usize), Relaxed);
    }

    /// The stamp of a reading of the time stamp counter, where that is the session's clock.
    #[inline(always)]
    pub fn stamp_of_tsc(&self, counter: u64) -> u64 {
        let clock = Clock {
            kind: ClockKind::Tsc as u32,
            reserved: 0,
            anchor: self.clock_anchor.load(Relaxed),
            monotonic_ns: 0,
            rate: self.clock_rate.load(Relaxed),
        };
        clock.stamp_of(counter)
    }

    /// Number of slots.
    #[inline(always)]
    pub fn n_slots(&self) -> usize {
        self.n_slots.load(Relaxed)
    }

    /// The number of a slot that [`Hot::slot`] gave.
    #[inline(always)]
    pub fn number_of(&self, slot: &Slot) -> usize {
        let offset = core::ptr::from_ref(slot) as usize - self.slots.load(Relaxed);
        offset.checked_div(self.slot_stride.load(Relaxed)).unwrap_or(usize::MAX)
    }

    /// The ring of a slot.
    #[inline(always)]
    pub fn ring(&self, slot: &Slot) -> &'static [Entry] {
        let n = self.ring_events.load(Relaxed);
        let address = self.rings.load(Relaxed) + self.number_of(slot) * n * size_of::<Entry>();
        // SAFETY: as for `totals`; the slot's number is below `n_slots`, each ring has `n` entries.
        unsafe { core::slice::from_raw_parts(address as *const Entry, n) }
    }
}

/// Values of [`Hot::usual`].
pub mod usual {
    /// There are none: every cycle goes the general way.
    pub const NONE: u32 = 0;
    /// Timed by the time stamp counter.
    pub const TIMED: u32 = 1;
    /// Counted only.
    pub const COUNTED: u32 = 2;
}

fn usual(header: &Header) -> u32 {
    let timed = header.clock.kind == ClockKind::Tsc as u32;
    match header.plan.mode {
        mode if mode == Mode::Light as u32 => usual::COUNTED,
        mode if mode == Mode::Exact as u32 && timed => usual::TIMED,
        _ => usual::NONE,
    }
}

/// `CLOCK_MONOTONIC` in ns, through the vDSO; 0 if libc's function was not found.
pub fn monotonic_ns() -> u64 {
    let function = ORIGINALS.clock_gettime.load(Relaxed);
    if function.is_null() {
        return 0;
    }
    let mut time = [0i64; 2];
    // SAFETY: the pointer is libc's `clock_gettime` (POSIX signature), `time` has the layout of
    // struct timespec on x86-64; the call neither blocks nor changes errno for a valid clock.
    unsafe {
        let clock_gettime: extern "C" fn(i32, *mut i64) -> i32 = core::mem::transmute(function);
        clock_gettime(1, time.as_mut_ptr());
    }
    (time[0] as u64).wrapping_mul(1_000_000_000).wrapping_add(time[1] as u64)
}
