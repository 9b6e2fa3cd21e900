//! Which blocks were allocated in imports, and how large they are: `free` does not say.
//!
//! A shadow of the heap: for each of its pages that held such a block, two bytes for each place where a
//! block can begin. Neighbours in memory are neighbours here, and a block that comes and goes finds its
//! line in the cache. A block too large for two bytes covers its next page wholly and leaves its size there.
//! Blocks count for the window in which they were allocated, from the moment that a thread begins to import
//! until none does: pages of earlier windows are free ones, and what is freed later is nobody's affair.
//! Bounded steps, no lock: a page is claimed by a swap and made known last. Two threads that allocate
//! at the same moment without the GIL may at worst miss each other's page, which is counted as lost.

use crate::memory::{number, scattered, syscall};
use core::sync::atomic::{
    AtomicU16, AtomicU32, AtomicU64, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

const PAGE_BITS: u32 = 12;
const PAGE: u64 = 1 << PAGE_BITS;
/// Pages of the heap that can be remembered, 512 MiB; a power of two.
const N_PAGES: usize = 1 << 17;
/// Pages that stay side by side here, too.
const RUN: usize = 64;
/// Places looked at before a page is given up.
const PROBES: usize = 24;
/// Values of a page's key: never used, and being emptied.
const EMPTY: u64 = 0;
const BUSY: u64 = 1;
/// A key's lower bits are those of the window.
const WINDOW_BITS: u32 = 28;
/// A cell holds a size + 1, or this: the size stands at the beginning of the next page.
const LARGE: u16 = u16::MAX;
const CELLS_OF_A_WORD: usize = size_of::<u64>() / size_of::<u16>();

static TABLE: AtomicUsize = AtomicUsize::new(0);
/// Where blocks can begin: at multiples of `1 << SPACING_BITS`.
static SPACING_BITS: AtomicU32 = AtomicU32::new(4);
static WINDOW: AtomicU32 = AtomicU32::new(1);
/// Blocks that found no room.
pub(super) static LOST: AtomicU64 = AtomicU64::new(0);

fn cells_of_a_page() -> usize {
    1 << (PAGE_BITS - SPACING_BITS.load(Relaxed))
}

fn table_bytes() -> usize {
    N_PAGES * (size_of::<u64>() + cells_of_a_page() * size_of::<u16>())
}

/// Makes the map, 65 or 129 MiB of addresses that take no memory until they are used: an eighth or a quarter
/// of the heap. It stays for the process's life, since hooks may be on their way to it. Blocks begin at
/// multiples of `spacing`, 8 or 16. False if there is no room.
pub(super) fn make(spacing: u32) -> bool {
    const PROT_READ_WRITE: u64 = 3;
    const MAP_PRIVATE_ANONYMOUS_NORESERVE: u64 = 0x2 | 0x20 | 0x4000;
    const MADV_DONTFORK: u64 = 10;
    const MADV_DONTDUMP: u64 = 16;
    if TABLE.load(Acquire) != 0 {
        return true;
    }
    SPACING_BITS.store(spacing.trailing_zeros(), Relaxed);
    let bytes = table_bytes() as u64;
    // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists. Children go
    // without it: their hooks never look (`HOT.importing` is 0 there).
    let address = unsafe {
        let arguments = [0, bytes, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS_NORESERVE, u64::MAX, 0];
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
    const MADV_DONTNEED: u64 = 4;
    let table = TABLE.load(Acquire) as u64;
    if table != 0 {
        let bytes = table_bytes() as u64;
        // SAFETY: our own mapping; who looks at it meanwhile finds zeros, which are unused pages.
        unsafe { syscall(number::MADVISE, [table, bytes, MADV_DONTNEED, 0, 0, 0]) };
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

/// Key of a block's page in the present window.
#[inline(always)]
fn key(block: u64) -> u64 {
    let window = u64::from(WINDOW.load(Relaxed)) & ((1 << WINDOW_BITS) - 1);
    (block >> PAGE_BITS) << WINDOW_BITS | window
}

fn keys() -> &'static [AtomicU64] {
    let address = TABLE.load(Relaxed);
    if address == 0 {
        return &[];
    }
    // SAFETY: `make` mapped so many keys there for the process's life; atomics, and zero is valid.
    unsafe { core::slice::from_raw_parts(address as *const AtomicU64, N_PAGES) }
}

/// All cells, or all of them in words of four.
fn cells<T>() -> &'static [T] {
    let address = TABLE.load(Relaxed);
    if address == 0 {
        return &[];
    }
    let start = address + N_PAGES * size_of::<u64>();
    let n = N_PAGES * cells_of_a_page() * size_of::<u16>() / size_of::<T>();
    // SAFETY: `make` mapped so many bytes after the keys, a multiple of 8; `T` is an atomic integer of
    // two or eight bytes, of which zero is a valid value.
    unsafe { core::slice::from_raw_parts(start as *const T, n) }
}

/// Places where a block's page may be, in the order in which they are looked at.
#[inline(always)]
fn places(block: u64) -> impl Iterator<Item = usize> {
    let page = block >> PAGE_BITS;
    let start = ((scattered(page / RUN as u64) >> 40) as usize * RUN) | (page as usize % RUN);
    (0..PROBES).map(move |step| (start + step * RUN) & (N_PAGES - 1))
}

/// The cell of a block whose page is at `place`.
#[inline(always)]
fn cell(place: usize, block: u64) -> Option<&'static AtomicU16> {
    let within = (block & (PAGE - 1)) as usize >> SPACING_BITS.load(Relaxed);
    cells().get(place * cells_of_a_page() + within)
}

/// Where a block's page is remembered.
#[inline(always)]
fn find(block: u64) -> Option<usize> {
    let (keys, wanted) = (keys(), key(block));
    for place in places(block) {
        match keys.get(place)?.load(Acquire) {
            EMPTY => return None,
            found if found == wanted => return Some(place),
            _ => {}
        }
    }
    None
}

/// The same, of a page that may be new.
#[inline(always)]
fn find_or_claim(block: u64) -> Option<usize> {
    find(block).or_else(|| claim(block))
}

#[cold]
fn claim(block: u64) -> Option<usize> {
    let (keys, wanted) = (keys(), key(block));
    let is_in_use = |found: u64| found == BUSY || (found ^ wanted) & ((1 << WINDOW_BITS) - 1) == 0;
    for place in places(block) {
        let key = keys.get(place)?;
        let found = key.load(Acquire);
        if found != EMPTY && is_in_use(found) {
            continue;
        }
        key.compare_exchange(found, BUSY, Acquire, Relaxed).ok()?;
        if found != EMPTY {
            let n = cells_of_a_page() / CELLS_OF_A_WORD;
            let all = cells::<AtomicU64>().get(place * n..(place + 1) * n);
            all.into_iter().flatten().for_each(|word| word.store(0, Relaxed));
        }
        key.store(wanted, Release);
        return Some(place);
    }
    None
}

/// Where the size of a block stands that is too large for its cell.
#[cold]
fn size_of_large(block: u64) -> Option<&'static AtomicU64> {
    let place = find_or_claim(block + PAGE)?;
    cells().get(place * cells_of_a_page() / CELLS_OF_A_WORD)
}

