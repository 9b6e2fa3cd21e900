//! The segment as the daemon sees it: the one file of the dashboard with `unsafe`.
//!
//! What stands in the mapping belongs to a target that may be hostile: words are read one by one,
//! as atomics or volatile, copied, and only the copy is looked at. The memfd is sealed against
//! shrinking, so a read cannot fault. Offsets come from the daemon's own layout, never from the mapping.
#![allow(unsafe_code)]

use memmap2::{MmapMut, MmapOptions};
use std::fs::File;
use std::io;
use wire::clock::Clock;
use wire::code::CodeEntry;
use wire::imports::{Import, ImportTotals, N_IMPORTS};
use wire::plan::Plan;
use wire::ring::Entry;
use wire::segment::{ABI_VERSION, Header, Layout, MAGIC, N_BLAMES, N_CODES, N_HANDOFFS, PAGE};
use wire::slot::Slot;
use wire::totals::{Blame, GilTotals, Handoff};
use wire::tstate::{Caller, N_CALLERS, StateTotals};

/// The bytes of a new segment's first page.
pub fn header_page(
    layout: &Layout,
    clock: Clock,
    plan: Plan,
    daemon_pid: u32,
    target_pid: u32,
) -> Vec<u8> {
    // SAFETY: all-zero is a valid `Header`: integers and atomics.
    let mut header: Header = unsafe { std::mem::zeroed() };
    header.magic = MAGIC.into();
    header.abi_version = ABI_VERSION;
    header.n_slots = layout.n_slots as u32;
    header.n_index = layout.n_index as u32;
    header.ring_events = layout.ring_events as u32;
    header.segment_bytes = layout.bytes() as u64;
    header.daemon_pid = daemon_pid;
    header.target_pid = target_pid;
    header.clock = clock;
    header.plan = plan;
    // SAFETY: a `Header` is exactly a page of integers (asserted in `wire`) and was zeroed, so its
    // padding is initialised too.
    unsafe { std::slice::from_raw_parts((&raw const header).cast::<u8>(), PAGE) }.to_vec()
}

/// A mapped segment.
pub struct Mapping {
    map: MmapMut,
    layout: Layout,
}

impl Mapping {
    /// Maps the segment at `offset` of a memfd that the daemon made with this layout.
    pub fn open(file: &File, offset: u64, layout: Layout) -> io::Result<Self> {
        // SAFETY: the file is a memfd sealed against shrinking by the daemon; others do write to it,
        // which is why nothing here hands out plain references to its bytes.
        let map = unsafe { MmapOptions::new().offset(offset).len(layout.bytes()).map_mut(file)? };
        Ok(Self { map, layout })
    }

    fn at<T>(&self, offset: usize) -> &T {
        assert!(
            offset + size_of::<T>() <= self.map.len() && offset.is_multiple_of(align_of::<T>())
        );
        // SAFETY: within the mapping and aligned (asserted). `T` is one of the structures of `wire`
        // made of atomics; their few plain fields are read through `volatile` or were ours to write.
        unsafe { &*self.map.as_ptr().add(offset).cast::<T>() }
    }

    /// `n` structures from `offset` on.
    fn many<T>(&self, offset: usize, n: usize) -> &[T] {
        assert!(
            offset + n * size_of::<T>() <= self.map.len() && offset.is_multiple_of(align_of::<T>())
        );
        // SAFETY: as in `at`.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr().add(offset).cast::<T>(), n) }
    }

    pub fn header(&self) -> &Header {
        self.at(0)
    }

    pub fn totals(&self) -> &GilTotals {
        self.at(self.layout.totals())
    }

    pub fn handoffs(&self) -> &[Handoff] {
        self.many(self.layout.handoffs(), N_HANDOFFS)
    }

    pub fn blames(&self) -> &[Blame] {
        self.many(self.layout.blames(), N_BLAMES)
    }

    pub fn state_totals(&self) -> &StateTotals {
        self.at(self.layout.state_totals())
    }

    pub fn callers(&self) -> &[Caller] {
        self.many(self.layout.callers(), N_CALLERS)
    }

    pub fn import_totals(&self) -> &ImportTotals {
        self.at(self.layout.import_totals())
    }

    pub fn imports(&self) -> &[Import] {
        self.many(self.layout.imports(), N_IMPORTS)
    }

    pub fn n_slots(&self) -> usize {
        self.layout.n_slots
    }

    /// Slot `i` and its ring; none beyond the table.
    pub fn slot(&self, i: usize) -> Option<(&Slot, &[Entry])> {
        (i < self.layout.n_slots).then(|| {
            let slot = self.at(self.layout.slots() + i * self.layout.slot_stride());
            let ring = self
                .many(self.layout.rings() + i * self.layout.ring_stride(), self.layout.ring_events);
            (slot, ring)
        })
    }

    /// A copy of entry `i` of the code table, if it is there and ready.
    pub fn code(&self, i: u32) -> Option<CodeEntry> {
        let i = i as usize;
        if i == 0 || i >= N_CODES {
            return None;
        }
        let entry: &CodeEntry = self.at(self.layout.codes() + i * size_of::<CodeEntry>());
        if entry.ready.load(std::sync::atomic::Ordering::Acquire) != 1 {
            return None;
        }
        // SAFETY: a bitwise copy of integers, volatile because a hostile target may write meanwhile;
        // every bit pattern is a valid `CodeEntry`.
        Some(unsafe { std::ptr::from_ref(entry).read_volatile() })
    }
}
