//! `keep-chunks`: the data-stack chunk of a thread state that is torn down is kept for the next one.
//!
//! CPython 3.11 and later map 16 KiB at the first Python frame of each thread state and unmap them when it
//! is deleted, with the GIL held both times. While the daemon asks for it, that unmapping is answered
//! without a system call, and the next mapping by what was kept. Thread states are left as they are: they
//! are made and deleted by the interpreter, so exit of threads, fork, finalisation and sub-interpreters meet
//! nothing of ours. The chunk belongs to no thread and to no interpreter; it is plain anonymous memory.
//!
//! What makes it safe: only a chunk that this very cycle mapped is kept, once its owner has given it up, and
//! it is handed out only to the interpreter's own function for arenas (`PyObject_GetArenaAllocator`), whose
//! callers of this size do not rely on zeros (`Python/pystate.c`, `allocate_chunk`, writes its header and
//! takes the rest as it is, as it does with a chunk that it has used before).
//!
//! A child inherits copies of what is kept, and nobody uses them there; they are a few pages.

use crate::hot::Hot;
use crate::memory::{number, syscall};
use core::sync::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};

/// `DATA_STACK_CHUNK_SIZE` (CPython `Python/pystate.c`): the least, and usual, size.
const CHUNK_BYTES: u64 = 16 * 1024;
/// `PROT_READ | PROT_WRITE` and `MAP_PRIVATE | MAP_ANONYMOUS`, as `_PyObject_ArenaMmap` asks.
const PROTECTION: u32 = 1 | 2;
const FLAGS: u32 = 2 | 0x20;
/// `_PyObject_ArenaMmap` is shorter than this; what follows it does not map.
const ARENA_ALLOC_BYTES: u64 = 128;
/// [`wire::tstate::Level::chunk`] while the root chunk is being mapped.
pub(super) const AWAITED: u64 = 1;

/// Most chunks kept at a time: 256 KiB.
const MOST: usize = 16;
static KEPT: [AtomicU64; MOST] = [const { AtomicU64::new(0) }; MOST];

/// What a call of `mmap` is.
pub(super) enum Mapping {
    /// Nothing of this probe's.
    Other,
    /// A chunk; how long it takes is of interest.
    Timed,
    /// A chunk, and here is one.
    Kept(u64),
}

/// Whether a mapping of this kind could be a chunk.
pub(super) fn is_alike(bytes: u64, protection: u32, flags: u32) -> bool {
    (bytes, protection, flags) == (CHUNK_BYTES, PROTECTION, FLAGS)
}

/// Whether a call that returns to `site` is made by the interpreter's function for arenas.
pub(super) fn is_from_arenas(hot: &Hot, site: u64) -> bool {
    let function = hot.arena_alloc.load(Relaxed);
    function != 0 && site.wrapping_sub(function) < ARENA_ALLOC_BYTES
}

/// Whether `mmap` gave memory.
pub(super) fn is_address(answer: u64) -> bool {
    answer != 0 && answer != u64::MAX
}

/// Whether the daemon asks for it now.
pub(super) fn are_kept(hot: &'static Hot) -> bool {
    let policy = &hot.header().policy;
    policy.keep_chunks.load(Relaxed) != 0 && hot.now() < policy.until_ns.load(Relaxed)
}

/// Keeps a chunk that its owner has given up; false if there is no room.
pub(super) fn keep(address: u64, bytes: u64) -> bool {
    bytes == CHUNK_BYTES
        && is_address(address)
        && KEPT.iter().any(|word| word.compare_exchange(0, address, Release, Relaxed).is_ok())
}

/// A kept chunk, which from now on is the caller's. Also when nothing is asked any more: what is kept then
/// goes the usual way.
pub(super) fn take() -> Option<u64> {
    let word = KEPT.iter().find(|word| word.load(Relaxed) != 0)?;
    Some(word.swap(0, Acquire)).filter(|address| *address != 0)
}

/// Gives what is kept back to the system. Nobody may be inside a hook.
pub fn give_back() {
    for word in &KEPT {
        let address = word.swap(0, AcqRel);
        if address != 0 {
            // SAFETY: the interpreter has given the mapping up (`keep`), and nobody was handed it since.
            unsafe { syscall(number::MUNMAP, [address, CHUNK_BYTES, 0, 0, 0, 0]) };
        }
    }
}
