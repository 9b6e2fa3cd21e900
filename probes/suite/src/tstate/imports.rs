//! The imports of every loaded object that lead to `PyGILState_Ensure` and its kin: found, and led to the
//! hooks; found again when modules are loaded later; given back.
//!
//! All in one walk of the loader's list, in which nothing is resolved and objects cannot go away. An
//! object that the program unloads takes its patched imports with it: they are given back only where
//! the object that holds them is the one that was patched.

use super::hooks;
use crate::got::{self, Module};
use crate::memory::scattered;
use crate::object::{self, Object};
use crate::originals::ORIGINALS;
use core::ffi::CStr;
use core::sync::atomic::{
    AtomicPtr, AtomicU32, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use wire::tstate::StateTotals;

/// A function that extensions import.
struct Import {
    name: &'static CStr,
    hook: extern "C" fn(),
    original: &'static AtomicPtr<()>,
    /// Whether the interpreter's own calls count too; its threads are made with the others.
    own: bool,
}

static IMPORTS: [Import; 7] = [
    Import {
        name: c"PyGILState_Ensure",
        hook: hooks::ensure,
        original: &ORIGINALS.ensure,
        own: true,
    },
    Import {
        name: c"PyGILState_Release",
        hook: hooks::release,
        original: &ORIGINALS.release,
        own: true,
    },
    Import {
        name: c"PyThreadState_New",
        hook: hooks::new_state,
        original: &ORIGINALS.new_state,
        own: false,
    },
    Import {
        name: c"PyThreadState_Clear",
        hook: hooks::clear_state,
        original: &ORIGINALS.clear_state,
        own: false,
    },
    Import {
        name: c"PyThreadState_Delete",
        hook: hooks::delete_state,
        original: &ORIGINALS.delete_state,
        own: false,
    },
    Import {
        name: c"PyThreadState_DeleteCurrent",
        hook: hooks::delete_current,
        original: &ORIGINALS.delete_current,
        own: false,
    },
    Import {
        name: c"PyEval_AcquireThread",
        hook: hooks::acquire_thread,
        original: &ORIGINALS.acquire_thread,
        own: false,
    },
];

/// Learns the functions themselves, as the loader finds them. Before any walk, without the GIL.
pub fn resolve(find: impl Fn(&CStr) -> u64) {
    for import in &IMPORTS {
        let found = find(import.name);
        // A hook goes on to what it went on to before: somebody may be on the way.
        if import.original.load(Acquire).is_null() {
            import.original.store(found as *mut (), Release);
        }
    }
}

struct Patch {
    entry: AtomicU64,
    original: AtomicU64,
    hook: AtomicU64,
    /// PT_DYNAMIC of its object.
    dynamic: AtomicU64,
    read_only: AtomicU32,
}

/// Imports that can be patched: some five an object.
const MAX_PATCHES: usize = 4096;
static PATCHES: [Patch; MAX_PATCHES] = [const {
    Patch {
        entry: AtomicU64::new(0),
        original: AtomicU64::new(0),
        hook: AtomicU64::new(0),
        dynamic: AtomicU64::new(0),
        read_only: AtomicU32::new(0),
    }
}; MAX_PATCHES];
static N_PATCHES: AtomicU32 = AtomicU32::new(0);

/// Objects that were looked through, by PT_DYNAMIC; a power of two.
const MAX_OBJECTS: usize = 4096;
static SEEN: [AtomicU64; MAX_OBJECTS] = [const { AtomicU64::new(0) }; MAX_OBJECTS];
/// 1 while somebody patches: whoever comes then leaves it to the next.
static PATCHING: AtomicU32 = AtomicU32::new(0);
/// PT_DYNAMIC of the interpreter, and of this library.
static INTERPRETER: AtomicU64 = AtomicU64::new(0);
static OURSELVES: AtomicU64 = AtomicU64::new(0);

/// Begins anew with this interpreter. With the GIL, and no hook of this probe in place.
pub fn begin(interpreter: &Module) {
    INTERPRETER.store(interpreter.dynamic, Relaxed);
    let ourselves = object::module_of(begin as *const () as u64);
    OURSELVES.store(ourselves.map_or(0, |module| module.dynamic), Relaxed);
    SEEN.iter().for_each(|word| word.store(0, Relaxed));
    // Still taken in a process that was forked, by C code without the GIL, in the middle of a walk.
    PATCHING.store(0, Relaxed);
}

/// Leads the imports of all objects that were not looked through yet to the hooks. With the GIL, so that
/// Python does not fork in the middle of the walk.
pub fn patch(totals: &StateTotals) {
    if PATCHING.swap(1, Acquire) != 0 {
        return;
    }
    object::each_object(&mut |object| {
        let dynamic = object.module.dynamic;
        if dynamic != 0 && dynamic != OURSELVES.load(Relaxed) && is_new(dynamic) {
            patch_object(object, totals);
        }
    });
    PATCHING.store(0, Release);
}

/// True the first time that an object is seen. If there are too many they are looked through each time,
/// which changes nothing.
fn is_new(dynamic: u64) -> bool {
    let start = (scattered(dynamic) >> 40) as usize;
    for step in 0..MAX_OBJECTS {
        let Some(word) = SEEN.get((start + step) & (MAX_OBJECTS - 1)) else { return true };
        match word.load(Relaxed) {
            0 => {
                word.store(dynamic, Relaxed);
                return true;
            }
            seen if seen == dynamic => return false,
            _ => {}
        }
    }
    true
}

fn patch_object(object: &Object, totals: &StateTotals) {
    let is_interpreter = object.module.dynamic == INTERPRETER.load(Relaxed);
    let mut n = 0;
    object.module.imports(|name, entry| {
        let import = IMPORTS.iter().find(|import| import.name == name);
        let Some(import) = import.filter(|import| import.own || !is_interpreter) else { return };
        let (value, ours) = (entry.load(Acquire), import.hook as usize as u64);
        if value == ours {
            return;
        }
        let original = import.original.load(Acquire) as u64;
        // Bound to the function, or not bound yet: then it leads back into its own object.
        let leads_there = value == original || object.holds(value);
        if original != 0 && leads_there && place(object, entry, value, ours) {
            n += 1;
        } else {
            totals.imports_left.fetch_add(1, Relaxed);
        }
    });
    totals.imports.fetch_add(n, Relaxed);
    totals.objects.fetch_add(u32::from(n != 0), Relaxed);
}

fn place(object: &Object, entry: &'static AtomicU64, value: u64, hook: u64) -> bool {
    let number = N_PATCHES.load(Relaxed);
    let Some(patch) = PATCHES.get(number as usize) else { return false };
    let address = core::ptr::from_ref(entry) as u64;
    let read_only = object.module.is_read_only(address);
    patch.entry.store(address, Relaxed);
    patch.original.store(value, Relaxed);
    patch.hook.store(hook, Relaxed);
    patch.dynamic.store(object.module.dynamic, Relaxed);
    patch.read_only.store(u32::from(read_only), Relaxed);
    let placed = got::write(entry, value, hook, read_only);
    if placed {
        N_PATCHES.store(number + 1, Release);
    }
    placed
}

/// Gives back every import that still leads to a hook; returns how many somebody else had changed.
///
/// What somebody else has put in front of a hook goes on to the original through it.
pub fn restore() -> u32 {
    let mut shared = 0;
    for patch in PATCHES.iter().take(N_PATCHES.swap(0, Acquire) as usize) {
        let address = patch.entry.load(Relaxed);
        // Without the loader's lock: this runs on a thread that does not hold the GIL.
        let holder = object::module_without_lock(address);
        if holder.is_none_or(|holder| holder.dynamic != patch.dynamic.load(Relaxed)) {
            continue; // unloaded
        }
        // SAFETY: the object that holds the entry is loaded, as was just found out; CPython never unloads
        // an extension.
        let entry = unsafe { &*(address as *const AtomicU64) };
        let (ours, original) = (patch.hook.load(Relaxed), patch.original.load(Relaxed));
        if !got::write(entry, ours, original, patch.read_only.load(Relaxed) != 0) {
            shared += 1;
        }
    }
    shared
}
