//! What imports allocate: functions in front of CPython's three allocators (`PyMem_SetAllocator`).
//!
//! An allocator that passes a request on to another is counted once: the map of blocks knows a block by
//! its address, so the second to tell of it changes nothing. While no thread imports each function is a
//! look at one word and a jump. CPython reads the five words of an allocator one by one while others may
//! write them; here any mixture of old and new words does the same, since the context stays and originals
//! are kept for ever.

use super::api::{self, Allocator};
use super::{blocks, seats};
use crate::hot::HOT;
use core::sync::atomic::{
    AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

struct Original {
    malloc: AtomicUsize,
    calloc: AtomicUsize,
    realloc: AtomicUsize,
    free: AtomicUsize,
}

static ORIGINALS: [Original; 3] = [const {
    Original {
        malloc: AtomicUsize::new(0),
        calloc: AtomicUsize::new(0),
        realloc: AtomicUsize::new(0),
        free: AtomicUsize::new(0),
    }
}; 3];

/// A function of an allocator at an address that [`begin`] took from the interpreter.
macro_rules! original {
    ($domain:literal, $name:ident, $kind:ty) => {{
        let address = ORIGINALS[$domain].$name.load(Relaxed);
        // SAFETY: `begin` stored it, from the allocator's own record, before this hook was in place.
        unsafe { core::mem::transmute::<usize, $kind>(address) }
    }};
}

#[inline(always)]
fn nobody_imports() -> bool {
    HOT.importing.load(Relaxed) == 0
}

/// A block was allocated for this thread.
#[inline(never)]
fn allocated(block: u64, size: usize) -> u64 {
    if block != 0
        && let Some(seat) = seats::importing()
    {
        let before = blocks::insert(block, size);
        seat.allocated(size as i64 - before as i64);
    }
    block
}

/// A block is about to be freed, or moved; returns what it had.
#[inline(never)]
fn freed(block: u64) -> Option<u64> {
    let size = blocks::remove(block)?;
    if let Some(seat) = seats::importing() {
        seat.allocated(-(size as i64));
    }
    Some(size)
}

macro_rules! domain {
    ($name:ident, $domain:literal) => {
        mod $name {
            use super::*;

            pub(super) extern "C" fn malloc(context: usize, size: usize) -> u64 {
                let original = original!($domain, malloc, extern "C" fn(usize, usize) -> u64);
                if nobody_imports() {
                    return original(context, size);
                }
                allocated(original(context, size), size)
            }

            pub(super) extern "C" fn calloc(context: usize, n: usize, size: usize) -> u64 {
                let original =
                    original!($domain, calloc, extern "C" fn(usize, usize, usize) -> u64);
                if nobody_imports() {
                    return original(context, n, size);
                }
                allocated(original(context, n, size), n.saturating_mul(size))
            }

            pub(super) extern "C" fn realloc(context: usize, block: u64, size: usize) -> u64 {
                let original = original!($domain, realloc, extern "C" fn(usize, u64, usize) -> u64);
                if nobody_imports() {
                    return original(context, block, size);
                }
                let before = freed(block);
                let moved = original(context, block, size);
                match before {
                    // The old one stays where it is.
                    Some(before) if moved == 0 => drop(allocated(block, before as usize)),
                    _ => drop(allocated(moved, size)),
                }
                moved
            }

            pub(super) extern "C" fn free(context: usize, block: u64) {
                let original = original!($domain, free, extern "C" fn(usize, u64));
                if !nobody_imports() {
                    freed(block);
                }
                original(context, block)
            }
        }
    };
}
domain!(raw, 0);
domain!(memory, 1);
domain!(object, 2);

fn ours(domain: usize, context: usize) -> Allocator {
    macro_rules! of {
        ($name:ident) => {
            Allocator {
                context,
                malloc: $name::malloc as *const () as usize,
                calloc: $name::calloc as *const () as usize,
                realloc: $name::realloc as *const () as usize,
                free: $name::free as *const () as usize,
            }
        };
    }
    match domain {
        0 => of!(raw),
        1 => of!(memory),
        _ => of!(object),
    }
}

/// Puts the functions in place, once in a process: somebody may have put theirs in front of ours since.
/// With the GIL. False where the interpreter has no allocators to ask for.
pub(super) fn begin() -> bool {
    for (domain, original) in ORIGINALS.iter().enumerate() {
        let Some(found) = api::allocator(domain) else { return false };
        if original.free.load(Acquire) != 0 {
            continue;
        }
        original.malloc.store(found.malloc, Relaxed);
        original.calloc.store(found.calloc, Relaxed);
        original.realloc.store(found.realloc, Relaxed);
        original.free.store(found.free, Release);
        api::set_allocator(domain, ours(domain, found.context));
    }
    true
}

/// Takes them out where nobody has put something in front of them since. With the GIL.
pub(super) fn end() {
    for (domain, original) in ORIGINALS.iter().enumerate() {
        let Some(found) = api::allocator(domain) else { return };
        if original.free.load(Acquire) == 0 || found.malloc != ours(domain, found.context).malloc {
            continue;
        }
        let before = Allocator {
            context: found.context,
            malloc: original.malloc.load(Relaxed),
            calloc: original.calloc.load(Relaxed),
            realloc: original.realloc.load(Relaxed),
            free: original.free.load(Relaxed),
        };
        api::set_allocator(domain, before);
    }
}
