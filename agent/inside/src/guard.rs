//! Taking the GIL on the boot thread while the interpreter may be finalised, and made anew.
//!
//! CPython expects of a foreign thread that it stays away then. One that sleeps in `take_gil` through
//! `Py_FinalizeEx` and the next `Py_Initialize` takes the new GIL with a thread state that was freed
//! ("PyGILState_Release: … no thread-state for this thread"), or keeps a condition in use that is being
//! destroyed: either ends the process. So the boot thread waits outside: each turn gives the GIL's mutex
//! back, sleeps for a moment, and looks whether the interpreter is still there before it touches
//! anything of it again. If it is not, the thread leaves CPython's frames behind and goes home.
//! Every other thread passes straight through.

use crate::activate::{gil_hooks, has_semaphore};
use crate::symbols::{Api, Hooked, call};
use core::arch::naked_asm;
use core::ffi::{c_int, c_void};
use core::mem::offset_of;
use core::sync::atomic::{
    AtomicPtr, AtomicU32, AtomicU64,
    Ordering::{Acquire, Relaxed, SeqCst},
};
use suite::got::{self, Hook, Module};
use suite::hot::{HOT, Hot};
use suite::memory::{sleep, thread_pointer};
use suite::originals::{ORIGINALS, Originals};

/// How long the thread stays away in one turn. Finalising takes milliseconds.
const TURN_NS: u64 = 50_000;
/// Turns that are reported as one time-out of the switch interval (5 ms), so that CPython asks the
/// holder to let go as often as it does for any waiter.
const TURNS_PER_INTERVAL: u32 = 100;
/// After so many turns others must be taking the GIL from each other faster than this thread can look:
/// it queues up with them. A program that has so many threads at work is not being finalised.
const TURNS_MAX: u32 = 400;
const ETIMEDOUT: c_int = 110;

#[repr(C)]
struct Guard {
    /// Where its stack stood in [`enter`].
    stack: AtomicU64,
    turns: AtomicU32,
    api: AtomicPtr<Api>,
}

static GUARD: Guard = Guard {
    stack: AtomicU64::new(0),
    turns: AtomicU32::new(0),
    api: AtomicPtr::new(core::ptr::null_mut()),
};

/// A hook that leads the boot thread to `$ours` and everybody else to the original.
macro_rules! guarding {
    ($name:ident, $original:ident, $ours:path) => {
        #[unsafe(naked)]
        extern "C" fn $name() {
            naked_asm!(
                "mov rax, fs:[0]",
                "cmp rax, [rip + {hot} + {guarded}]",
                "je {ours}",
                "jmp [rip + {originals} + {original}]",
                hot = sym HOT,
                guarded = const offset_of!(Hot, guarded),
                ours = sym $ours,
                originals = sym ORIGINALS,
                original = const offset_of!(Originals, $original),
            )
        }
    };
}
guarding!(cond_timedwait, cond_timedwait, turn);
guarding!(sem_wait, sem_wait, semaphore_turn);
guarding!(pthread_exit, pthread_exit, escape);
guarding!(pause, pause, escape);

const CONDITION: Hook = Hook {
    name: c"pthread_cond_timedwait",
    hook: cond_timedwait,
    original: &ORIGINALS.cond_timedwait,
};
const SEMAPHORE: Hook = Hook { name: c"sem_wait", hook: sem_wait, original: &ORIGINALS.sem_wait };
/// What CPython does with a thread that comes too late: 3.13 and before end it, later ones let it hang.
const ENDS: [Hook; 2] = [
    Hook { name: c"pthread_exit", hook: pthread_exit, original: &ORIGINALS.pthread_exit },
    Hook { name: c"pause", hook: pause, original: &ORIGINALS.pause },
];

