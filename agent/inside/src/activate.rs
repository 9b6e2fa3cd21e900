//! The hooks of the GIL: which there are, and putting them in at one moment for all threads.
//!
//! Knows GOT entries and the GIL's mutexes as calibration found them; how the GIL is got is `boot`'s.

use crate::boot::{Failure, is_called_off, refused};
use crate::calibrate::Gil;
use crate::states;
use crate::symbols::call;
use core::sync::atomic::Ordering::{Acquire, Relaxed, SeqCst};
use suite::gil::hooks;
use suite::got::{self, Hook, Module};
use suite::hot::HOT;
use suite::memory::thread_pointer;
use suite::originals::ORIGINALS;
use wire::segment::{Header, Layout, error, status};

/// The hooks of an interpreter with a semaphore (2.7) or with conditions.
pub(crate) fn gil_hooks(semaphore: bool) -> &'static [Hook] {
    static SEMAPHORE: [Hook; 2] = [
        Hook { name: c"sem_post", hook: hooks::sem_post, original: &ORIGINALS.sem_post },
        Hook { name: c"sem_wait", hook: hooks::sem_wait, original: &ORIGINALS.sem_wait },
    ];
    static CONDITIONS: [Hook; 3] = [
        Hook {
            name: c"pthread_cond_signal",
            hook: hooks::cond_signal,
            original: &ORIGINALS.cond_signal,
        },
        Hook {
            name: c"pthread_cond_timedwait",
            hook: hooks::cond_timedwait,
            original: &ORIGINALS.cond_timedwait,
        },
        Hook { name: c"pthread_cond_wait", hook: hooks::cond_wait, original: &ORIGINALS.cond_wait },
    ];
    if semaphore { &SEMAPHORE } else { &CONDITIONS }
}

/// The hook of 2.7 that tells when a contended wait ended. Not every build has a place for it.
pub(crate) static SWAP: Hook = Hook {
    name: c"PyThreadState_Swap",
    hook: hooks::thread_state_swap,
    original: &ORIGINALS.thread_state_swap,
};

/// Swaps the entries while nobody can be between the two halves of an acquire or release.
///
/// On 3.x that is the GIL's mutex, which every hook runs under; then the mutex of the forced switch
/// is passed once. On 2.7 holding the GIL keeps everybody else from posting.
pub(crate) fn activate(
    header: &'static Header,
    layout: &Layout,
    module: &Module,
    gil: &Gil,
    semaphore: bool,
) -> Result<(), Failure> {
    if !semaphore {
        lock(gil.mutex);
    }
    let result = match is_called_off(header) {
        true => Err((status::DETACHED, error::NONE)),
        false => swap(header, layout, module, gil, semaphore),
    };
    if !semaphore {
        unlock(gil.mutex);
        if gil.switch_mutex != 0 {
            lock(gil.switch_mutex);
            unlock(gil.switch_mutex);
        }
    }
    result
}

fn swap(
    header: &'static Header,
    layout: &Layout,
    module: &Module,
    gil: &Gil,
    semaphore: bool,
) -> Result<(), Failure> {
    HOT.adopt(core::ptr::from_ref(header) as usize, layout, header);
    HOT.boot_thread.store(thread_pointer(), Relaxed);
    HOT.semaphore.store(semaphore as u32, Relaxed);
    HOT.switch_cond.store(gil.switch_cond, Relaxed);
    HOT.cond.store(gil.cond, SeqCst);
    let mut result = Ok(());
    let own = (semaphore && !SWAP.original.load(Acquire).is_null()).then_some(&SWAP);
    for hook in gil_hooks(semaphore).iter().chain(own) {
        match got::place(module, hook) {
            Ok(n) => drop(header.patched.fetch_add(n, Relaxed)),
            Err(why) => result = Err(refused(why)),
        }
    }
    if result.is_err() {
        HOT.clear();
        got::restore(&all_hooks());
    }
    result
}

/// Every hook that may stand in a GOT.
pub(crate) fn all_hooks() -> [extern "C" fn(); 10] {
    let [mmap, munmap, dlsym, new_state] = states::own_hooks();
    [
        mmap,
        munmap,
        dlsym,
        new_state,
        hooks::sem_post,
        hooks::sem_wait,
        hooks::thread_state_swap,
        hooks::cond_signal,
        hooks::cond_timedwait,
        hooks::cond_wait,
    ]
}

/// The caller holds it briefly and releases it on the same thread.
fn lock(mutex: u64) {
    call(&ORIGINALS.mutex_lock, [mutex, 0, 0]);
}

fn unlock(mutex: u64) {
    call(&ORIGINALS.mutex_unlock, [mutex, 0, 0]);
}

/// Whether this interpreter's GIL is a semaphore: then it waits on no condition (2.7).
pub(crate) fn has_semaphore(module: &Module) -> bool {
    let mut conditions = false;
    module.entries(c"pthread_cond_timedwait", |_| conditions = true);
    !conditions
}
