//! The GIL of 2.7: a semaphore (`Python/thread_pthread.h`, USE_SEMAPHORES), no mutex around it.
//!
//! A release is `sem_post`, an acquire `sem_wait`. A tail-jump cannot see a contended `sem_wait`
//! return, so the hook tries first: success is an exact uncontended acquire. A contended one is seen
//! by what follows it: `PyEval_RestoreThread`, `PyEval_AcquireThread` and the eval loop put their
//! thread state in place at once (`PyThreadState_Swap`, `Python/ceval.c`), through the GOT where
//! libpython is shared. Where that call cannot be seen (`PyEval_AcquireLock`, a static build), the
//! acquire becomes known at the thread's next release and is dated to the release before it, the
//! earliest moment it can have happened: hold times of such cycles include the wake-up, and their free
//! part reads 0.
//!
//! Whoever is past `sem_wait` and before `sem_post` is alone, so totals have one writer here too;
//! only the begin of a wait is concurrent, and it writes to the thread's own slot alone.

use super::{acquired_at, released_at, tell_of_hold, wait, written};
use crate::hot::{HOT, Hot};
use crate::originals::ORIGINALS;
use crate::slots;
use core::sync::atomic::{
    AtomicU64,
    Ordering::{Relaxed, SeqCst},
};
use wire::slot::{Slot, phase};
use wire::totals::GilTotals;

/// `errno` when the semaphore is taken (`EAGAIN`) is put back to what it was.
fn try_wait(semaphore: u64) -> bool {
    let (try_wait, errno) =
        (ORIGINALS.sem_trywait.load(Relaxed), ORIGINALS.errno_location.load(Relaxed));
    if try_wait.is_null() || errno.is_null() {
        return false;
    }
    // SAFETY: both are libc's functions of these signatures, resolved at boot; `semaphore` is the
    // caller's argument to sem_wait, hence a valid semaphore; sem_trywait never blocks.
    unsafe {
        let try_wait: extern "C" fn(u64) -> i32 = core::mem::transmute(try_wait);
        let errno: extern "C" fn() -> *mut i32 = core::mem::transmute(errno);
        let before = *errno();
        let got_it = try_wait(semaphore) == 0;
        *errno() = before;
        got_it
    }
}

/// `sem_wait` on the GIL is called. 0: it is taken, the caller may return; 1: call the original.
#[inline(never)]
pub extern "C" fn waits(semaphore: u64) -> i32 {
    let hot = &HOT;
    hot.inside.fetch_add(1, SeqCst);
    let result = recorded_wait(semaphore);
    hot.inside.fetch_sub(1, SeqCst);
    result
}

fn recorded_wait(semaphore: u64) -> i32 {
    let hot = &HOT;
    // Looked at again under `inside`: detach waits for `inside` to be 0 after it cleared these.
    if hot.cond.load(SeqCst) != semaphore || hot.segment.load(Relaxed) == 0 {
        return 1;
    }
    if try_wait(semaphore) {
        acquired_at(hot, hot.now(), 1);
        return 0;
    }
    if hot.totals().window_start_ns.load(Relaxed) != 0
        && let Some(slot) = slots::own(hot)
        && slot.phase.load(Relaxed) != phase::WAITING
    {
        wait::begins(hot, slot, hot.now());
    }
    1
}

/// A thread state is put in place: a contended wait of this thread, if there is one, has just ended.
#[inline(never)]
pub extern "C" fn swaps_in() {
    let hot = &HOT;
    hot.inside.fetch_add(1, SeqCst);
    // Looked at under `inside`, as in `recorded_wait`.
    if hot.cond.load(SeqCst) != 0
        && hot.segment.load(Relaxed) != 0
        && hot.totals().window_start_ns.load(Relaxed) != 0
        && let Some(slot) = slots::own(hot)
        && slot.phase.load(Relaxed) != phase::HOLDING
    {
        waited_before_the_window(hot, slot);
        acquired_at(hot, hot.now(), 1);
    }
    hot.inside.fetch_sub(1, SeqCst);
}

/// If this thread began to wait before the window, which nobody saw, its wait begins with the window.
fn waited_before_the_window(hot: &'static Hot, slot: &'static Slot) {
    let unseen = hot.unseen_waiters.load(Relaxed);
    let seen = slot.phase.load(Relaxed) == phase::WAITING || slot.acquires.load(Relaxed) != 0;
    if unseen == 0 || seen {
        return;
    }
    // One writer: whoever is here holds the GIL.
    hot.unseen_waiters.store(unseen - 1, Relaxed);
    let totals = hot.totals();
    let start = totals.window_start_ns.load(Relaxed);
    written(&slot.sequence, || wait::note_begin(slot, totals.holder.load(Relaxed), start, 0));
}

