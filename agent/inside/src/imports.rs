//! Putting the imports probe in: with the GIL that a boot has taken, or, in a program that was started with
//! the agent in it, at the moment when the interpreter first asks about signals.
//!
//! That moment is CPython's own initialisation (`init_signals`): the importer is there, the GIL is in hand,
//! nothing of the program has run. What the probe then does is `suite::imports`'s affair.

use crate::symbols::{self, Api, Hooked};
use core::arch::naked_asm;
use core::mem::offset_of;
use core::sync::atomic::Ordering::{Relaxed, SeqCst};
use cpython::Version;
use cpython::layout::Layout as PythonLayout;
use suite::got::{self, Hook, Module};
use suite::hot::HOT;
use suite::imports;
use suite::memory::Own;
use suite::originals::{ORIGINALS, Originals};
use wire::plan::probe;
use wire::segment::{Header, Layout};

/// Whether the probe is to record.
pub(crate) fn is_wanted(header: &Header) -> bool {
    header.plan.probes & probe::IMPORTS != 0
}

/// Looks up what the probe calls. Before the loader's list is walked, and without the GIL.
pub(crate) fn resolve() {
    imports::resolve(symbols::find);
}

/// Begins in a program that runs. With the GIL, and the segment adopted.
pub(crate) fn begin_late(api: &Api, version: Version) {
    begin(api, version, false);
}

fn begin(api: &Api, version: Version, early: bool) {
    let runtime = (api.runtime != 0).then_some(api.runtime);
    let layout = PythonLayout::choose(&Own, version, runtime);
    imports::begin(&HOT, layout, api.code_type, version, early);
}

static SIGACTION: Hook =
    Hook { name: c"sigaction", hook: sigaction, original: &ORIGINALS.sigaction };

/// In a program that is about to begin: waits for the interpreter to have its importer.
pub(crate) fn wait_for_importer(header: &'static Header, module: &Module, hooked: &Hooked) {
    HOT.imports_pending.store(core::ptr::from_ref(header) as u64, SeqCst);
    let _ = got::prepare(module, &SIGACTION, hooked.of(SIGACTION.name))
        .and_then(|()| got::place(module, &SIGACTION));
}

/// Takes the hook out again, if it still waits.
pub(crate) fn stop_waiting() {
    if HOT.imports_pending.swap(0, SeqCst) != 0 {
        got::restore(&[sigaction]);
    }
}

/// Stands for `sigaction(signal, new, old)` in the interpreter until the probe has begun.
#[unsafe(naked)]
extern "C" fn sigaction() {
    naked_asm!(
        "push rdi",
        "push rsi",
        "push rdx",
        "call {asked}",
        "pop rdx",
        "pop rsi",
        "pop rdi",
        "jmp [rip + {originals} + {original}]",
        asked = sym asked,
        originals = sym ORIGINALS,
        original = const offset_of!(Originals, sigaction),
    )
}

extern "C" fn asked() {
    if HOT.imports_pending.load(Relaxed) == 0 || !imports::can_begin() {
        return;
    }
    let pending = HOT.imports_pending.swap(0, SeqCst);
    if pending == 0 {
        return;
    }
    // SAFETY: `wait_for_importer` stored the header of the mapped segment, which is unmapped only after
    // `stop_waiting` has taken the word back.
    let header: &'static Header = unsafe { &*(pending as *const Header) };
    let (bytes, api) = (HOT.boot_bytes.load(Relaxed) as usize, symbols::python());
    if let (Some(layout), Some(api)) = (Layout::of(header, bytes), api)
        && let Some(version) = crate::boot::version(&api)
    {
        HOT.adopt(pending as usize, &layout, header);
        begin(&api, version, true);
    }
    got::restore(&[sigaction]);
}