/// Runs `work`, in which the calling thread may wait for the GIL. False if the interpreter went away
/// meanwhile: then `work` was left where it waited, without the GIL and without any lock.
///
/// `work` must own nothing that has to be dropped. Without a place for the hooks it runs unguarded.
pub(crate) fn run(
    api: &Api,
    module: &Module,
    hooked: &Hooked,
    work: extern "C" fn(*mut c_void),
    argument: *mut c_void,
) -> bool {
    // Only what the GIL is made of: conditions are nothing but the GIL's, while semaphores are CPython's
    // locks from 3.2 on, and one that this thread holds must not be left behind.
    let semaphore = has_semaphore(module);
    let wait = if semaphore { SEMAPHORE } else { CONDITION };
    for hook in gil_hooks(semaphore) {
        // A function that is not found is refused by the calibration, which needs all of them.
        let _ = got::prepare(module, hook, hooked.of(hook.name));
    }
    for hook in [wait].iter().chain(&ENDS) {
        if got::prepare(module, hook, hooked.of(hook.name)).is_ok() {
            let _ = got::place(module, hook);
        }
    }
    GUARD.turns.store(0, Relaxed);
    GUARD.api.store(core::ptr::from_ref(api).cast_mut(), Relaxed);
    HOT.guarded.store(thread_pointer(), SeqCst);
    let came_back = enter(work, argument) != 0;
    HOT.guarded.store(0, SeqCst);
    got::restore(&[cond_timedwait, sem_wait, pthread_exit, pause]);
    came_back
}

/// Calls `work(argument)` and returns 1, or 0 if it was left by [`escape`].
#[unsafe(naked)]
extern "C" fn enter(work: extern "C" fn(*mut c_void), argument: *mut c_void) -> u64 {
    naked_asm!(
        "push rbx",
        "push rbp",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "sub rsp, 8",
        "mov [rip + {guard} + {stack}], rsp",
        "mov rax, rdi",
        "mov rdi, rsi",
        "call rax",
        "mov eax, 1",
        "jmp {home}",
        guard = sym GUARD,
        stack = const offset_of!(Guard, stack),
        home = sym home,
    )
}

/// Returns from [`enter`] with 0, wherever the boot thread is below it.
#[unsafe(naked)]
extern "C" fn escape() {
    naked_asm!(
        "mov rsp, [rip + {guard} + {stack}]",
        "xor eax, eax",
        "jmp {home}",
        guard = sym GUARD,
        stack = const offset_of!(Guard, stack),
        home = sym home,
    )
}

/// The end of [`enter`]: what it pushed goes back.
#[unsafe(naked)]
extern "C" fn home() {
    naked_asm!(
        "add rsp, 8",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbp",
        "pop rbx",
        "ret",
    )
}

fn api() -> Option<&'static Api> {
    // SAFETY: `run` stored a reference that outlives `enter`, and only the thread in there comes here.
    unsafe { GUARD.api.load(Relaxed).as_ref() }
}

/// The interpreter's own word on whether it is alive.
fn is_alive() -> bool {
    api().is_some_and(|api| !api.is_finalizing() && api.is_initialized())
}

/// This thread's state, 0 if it has none: the key of thread states is made anew with the interpreter,
/// and this thread has no value under the new one. Not for 2.7, which takes locks to tell.
fn state() -> u64 {
    api().and_then(|api| api.this_thread_state).map_or(0, |ask| ask())
}

/// Stands for `pthread_cond_timedwait(cond, mutex, deadline)` on the boot thread.
extern "C" fn turn(cond: u64, mutex: u64, deadline: u64) -> c_int {
    // The state was made before the wait began, so no state means another interpreter.
    let is_still_there = || is_alive() && state() != 0;
    let turns = GUARD.turns.fetch_add(1, Relaxed) + 1;
    if turns > TURNS_MAX {
        let result = call(&ORIGINALS.cond_timedwait, [cond, mutex, deadline]);
        if !is_still_there() {
            call(&ORIGINALS.mutex_unlock, [mutex, 0, 0]);
            escape();
        }
        return result;
    }
    call(&ORIGINALS.mutex_unlock, [mutex, 0, 0]);
    sleep(TURN_NS);
    if !is_still_there() {
        escape();
    }
    call(&ORIGINALS.mutex_lock, [mutex, 0, 0]);
    if turns.is_multiple_of(TURNS_PER_INTERVAL) { ETIMEDOUT } else { 0 }
}

/// Stands for `sem_wait(semaphore)` on the boot thread (2.7). The semaphore of a GIL outlives its
/// interpreter there, so it may be slept on; what was got too late is given back.
pub(crate) extern "C" fn semaphore_turn(semaphore: u64) -> c_int {
    let result = call(&ORIGINALS.sem_wait, [semaphore, 0, 0]);
    let may_give_back = !ORIGINALS.sem_post.load(Acquire).is_null();
    if result == 0 && may_give_back && !is_alive() {
        call(&ORIGINALS.sem_post, [semaphore, 0, 0]);
        escape();
    }
    result
}
