//! Finding the GIL without symbols or offsets: watch what one release and one acquire touch.
//!
//! On the boot thread, which holds the GIL: `PyEval_SaveThread` locks the GIL's mutex and signals
//! `cond`; `PyEval_RestoreThread` locks both mutexes and signals `switch_cond` (CPython
//! `Python/ceval_gil.c`, 3.2 and later). 2.7 posts and waits on one semaphore. While this lasts, the
//! entries of those functions lead here; other threads pass through.

use crate::guard;
use crate::symbols::{Api, Hooked};
use core::arch::naked_asm;
use core::mem::offset_of;
use core::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{Relaxed, SeqCst},
};
use suite::got::{self, Hook, Module};
use suite::hot::{HOT, Hot};
use suite::memory::thread_pointer;
use suite::originals::{ORIGINALS, Originals};

/// Calls that are remembered; contention adds a few to the usual eight.
const MAX_CALLS: usize = 64;

#[repr(C)]
struct Seen {
    n: AtomicU32,
    calls: [AtomicU64; MAX_CALLS],
}

static SEEN: Seen = Seen { n: AtomicU32::new(0), calls: [const { AtomicU64::new(0) }; MAX_CALLS] };

/// Kinds of calls, kept in the two lowest bits of an address (all are aligned to 8).
const LOCK: u64 = 0;
const SIGNAL: u64 = 1;
const POST: u64 = 2;
const WAIT: u64 = 3;

extern "C" fn note(call: u64) {
    let n = SEEN.n.load(Relaxed) as usize;
    if let Some(entry) = SEEN.calls.get(n) {
        entry.store(call, Relaxed);
        SEEN.n.store(n as u32 + 1, Relaxed);
    }
}

/// A hook that notes the call if the boot thread makes it, and goes on to the original, or on that thread
/// to `$ours`.
macro_rules! noting {
    ($name:ident, $original:ident, $kind:ident $(, $jump:literal, $ours:path)?) => {
        #[unsafe(naked)]
        extern "C" fn $name() {
            naked_asm!(
                "mov rax, fs:[0]",
                "cmp rax, [rip + {hot} + {calibrating}]",
                "jne 2f",
                "push rdi",
                "or rdi, {kind}",
                "call {note}",
                "pop rdi",
                $($jump,)?
                "2:",
                "jmp [rip + {originals} + {original}]",
                hot = sym HOT,
                calibrating = const offset_of!(Hot, calibrating),
                kind = const $kind,
                note = sym note,
                $(ours = sym $ours,)?
                originals = sym ORIGINALS,
                original = const offset_of!(Originals, $original),
            )
        }
    };
}
noting!(note_lock, mutex_lock, LOCK);
noting!(note_signal, cond_signal, SIGNAL);
noting!(note_post, sem_post, POST);
noting!(note_wait, sem_wait, WAIT, "jmp {ours}", guard::semaphore_turn);

/// The parts of a GIL that were found.
#[derive(Clone, Copy, Default)]
pub(crate) struct Gil {
    /// `cond`; 2.7: the semaphore.
    pub(crate) cond: u64,
    /// 0 on 2.7.
    pub(crate) switch_cond: u64,
    pub(crate) mutex: u64,
    pub(crate) switch_mutex: u64,
    /// The thread state that held the GIL meanwhile.
    pub(crate) thread_state: u64,
}

/// Hooks that calibration places for its own time.
pub(crate) fn hooks(semaphore: bool) -> [Hook; 2] {
    if semaphore {
        [
            Hook { name: c"sem_post", hook: note_post, original: &ORIGINALS.sem_post },
            Hook { name: c"sem_wait", hook: note_wait, original: &ORIGINALS.sem_wait },
        ]
    } else {
        [
            Hook { name: c"pthread_mutex_lock", hook: note_lock, original: &ORIGINALS.mutex_lock },
            Hook {
                name: c"pthread_cond_signal",
                hook: note_signal,
                original: &ORIGINALS.cond_signal,
            },
        ]
    }
}

/// Releases and takes the GIL once and tells what it is made of. The caller holds the GIL.
///
/// The entries go on leading here afterwards, until [`end`] or until other hooks replace them.
pub(crate) fn calibrate(
    api: &Api,
    module: &Module,
    hooked: &Hooked,
    semaphore: bool,
) -> Result<Gil, got::Refused> {
    for hook in &hooks(semaphore) {
        got::prepare(module, hook, hooked.of(hook.name))?;
    }
    SEEN.n.store(0, Relaxed);
    for hook in &hooks(semaphore) {
        got::place(module, hook)?;
    }
    HOT.calibrating.store(thread_pointer(), SeqCst);
    let thread_state = (api.save_thread)();
    let between = SEEN.n.load(Relaxed) as usize;
    (api.restore_thread)(thread_state);
    HOT.calibrating.store(0, SeqCst);
    let n = (SEEN.n.load(Relaxed) as usize).min(MAX_CALLS);
    Ok(Gil { thread_state, ..read(between.min(n), n, semaphore) })
}

/// What the calls `0..between` (release) and `between..n` (acquire) say. Zeros where they are silent.
fn read(between: usize, n: usize, semaphore: bool) -> Gil {
    let calls = |range: core::ops::Range<usize>| {
        SEEN.calls.get(range).unwrap_or_default().iter().map(|call| call.load(Relaxed))
    };
    let of = |kind: u64| move |call: &u64| call & 3 == kind;
    let address = |call: Option<u64>| call.unwrap_or(0) & !3;
    if semaphore {
        let posted = address(calls(0..between).find(of(POST)));
        let waited = address(calls(between..n).find(of(WAIT)));
        return Gil { cond: if posted == waited { posted } else { 0 }, ..Gil::default() };
    }
    let mutex = address(calls(0..between).find(of(LOCK)));
    Gil {
        cond: address(calls(0..between).find(of(SIGNAL))),
        // The last signal of the acquire: should the GIL be handed on in between, others come first.
        switch_cond: address(calls(between..n).filter(of(SIGNAL)).last()),
        mutex,
        switch_mutex: address(
            calls(between..n).find(|call| call & 3 == LOCK && call & !3 != mutex),
        ),
        thread_state: 0,
    }
}

/// Gives the entries back that still lead here.
pub(crate) fn end() {
    HOT.calibrating.store(0, SeqCst);
    got::restore(&[note_lock, note_signal, note_post, note_wait]);
}
