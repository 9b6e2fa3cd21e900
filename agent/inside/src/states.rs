//! Putting the thread state probe in, and out again. It stands on the GIL probe: without that it is not
//! begun, and it ends first.
//!
//! Knows which of its hooks stand in the interpreter's own GOT; what the others stand in is
//! `suite::tstate::imports`'s affair.

use crate::symbols::{self, Api, Hooked};
use core::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, SeqCst},
};
use suite::got::{self, Hook, Module};
use suite::hot::{HOT, monotonic_ns};
use suite::memory::sleep;
use suite::originals::ORIGINALS;
use suite::tstate::{self, hooks, imports, seats};
use wire::plan::probe;
use wire::segment::Header;
use wire::tstate::status;

/// Hooks in the interpreter's own GOT. Where there is no place for one, what it sees is unknown.
static OWN: [Hook; 4] = [
    Hook { name: c"mmap", hook: hooks::mmap, original: &ORIGINALS.mmap },
    // What `mmap` is called with 64-bit offsets, which CPython asks for.
    Hook { name: c"mmap64", hook: hooks::mmap, original: &ORIGINALS.mmap },
    Hook { name: c"munmap", hook: hooks::munmap, original: &ORIGINALS.munmap },
    Hook { name: c"dlsym", hook: hooks::dlsym, original: &ORIGINALS.dlsym },
];

/// 2.7: the interpreter's own making of a state tells that Ensure found none.
static NEW: Hook = Hook {
    name: c"PyThreadState_New",
    hook: hooks::new_state_inside,
    original: &ORIGINALS.new_state_inside,
};

/// Whether the probe is to record.
pub(crate) fn is_wanted(header: &Header) -> bool {
    header.plan.probes & probe::TSTATE != 0
}

/// `PyObjectArenaAllocator` (CPython `Include/cpython/objimpl.h`): context, alloc, free.
type ArenaAllocator = [u64; 3];
/// `void PyObject_GetArenaAllocator(PyObjectArenaAllocator *)` (3.4 and later), 0 before [`resolve`].
static ARENA_ALLOCATOR: AtomicU64 = AtomicU64::new(0);

/// Looks up what the hooks go on to. Before the loader's list is walked, and without a lock.
pub(crate) fn resolve() {
    imports::resolve(symbols::find);
    ARENA_ALLOCATOR.store(symbols::find(c"PyObject_GetArenaAllocator"), Relaxed);
}

/// The function that arenas come from; 0 if the interpreter does not tell.
fn arena_alloc() -> u64 {
    let ask = ARENA_ALLOCATOR.load(Relaxed);
    if ask == 0 {
        return 0;
    }
    let mut allocator: ArenaAllocator = [0; 3];
    // SAFETY: the function of that name in CPython's C API; it copies three words of a static
    // structure to where it is told, and takes no lock.
    unsafe {
        core::mem::transmute::<u64, extern "C" fn(*mut ArenaAllocator)>(ask)(&mut allocator);
    }
    allocator[1]
}

/// Learns the originals of the hooks in the interpreter's own GOT. Before any lock of it is taken.
pub(crate) fn prepare(module: &Module, hooked: &Hooked, semaphore: bool) {
    for hook in &OWN {
        // Without a place for it, or with a stranger's: `begin` leaves it out.
        let _ = got::prepare(module, hook, hooked.of(hook.name));
    }
    if semaphore {
        let _ = got::prepare_own(module, &NEW, hooked.of(NEW.name));
    }
}

/// Places a hook whose original is known.
fn place(module: &Module, hook: &Hook) -> bool {
    !hook.original.load(Acquire).is_null() && got::place(module, hook).is_ok_and(|n| n != 0)
}

/// Pairs that are timed at most, and for how long.
const PAIRS: u32 = 32;
const PAIRS_NS: u64 = 1_000_000;

/// What Ensure and Release take on this thread, which has a state, with the GIL free: the least of some
/// tries, ns; 0 if the clock was not found. With the GIL, before the GIL's hooks are in place.
pub(crate) fn kept_pair_ns(api: &Api) -> u64 {
    let begun = monotonic_ns();
    if begun == 0 {
        return 0;
    }
    let state = (api.save_thread)();
    let (mut pair, mut clock) = (u64::MAX, u64::MAX);
    for _ in 0..PAIRS {
        let before = monotonic_ns();
        let between = monotonic_ns();
        (api.release)((api.ensure)());
        let after = monotonic_ns();
        clock = clock.min(between - before);
        pair = pair.min(after - between);
        // Others want the GIL: what is measured then is waiting, and they have waited enough.
        if after - begun > PAIRS_NS {
            break;
        }
    }
    (api.restore_thread)(state);
    pair.saturating_sub(clock)
}

/// Begins to record. With the GIL, or before anybody has it; the GIL probe's hooks are in place. Nothing
/// is looked up here: at a preload the GIL's mutex is held.
pub(crate) fn begin(api: &Api, module: &Module, semaphore: bool, kept_pair_ns: u64) {
    let ask = api.this_thread_state.filter(|_| !semaphore);
    HOT.this_thread_state.store(ask.map_or(0, |ask| ask as usize), Relaxed);
    HOT.arena_alloc.store(arena_alloc(), Relaxed);
    for hook in &OWN {
        place(module, hook);
    }
    let tells_fresh = !semaphore || place(module, &NEW);
    let told = if tells_fresh { status::RECORDING } else { status::NO_FRESH };
    if HOT.seats_are_ours.swap(1, SeqCst) == 0 {
        seats::clear();
    }
    imports::begin(module);
    let totals = tstate::begin(&HOT);
    imports::patch(totals);
    totals.kept_pair_ns.store(kept_pair_ns, Relaxed);
    totals.status.store(told, Relaxed);
    HOT.states.store(1, SeqCst);
}

/// After the hooks were made to pass through: waits until nobody is inside one.
pub(crate) fn wait_until_out() {
    const NS: u64 = 1_000_000;
    if HOT.seats_are_ours.load(SeqCst) == 0 {
        return; // this process never had such a hook
    }
    sleep(NS);
    while !seats::are_empty() {
        sleep(NS);
    }
}

/// Hooks of this probe that stand in the interpreter's own GOT.
pub(crate) fn own_hooks() -> [extern "C" fn(); 4] {
    [hooks::mmap, hooks::munmap, hooks::dlsym, hooks::new_state_inside]
}
