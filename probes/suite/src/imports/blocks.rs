//! Which blocks were allocated in imports, and how large they are: `free` does not say.
//!
//! Open addressed by the block's address, so that neighbours in memory are neighbours here. Blocks count
//! for the window in which they were allocated, from the moment that a thread begins to import until none
//! does: entries of earlier windows are free places, and what is freed later is nobody's affair.
//! Bounded steps, no lock: an entry is claimed by a swap and made known last. Two threads that allocate
//! at the same moment without the GIL may at worst miss each other's entry, which is counted as lost.

use crate::memory::{number, syscall};
use core::sync::atomic::{
    AtomicU32, AtomicU64, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

/// Entries; a power of two.
const N_BLOCKS: usize = 1 << 21;
/// Entries looked at before a block is given up.
const PROBES: usize = 256;
/// Values of an entry's address: never used, being filled, and used once.
const EMPTY: u64 = 0;
const BUSY: u64 = 1;
const GONE: u64 = 2;
const SIZE_BITS: u32 = 40;
const WINDOW_MASK: u32 = (1 << (64 - SIZE_BITS)) - 1;

#[repr(C)]
struct Entry {
    block: AtomicU64,
    /// Size below, number of the window above.
    size: AtomicU64,
}

static TABLE: AtomicUsize = AtomicUsize::new(0);
static WINDOW: AtomicU32 = AtomicU32::new(1);
/// Blocks that found no room.
pub(super) static LOST: AtomicU64 = AtomicU64::new(0);

/// Makes the map, 32 MiB that take no memory until they are used. It stays for the process's life, since
/// hooks may be on their way to it. False if there is no room.
pub(super) fn make() -> bool {
    const PROT_READ_WRITE: u64 = 3;
    const MAP_SHARED_ANONYMOUS_NORESERVE: u64 = 0x1 | 0x20 | 0x4000;
    const MADV_DONTFORK: u64 = 10;
    const MADV_DONTDUMP: u64 = 16;
    if TABLE.load(Acquire) != 0 {
        return true;
    }
    let bytes = (N_BLOCKS * size_of::<Entry>()) as u64;
    // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists. Children go
    // without it: their hooks never look (`HOT.importing` is 0 there).
    let address = unsafe {
        let arguments = [0, bytes, PROT_READ_WRITE, MAP_SHARED_ANONYMOUS_NORESERVE, u64::MAX, 0];
        let address = syscall(number::MMAP, arguments);
        if (-4095..=0).contains(&address) {
            return false;
        }
        syscall(number::MADVISE, [address as u64, bytes, MADV_DONTFORK, 0, 0, 0]);
        syscall(number::MADVISE, [address as u64, bytes, MADV_DONTDUMP, 0, 0, 0]);
        address
    };
    TABLE.store(address as usize, Release);
    true
}

/// Gives the map's memory back; the addresses stay.
pub(super) fn empty() {
    const MADV_REMOVE: u64 = 9;
    let table = TABLE.load(Acquire) as u64;
    if table != 0 {
        let bytes = (N_BLOCKS * size_of::<Entry>()) as u64;
        // SAFETY: our own mapping; who looks at it meanwhile finds zeros, which are empty entries.
        unsafe { syscall(number::MADVISE, [table, bytes, MADV_REMOVE, 0, 0, 0]) };
    }
}

/// A session without it: in a forked child its addresses lead nowhere.
pub(super) fn forget() {
    TABLE.store(0, Relaxed);
}

/// Whether there is a map.
pub(super) fn are_watched() -> bool {
    TABLE.load(Relaxed) != 0
}

/// A thread begins to import while no other does.
pub(super) fn next_window() {
    WINDOW.fetch_add(1, Relaxed);
}

fn table() -> &'static [Entry] {
    let address = TABLE.load(Relaxed);
    if address == 0 {
        return &[];
    }
    // SAFETY: `make` mapped so many entries there for the process's life; atomics, and zero is valid.
    unsafe { core::slice::from_raw_parts(address as *const Entry, N_BLOCKS) }
}

fn window() -> u64 {
    u64::from(WINDOW.load(Relaxed) & WINDOW_MASK)
}

fn places(block: u64) -> impl Iterator<Item = &'static Entry> {
    let (table, start) = (table(), (block >> 4) as usize);
    (0..PROBES).filter_map(move |step| table.get((start + step) & (N_BLOCKS - 1)))
}

/// Remembers a block; returns what it was known to have before, bytes.
#[inline]
pub(super) fn insert(block: u64, size: usize) -> u64 {
    let window = window();
    let size = (size as u64).min((1 << SIZE_BITS) - 1) | window << SIZE_BITS;
    let mut place = None;
    for entry in places(block) {
        let found = entry.block.load(Acquire);
        if found == block {
            let before = entry.size.swap(size, Relaxed);
            return if before >> SIZE_BITS == window { of(before) } else { 0 };
        }
        let is_old = found > GONE && entry.size.load(Relaxed) >> SIZE_BITS != window;
        if place.is_none() && (found == EMPTY || found == GONE || is_old) {
            place = Some((entry, found));
        }
        if found == EMPTY {
            break;
        }
    }
    let claimed = place.is_some_and(|(entry, found)| {
        let claimed = entry.block.compare_exchange(found, BUSY, Acquire, Relaxed).is_ok();
        if claimed {
            entry.size.store(size, Relaxed);
            entry.block.store(block, Release);
        }
        claimed
    });
    if !claimed {
        LOST.fetch_add(1, Relaxed);
    }
    0
}

/// Forgets a block; returns what it had, if it was allocated in the present window.
#[inline]
pub(super) fn remove(block: u64) -> Option<u64> {
    for entry in places(block) {
        match entry.block.load(Acquire) {
            EMPTY => return None,
            found if found == block => {
                let size = entry.size.load(Relaxed);
                entry.block.store(GONE, Release);
                return (size >> SIZE_BITS == window()).then_some(of(size));
            }
            _ => {}
        }
    }
    None
}

fn of(size: u64) -> u64 {
    size & ((1 << SIZE_BITS) - 1)
}
