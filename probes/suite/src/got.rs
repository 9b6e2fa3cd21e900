//! The global offset table of the interpreter's module: finding entries, swapping them, giving them back.
//!
//! Format: System V gABI, x86-64 psABI; `R_X86_64_JUMP_SLOT` (lazy calls) and `R_X86_64_GLOB_DAT`
//! (`-fno-plt`). An entry is swapped by one aligned compare-and-swap; RELRO pages are made writable
//! only meanwhile. Restoring leaves alone what somebody else has changed since.
//!
//! Nothing is resolved while the loader's lists are being walked: `dlvsym` inside a
//! `dl_iterate_phdr` callback deadlocks with an import (agent.md section 7).

use crate::hot::PAGE;
use crate::memory::{number, syscall};
use crate::object::module_of;
use core::ffi::{CStr, c_char};
use core::sync::atomic::{
    AtomicPtr, AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};

/// A loaded object, as far as its GOT is concerned.
#[derive(Clone, Copy, Default)]
pub struct Module {
    /// What its addresses are relative to.
    pub base: u64,
    pub(crate) dynamic: u64,
    pub(crate) relro: (u64, u64),
}

#[repr(C)]
struct Rela {
    offset: u64,
    info: u64,
    addend: i64,
}

#[repr(C)]
struct Symbol {
    name: u32,
    info: u8,
    other: u8,
    section: u16,
    value: u64,
    size: u64,
}

/// What PT_DYNAMIC says, as addresses.
#[derive(Default)]
struct Dynamic {
    symbols: u64,
    strings: u64,
    plt: (u64, u64),
    rela: (u64, u64),
}

/// Entries of PT_DYNAMIC, and relocations, looked at before giving up.
const MAX_DYNAMIC: usize = 256;

impl Module {
    fn read_dynamic(&self) -> Dynamic {
        let mut dynamic = Dynamic::default();
        // glibc relocates d_ptr in place, other loaders do not: an offset is smaller than the base.
        let address = |value: u64| if value < self.base { self.base + value } else { value };
        for i in 0..MAX_DYNAMIC {
            // SAFETY: PT_DYNAMIC is an array of (tag, value) that ends with tag 0.
            let [tag, value] = unsafe { (self.dynamic as *const [u64; 2]).add(i).read() };
            match tag {
                0 => break,
                2 => dynamic.plt.1 = value,
                5 => dynamic.strings = address(value),
                6 => dynamic.symbols = address(value),
                7 => dynamic.rela.0 = address(value),
                8 => dynamic.rela.1 = value,
                23 => dynamic.plt.0 = address(value),
                _ => {}
            }
        }
        dynamic
    }

    /// Calls `each` with every GOT entry of this module for the function `name`.
    pub fn entries(&self, name: &CStr, mut each: impl FnMut(&'static AtomicU64)) {
        self.imports(|found, entry| {
            if found == name {
                each(entry);
            }
        });
    }

    /// Calls `each` with the name and the GOT entry of everything that this module imports.
    pub(crate) fn imports(&self, mut each: impl FnMut(&CStr, &'static AtomicU64)) {
        const JUMP_SLOT: u32 = 7;
        const GLOB_DAT: u32 = 6;
        let dynamic = self.read_dynamic();
        for (start, bytes) in [dynamic.plt, dynamic.rela] {
            for i in 0..bytes as usize / size_of::<Rela>() {
                // SAFETY: the tables have the lengths that PT_DYNAMIC tells, and stay mapped.
                let rela = unsafe { &*(start as *const Rela).add(i) };
                let kind = rela.info as u32;
                let symbol = (rela.info >> 32) as usize;
                if (kind != JUMP_SLOT && kind != GLOB_DAT) || symbol == 0 {
                    continue;
                }
                // SAFETY: relocations name symbols of this module's own table, whose names stand in
                // its string table, each ended by a zero.
                let found = unsafe {
                    let symbol = &*(dynamic.symbols as *const Symbol).add(symbol);
                    CStr::from_ptr((dynamic.strings as *const c_char).add(symbol.name as usize))
                };
                // SAFETY: the entry is an aligned word of the module's GOT.
                each(found, unsafe { &*((self.base + rela.offset) as *const AtomicU64) });
            }
        }
    }

    /// True if a GOT entry for a function of another module has not been bound yet: its value points
    /// back into this module.
    fn is_lazy(&self, value: u64) -> bool {
        module_of(value).is_some_and(|module| module.dynamic == self.dynamic)
    }

    pub(crate) fn is_read_only(&self, entry: u64) -> bool {
        let (start, end) = (self.relro.0 & !(PAGE as u64 - 1), self.relro.1 & !(PAGE as u64 - 1));
        start <= entry && entry < end
    }
}

/// A hook's place: which function it stands for, and where that function is kept.
pub struct Hook {
    /// The function's name.
    pub name: &'static CStr,
    /// Our function.
    pub hook: extern "C" fn(),
    /// Where the original goes.
    pub original: &'static AtomicPtr<()>,
}

struct Patch {
    entry: AtomicU64,
    hook: AtomicU64,
    original: AtomicU64,
    read_only: AtomicU64,
}

/// GOT entries that may be patched at a time.
const MAX_PATCHES: usize = 32;
static PATCHES: [Patch; MAX_PATCHES] = [const {
    Patch {
        entry: AtomicU64::new(0),
        hook: AtomicU64::new(0),
        original: AtomicU64::new(0),
        read_only: AtomicU64::new(0),
    }
}; MAX_PATCHES];

/// Why a hook could not be placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// No GOT entry for the function.
    NoEntry,
    /// Its original was not found.
    NoOriginal,
    /// Its page could not be made writable.
    ReadOnly,
}

/// True if an address lies in this library.
fn is_own(address: u64) -> bool {
    let own = module_of(prepare as *const () as u64);
    own.is_some_and(|own| module_of(address).is_some_and(|module| module.dynamic == own.dynamic))
}

fn patch_of(address: u64) -> Option<&'static Patch> {
    PATCHES.iter().find(|patch| patch.entry.load(Acquire) == address)
}

