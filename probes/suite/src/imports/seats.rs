//! Which threads are inside an import, and what each has allocated in it: in this library's own memory,
//! since the allocator's hooks look here and may be on their way when the segment goes.
//!
//! A seat belongs to a thread pointer until another thread needs it; only its thread writes to it.

use crate::memory::{scattered, thread_pointer};
use core::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{Acquire, Relaxed},
};

/// Threads that may import at a time; a power of two.
const N_SEATS: usize = 256;
/// Seats looked at before a thread is said to have none.
const PROBES: usize = 32;

/// See the module's text.
#[repr(C, align(64))]
pub(super) struct Seat {
    owner: AtomicU64,
    /// Entry + 1 of the newest import that goes on, 0 for none.
    pub(super) top: AtomicU32,
    /// Bytes allocated less those freed since the session began, two's complement.
    pub(super) sum: AtomicU64,
    /// Most that `sum` was in the newest import.
    pub(super) high: AtomicU64,
}

static SEATS: [Seat; N_SEATS] = [const {
    Seat {
        owner: AtomicU64::new(0),
        top: AtomicU32::new(0),
        sum: AtomicU64::new(0),
        high: AtomicU64::new(0),
    }
}; N_SEATS];

impl Seat {
    /// Adds to what the thread has allocated.
    #[inline(always)]
    pub(super) fn allocated(&self, bytes: i64) {
        let sum = self.sum.load(Relaxed).wrapping_add(bytes as u64);
        self.sum.store(sum, Relaxed);
        if sum.wrapping_sub(self.high.load(Relaxed)) as i64 > 0 {
            self.high.store(sum, Relaxed);
        }
    }
}

fn seat(pointer: u64, step: usize) -> Option<&'static Seat> {
    SEATS.get(((scattered(pointer) >> 40) as usize + step) & (N_SEATS - 1))
}

/// The calling thread's seat, if it is inside an import.
#[inline(always)]
pub(super) fn importing() -> Option<&'static Seat> {
    own().filter(|seat| seat.top.load(Relaxed) != 0)
}

/// The calling thread's seat, if it has one.
#[inline(always)]
pub(super) fn own() -> Option<&'static Seat> {
    let pointer = thread_pointer();
    for step in 0..PROBES {
        let seat = seat(pointer, step)?;
        match seat.owner.load(Relaxed) {
            owner if owner == pointer => return Some(seat),
            0 => return None,
            _ => {}
        }
    }
    None
}

/// The calling thread's seat; one of a thread that is not inside an import, if need be.
pub(super) fn take() -> Option<&'static Seat> {
    if let Some(seat) = own() {
        return Some(seat);
    }
    let pointer = thread_pointer();
    (0..PROBES).filter_map(|step| seat(pointer, step)).find(|seat| {
        let owner = seat.owner.load(Relaxed);
        (owner == 0 || seat.top.load(Acquire) == 0)
            && seat.owner.compare_exchange(owner, pointer, Acquire, Relaxed).is_ok()
    })
}

/// Empties all seats: a new session begins.
pub(super) fn clear() {
    for seat in &SEATS {
        seat.top.store(0, Relaxed);
        seat.sum.store(0, Relaxed);
        seat.high.store(0, Relaxed);
    }
}
