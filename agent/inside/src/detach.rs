//! Leaving: the hooks go out, then the segment; the text stays.
//!
//! A thread of our own takes the GIL's mutex, under which every hook of 3.x runs: while we hold it
//! nobody is inside one, and whoever comes later finds no `cond` that matches. The forced switch's
//! mutex is passed likewise. 2.7 has no mutex; its hooks count themselves in and out.

use crate::boot::{all_hooks, lock, start_thread, unlock};
use crate::entry::{stage, step};
use crate::segment;
use core::ffi::c_void;
use core::sync::atomic::{
    AtomicU64,
    Ordering::{Relaxed, Release, SeqCst},
};
use suite::got;
use suite::hot::HOT;
use suite::memory::{number, syscall};
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
    let (mutex, switch_mutex) = (MUTEX.load(Relaxed), SWITCH_MUTEX.load(Relaxed));
    if mutex != 0 {
        lock(mutex);
    }
    suite::gil::priority::leave(&HOT);
    let shared = got::restore(&all_hooks());
    let (address, bytes) = HOT.clear();
    if mutex != 0 {
        unlock(mutex);
    }
    if switch_mutex != 0 {
        lock(switch_mutex);
        unlock(switch_mutex);
    }
    while HOT.inside.load(SeqCst) != 0 {
        // SAFETY: sched_yield(2) has no arguments. Whoever is inside leaves within microseconds of
        // running: hooks never block.
        unsafe { syscall(number::SCHED_YIELD, [0; 6]) };
    }
    header.shared_entries.store(shared, Relaxed);
    header.status.store(status::DETACHED, Release);
    segment::unmap(address, bytes);
    HOT.stage.store(stage::IDLE, SeqCst);
}
