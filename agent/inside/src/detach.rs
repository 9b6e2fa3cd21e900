//! Leaving: the hooks go out, then the segment; the text stays.
//!
//! Every hook of 3.x runs under one of the GIL's two mutexes. A thread of our own makes the hooks pass
//! through and waits until it has seen both mutexes free: then nobody is inside a hook any more, and
//! whoever locks one later finds no `cond` that matches. 2.7 has no mutex; its hooks count themselves
//! in and out. The hooks of the thread state probe run outside the mutexes and have seats.

use crate::activate::all_hooks;
use crate::boot::start_thread;
use crate::entry::{stage, step};
use crate::{segment, states};
use core::ffi::c_void;
use core::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{Relaxed, Release, SeqCst},
};
use suite::got;
use suite::hot::HOT;
use suite::memory::{number, syscall};
use suite::tstate::{chunks, imports};
use wire::segment::status;

/// The GIL's mutexes as calibration saw them; 0 where there is none.
pub(crate) static MUTEX: AtomicU64 = AtomicU64::new(0);
/// The mutex of the forced switch.
pub(crate) static SWITCH_MUTEX: AtomicU64 = AtomicU64::new(0);

/// Starts the thread that leaves; a boot that is under way is called off and leaves by itself.
pub(crate) fn start() {
    HOT.cancel.store(1, SeqCst);
    if step(stage::RECORDING, stage::LEAVING) && !start_thread(thread) {
        HOT.stage.store(stage::RECORDING, SeqCst);
    }
}

extern "C" fn thread(_: *mut c_void) -> *mut c_void {
    take_out();
    core::ptr::null_mut()
}

/// Leaves on the calling thread, if nobody else does so already.
pub(crate) fn leave() {
    if step(stage::RECORDING, stage::LEAVING) {
        take_out();
    }
}

fn take_out() {
    let header = HOT.header();
    HOT.shut();
    for mutex in [&MUTEX, &SWITCH_MUTEX] {
        pass(mutex.load(Relaxed));
    }
    wait_until_out();
    suite::imports::end(&HOT);
    states::wait_until_out();
    suite::gil::priority::leave(&HOT);
    let shared = got::restore(&all_hooks()) + imports::restore();
    chunks::give_back();
    let (address, bytes) = HOT.clear();
    header.shared_entries.store(shared, Relaxed);
    header.status.store(status::DETACHED, Release);
    // Idle first: whoever sees that the mapping is gone may attach again at once.
    HOT.stage.store(stage::IDLE, SeqCst);
    segment::unmap(address, bytes);
}

/// Waits until nobody is inside a hook that counts itself in and out.
pub(crate) fn wait_until_out() {
    while HOT.inside.load(SeqCst) != 0 {
        stand_aside();
    }
}

/// Waits until a mutex was seen free: then all who were under it when this began have gone.
///
/// It is looked at, not locked: an interpreter that is made anew destroys the GIL of the one before,
/// and ends the process if its mutex is locked at that moment ("PyMUTEX_FINI(gil->mutex) failed").
fn pass(mutex: u64) {
    // SAFETY: the address of a glibc mutex that calibration saw the interpreter lock. It lies in the
    // runtime's own memory, which stays mapped, and begins with its lock word (`__lock`, 0 if free).
    while mutex != 0 && unsafe { &*(mutex as *const AtomicU32) }.load(SeqCst) != 0 {
        stand_aside();
    }
}

fn stand_aside() {
    // SAFETY: sched_yield(2) has no arguments. Whoever is under the mutex or inside a hook leaves
    // within microseconds of running: hooks never block.
    unsafe { syscall(number::SCHED_YIELD, [0; 6]) };
}