/// Finds the original of a hook in `module` and stores it. Nothing is changed yet.
///
/// `resolved` is the function as the loader finds it, for entries that are not bound yet; asking the
/// loader is the caller's affair, since it must not be done while the GIL is held. An original is
/// learned once and never from our own code: a child that was forked from a recorded parent, or a tool
/// that has put itself in front of us, would else make a hook go on to itself.
pub fn prepare(module: &Module, hook: &Hook, resolved: u64) -> Result<(), Refused> {
    let mut found = None;
    module.entries(hook.name, |entry| found = Some(entry));
    let entry = found.ok_or(Refused::NoEntry)?;
    let value = entry.load(Acquire);
    if patch_of(core::ptr::from_ref(entry) as u64).is_some() || is_own(value) {
        return if hook.original.load(Acquire).is_null() {
            Err(Refused::NoOriginal)
        } else {
            Ok(())
        };
    }
    let original = if module.is_lazy(value) { resolved } else { value };
    // In a program that is not position-independent the loader may answer with the program's own stub.
    if original == 0 || module.is_lazy(original) || is_own(original) {
        return Err(Refused::NoOriginal);
    }
    hook.original.store(original as *mut (), Release);
    Ok(())
}

/// As [`prepare`], for a function that `module` itself defines and calls through its GOT.
///
/// Whether such an entry is bound cannot be told from its value: `resolved` is the original.
pub fn prepare_own(module: &Module, hook: &Hook, resolved: u64) -> Result<(), Refused> {
    let mut found = false;
    module.entries(hook.name, |_| found = true);
    if !found {
        return Err(Refused::NoEntry);
    }
    if hook.original.load(Acquire).is_null() {
        if !module.is_lazy(resolved) {
            return Err(Refused::NoOriginal);
        }
        hook.original.store(resolved as *mut (), Release);
    }
    Ok(())
}

/// Puts a prepared hook into every GOT entry of its function; returns how many.
///
/// Where somebody else has put a hook in front of ours, it stays: it leads on to us.
pub fn place(module: &Module, hook: &Hook) -> Result<u32, Refused> {
    let (ours, original) = (hook.hook as usize as u64, hook.original.load(Acquire) as u64);
    let mut placed = Ok(0);
    module.entries(hook.name, |entry| {
        let address = core::ptr::from_ref(entry) as u64;
        let value = entry.load(Acquire);
        let known = patch_of(address);
        let Some(patch) = known.or_else(|| patch_of(0)) else { return };
        let in_place = match known {
            Some(_) if !is_own(value) => true,
            Some(_) => write(entry, value, ours, patch.read_only.load(Relaxed) != 0),
            None => {
                let read_only = module.is_read_only(address);
                patch.original.store(original, Relaxed);
                patch.read_only.store(read_only as u64, Relaxed);
                patch.entry.store(address, Release);
                write(entry, value, ours, read_only)
            }
        };
        patch.hook.store(ours, Relaxed);
        placed = if in_place { placed.map(|n| n + 1) } else { Err(Refused::ReadOnly) };
    });
    placed
}

/// Gives back every entry that still holds our hook; returns how many somebody else had changed.
pub fn restore(hooks: &[extern "C" fn()]) -> u32 {
    let mut shared = 0;
    for patch in &PATCHES {
        let (address, ours) = (patch.entry.load(Acquire), patch.hook.load(Relaxed));
        if address == 0 || !hooks.iter().any(|hook| *hook as usize as u64 == ours) {
            continue;
        }
        // SAFETY: the address was taken from the module's GOT when the hook was placed; libpython is
        // never unloaded while an interpreter lives in it.
        let entry = unsafe { &*(address as *const AtomicU64) };
        if write(entry, ours, patch.original.load(Relaxed), patch.read_only.load(Relaxed) != 0) {
            patch.entry.store(0, Release);
        } else {
            shared += 1;
        }
    }
    shared
}

/// One compare-and-swap, on a page made writable for it if need be.
pub(crate) fn write(entry: &AtomicU64, from: u64, to: u64, read_only: bool) -> bool {
    if entry.load(Acquire) != from {
        return false;
    }
    let page = core::ptr::from_ref(entry) as u64 & !(PAGE as u64 - 1);
    if read_only && !protect(page, 1 | 2) {
        return false;
    }
    let done = entry.compare_exchange(from, to, AcqRel, Acquire).is_ok();
    if read_only {
        protect(page, 1);
    }
    done
}

fn protect(page: u64, protection: u64) -> bool {
    // SAFETY: the page holds a GOT entry of a loaded module; reading stays allowed throughout.
    unsafe { syscall(number::MPROTECT, [page, PAGE as u64, protection, 0, 0, 0]) == 0 }
}
