//! Who is inside one of this probe's hooks: so that leaving can wait until nobody is.
//!
//! The GIL's hooks run under the GIL's mutexes, which tell when all of them are out. These do not, and a
//! shared counter would cost two locked instructions a call. So each thread has a seat of its own, found
//! by its thread pointer, in this library's own memory, and marks it with plain stores. Whoever leaves
//! first makes the hooks pass through and lets a millisecond go by: by then every store made before has
//! left its core, and a hook that is still inside shows.
//!
//! A seat belongs to a thread pointer for ever: the next thread with that pointer takes it over.

use crate::hot::Hot;
use crate::memory::{scattered, thread_pointer};
use core::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{Acquire, Relaxed, Release, SeqCst},
    compiler_fence,
};

/// Thread pointers that may have a seat; a power of two.
const N_SEATS: usize = 4096;
/// Seats looked at before a thread is said to have none.
const PROBES: usize = 64;

/// See the module's text. On a line of its own: threads do not share what they write.
#[repr(C, align(64))]
pub struct Seat {
    /// Thread pointer, 0 if free.
    owner: AtomicU64,
    /// Hooks of this thread that are inside now; more than one if a signal handler came in between.
    inside: AtomicU32,
}

static SEATS: [Seat; N_SEATS] =
    [const { Seat { owner: AtomicU64::new(0), inside: AtomicU32::new(0) } }; N_SEATS];
/// Calls that found no seat.
pub(super) static NO_SEAT: AtomicU64 = AtomicU64::new(0);

/// Marks the calling thread as inside; none if the probe is off. What is in the segment may be touched
/// until the seat is left.
#[inline(always)]
pub(super) fn enter(hot: &Hot) -> Option<&'static Seat> {
    let seat = own()?;
    seat.inside.store(seat.inside.load(Relaxed) + 1, Relaxed);
    compiler_fence(SeqCst);
    if hot.states.load(Acquire) == 0 {
        leave(seat);
        return None;
    }
    Some(seat)
}

/// The opposite of [`enter`].
#[inline(always)]
pub(super) fn leave(seat: &Seat) {
    seat.inside.store(seat.inside.load(Relaxed).wrapping_sub(1), Release);
}

/// The calling thread's seat, if it has one already.
#[inline(always)]
pub(super) fn own() -> Option<&'static Seat> {
    let pointer = thread_pointer();
    let start = (scattered(pointer) >> 40) as usize;
    let seat = &SEATS[start & (N_SEATS - 1)];
    if seat.owner.load(Relaxed) == pointer { Some(seat) } else { elsewhere(pointer, start) }
}

#[cold]
#[inline(never)]
fn elsewhere(pointer: u64, start: usize) -> Option<&'static Seat> {
    for step in 0..PROBES {
        let seat = &SEATS[(start + step) & (N_SEATS - 1)];
        let owner = seat.owner.load(Relaxed);
        let taken = owner == 0 && seat.owner.compare_exchange(0, pointer, Relaxed, Relaxed).is_ok();
        if taken || owner == pointer {
            return Some(seat);
        }
    }
    NO_SEAT.fetch_add(1, Relaxed);
    None
}

/// True if nobody is inside a hook. Once the probe is off and a millisecond has gone by, and this has
/// been true, nobody will be.
pub fn are_empty() -> bool {
    SEATS.iter().all(|seat| seat.inside.load(Acquire) == 0)
}

/// Empties all seats: in a forked child, which inherited those of threads that it does not have.
pub fn clear() {
    SEATS.iter().for_each(|seat| seat.inside.store(0, Relaxed));
}