/// More waiters than this are no number that glibc would show.
const WAITERS_MAX: u64 = 0x7fff;

/// Threads that wait on the semaphore: the upper half of its first word (glibc 2.21 and later,
/// `nptl/semaphoreP.h`, 64-bit). 0 if the word says nothing believable.
fn n_waiters(semaphore: u64) -> u64 {
    // SAFETY: the caller posts this semaphore, so it is a valid, aligned sem_t of 32 bytes.
    let n =
        unsafe { (semaphore as *const AtomicU64).as_ref() }.map_or(0, |w| w.load(Relaxed) >> 32);
    if n <= WAITERS_MAX { n } else { 0 }
}

/// The boot thread lets go: the window opens, and with it the waits of all who wait already.
fn opens_with_waiters(hot: &'static Hot, semaphore: u64) {
    let n = n_waiters(semaphore);
    super::released();
    let totals = hot.totals();
    let start = totals.window_start_ns.load(Relaxed);
    if start != 0 {
        hot.unseen_waiters.store(n as u32, Relaxed);
        totals.wait_base_ns.fetch_add(((start.wrapping_neg() << 16) + 1).wrapping_mul(n), Relaxed);
    }
}

/// `sem_post` on the GIL is called: this thread holds it until the original has run.
#[inline(never)]
pub extern "C" fn posts(semaphore: u64) {
    let hot = &HOT;
    hot.inside.fetch_add(1, SeqCst);
    if hot.cond.load(SeqCst) == semaphore && hot.segment.load(Relaxed) != 0 {
        let totals = hot.totals();
        if totals.window_start_ns.load(Relaxed) != 0 {
            late_acquire();
            let now = hot.now();
            let forced = is_tick(hot);
            // A tick release of 2.7 happens whether anybody waits or not: too often for an event each.
            let released = released_at(hot, totals, now, forced);
            hot.released_waited.store(waited(totals, now), Relaxed);
            if let Some((slot, hold_ns)) = released
                && !forced
            {
                tell_of_hold(hot, slot, now, hold_ns, 0);
            }
        } else {
            opens_with_waiters(hot, semaphore);
        }
    }
    hot.inside.fetch_sub(1, SeqCst);
}

/// Bits of the sum in the packed word (see `GilTotals::wait_base_ns`).
const SUM_MASK: u64 = (1 << 48) - 1;

/// A wait begins: one more waiter, its stamp off the sum, in one step.
pub(super) fn wait_begins(totals: &GilTotals, now: u64) {
    totals.wait_base_ns.fetch_add((now.wrapping_neg() << 16).wrapping_add(1), Relaxed);
}

/// A wait that lasted until `now` is over.
pub(super) fn wait_ends(totals: &GilTotals, now: u64) {
    totals.wait_base_ns.fetch_add((now << 16).wrapping_sub(1), Relaxed);
}

/// Time waited so far by all waiters together, modulo 2^48 ns.
pub(super) fn waited(totals: &GilTotals, now: u64) -> u64 {
    let word = totals.wait_base_ns.load(Relaxed);
    (word >> 16).wrapping_add((word & 0xffff).wrapping_mul(now)) & SUM_MASK
}

/// What was waited since the sum was `before`. A wait that begins between the holder's stamp and its
/// look at the sum counts as a little less than nothing; as nothing here.
pub(super) fn waited_since(totals: &GilTotals, now: u64, before: u64) -> u64 {
    let difference = (waited(totals, now).wrapping_sub(before) << 16) as i64 >> 16;
    difference.max(0) as u64
}

/// Whether the eval loop releases because its ticks have run out: it has just set the ticker back
/// (`Python/ceval.c`). About one in a hundred releases around a system call looks the same.
fn is_tick(hot: &Hot) -> bool {
    let (ticker, interval) = (hot.ticker.load(Relaxed), hot.check_interval.load(Relaxed));
    if ticker == 0 || interval == 0 {
        return false;
    }
    // SAFETY: both are exported `int`s of the interpreter.
    unsafe { (ticker as *const i32).read_volatile() == (interval as *const i32).read_volatile() }
}

/// If this thread's contended wait ended unseen, dates its acquire to the last release.
fn late_acquire() {
    let hot = &HOT;
    let Some(slot) = slots::own(hot) else { return };
    if slot.phase.load(Relaxed) != phase::HOLDING {
        let freed = hot.totals().changed_ns.load(Relaxed);
        let waited_then = hot.released_waited.load(Relaxed);
        let waiting_then = slot.wait_start_ns.load(Relaxed) <= freed;
        acquired_at(hot, freed.max(slot.wait_start_ns.load(Relaxed)).min(hot.now()), 1);
        if waiting_then {
            // The hold began at that release: what was waited then, not what the sum says of then now.
            slot.hold_waited_ns.store(waited_then, Relaxed);
        }
    }
}