/// Empties a cell; returns the size of its block, if it held one.
#[inline(always)]
fn take(cell: &AtomicU16, block: u64) -> Option<u64> {
    let found = cell.load(Relaxed);
    if found == 0 {
        return None;
    }
    cell.store(0, Relaxed);
    if found == LARGE {
        return size_of_large(block).map(|size| size.swap(0, Relaxed));
    }
    Some(u64::from(found - 1))
}

/// Remembers a block; returns what it was known to have before, bytes.
#[inline]
pub(super) fn insert(block: u64, size: usize) -> u64 {
    let Some(cell) = find_or_claim(block).and_then(|place| cell(place, block)) else {
        LOST.fetch_add(1, Relaxed);
        return 0;
    };
    let before = take(cell, block).unwrap_or(0);
    if size < usize::from(LARGE) - 1 {
        cell.store(size as u16 + 1, Relaxed);
    } else if let Some(large) = size_of_large(block) {
        large.store(size as u64, Relaxed);
        cell.store(LARGE, Relaxed);
    } else {
        LOST.fetch_add(1, Relaxed);
    }
    before
}

/// Forgets a block; returns what it had, if it was allocated in the present window.
#[inline]
pub(super) fn remove(block: u64) -> Option<u64> {
    take(cell(find(block)?, block)?, block)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One test, since the map is one for the process.
    #[test]
    fn blocks_are_remembered_with_their_exact_size_until_the_window_is_over() {
        assert!(make(8), "room for the map");
        next_window();
        let sizes = [0, 1, 512, 65_533, 65_534, 65_535, 1 << 20, 5 << 30];
        let block = |n: usize| (0x7f00_0000_0ff8 + (n as u64)) << 8; // the last place of a page, too
        for (n, size) in sizes.iter().enumerate() {
            assert_eq!(insert(block(n << 24), *size), 0, "new");
            assert_eq!(insert(block(n << 24), *size), *size as u64, "told of twice");
        }
        for (n, size) in sizes.iter().enumerate() {
            assert_eq!(remove(block(n << 24)), Some(*size as u64));
            assert_eq!(remove(block(n << 24)), None, "gone");
        }
        // Neighbours 8 bytes apart are two blocks.
        assert_eq!((insert(0x1000_0000, 8), insert(0x1000_0008, 7)), (0, 0));
        assert_eq!((remove(0x1000_0000), remove(0x1000_0008)), (Some(8), Some(7)));
        insert(0x1000_0000, 100);
        next_window();
        assert_eq!(remove(0x1000_0000), None, "of an earlier window");
        assert_eq!(insert(0x1000_0010, 5), 0, "its page is used again, and empty");
        assert_eq!(remove(0x1000_0000), None);
        let before = LOST.load(Relaxed);
        for page in 0..=N_PAGES as u64 {
            insert(page << PAGE_BITS, 1);
        }
        assert!(LOST.load(Relaxed) > before, "more pages than there is room for are counted");
        empty();
        assert_eq!(remove(0x1000_0010), None);
    }
}
