//! The hooks of the thread state probe: look whether it is on, record, jump to the original.
//!
//! As the GIL's (`gil::hooks`): naked, the stack as the caller left it, arguments kept. They run outside
//! the GIL's mutex, so each takes its seat first (`seats`). Two go further than a tail-jump.
//!
//! `mmap` of a cycle's chunk is called, since only its return tells what it took, and the thread may sleep
//! in it, on the address space's own lock, with sixteen bytes of ours on its stack. That is as safe as a
//! tail-jump because nothing depends on its coming back: it has left its seat, so that leaving does not
//! wait for it; the text that it returns to is never unmapped; it enters anew and finds the probe off, or
//! another session's level without a stamp, or in a child the wiped page, and then only hands the result
//! on. `mmap` is no cancellation point, so no unwinding starts below that frame, and the thread holds the
//! GIL, so finalisation does not end it there. A `longjmp` from a signal handler skips sixteen bytes of
//! stack and nothing else.
//!
//! `dlsym` of a module's initialiser has new objects patched first, in one walk of the loader's list
//! (`imports::patch`). The walk takes the lock under which the list is changed, as the `dlopen` did that
//! this thread has just come from, with the GIL, as it does now: whatever that lock waits for, the import
//! itself has waited for. Nothing is asked for under it but memory protection.

use super::chunks::{self, Mapping};
use super::{imports, seats};
use crate::hot::{HOT, Hot};
use crate::originals::{ORIGINALS, Originals};
use core::arch::naked_asm;
use core::ffi::{CStr, c_char};
use core::mem::offset_of;
use core::sync::atomic::Ordering::Relaxed;

/// Runs `record` in a seat, if the probe is on.
#[inline(always)]
fn seated(record: impl FnOnce(&'static Hot)) {
    let hot = &HOT;
    if let Some(seat) = seats::enter(hot) {
        record(hot);
        seats::leave(seat);
    }
}

extern "C" fn on_ensure(site: u64) {
    seated(|hot| super::ensure(hot, site));
}

extern "C" fn on_release(old_state: u64) {
    seated(|hot| super::release(hot, old_state as u32));
}

extern "C" fn on_new(site: u64) {
    seated(|hot| super::new_state(hot, site));
}

extern "C" fn on_new_inside(_: u64) {
    seated(super::new_state_inside);
}

extern "C" fn on_acquire_thread(state: u64) {
    seated(|hot| super::acquire_thread(hot, state));
}

extern "C" fn on_clear(state: u64) {
    seated(|hot| super::clear_state(hot, state));
}

extern "C" fn on_delete(_: u64) {
    seated(|hot| {
        hot.state_totals().deleted.fetch_add(1, Relaxed);
    });
}

/// 1: the chunk is kept, and the call is answered.
extern "C" fn on_munmap(address: u64, bytes: u64) -> u32 {
    let mut kept = false;
    seated(|hot| kept = super::unmaps(hot, address, bytes));
    u32::from(kept)
}

/// `dlsym(handle, name)`: CPython asks for a module's initialiser right after it loaded the module.
extern "C" fn on_dlsym(_: u64, name: *const c_char) {
    seated(|hot| {
        let name = match name.is_null() {
            true => c"",
            // SAFETY: the caller passes dlsym a C string.
            false => unsafe { CStr::from_ptr(name) },
        };
        let is_init =
            name.to_bytes().starts_with(b"PyInit") || name.to_bytes().starts_with(b"init");
        if is_init {
            imports::patch(hot.state_totals());
        }
    });
}

/// What is to become of a call of `mmap`: another value is its answer.
const PASS_ON: u64 = 0;
const TIMED: u64 = 1;

/// The arguments of `mmap`, and where it returns to.
extern "C" fn before_map(
    address: u64,
    bytes: u64,
    protection: u32,
    flags: u32,
    descriptor: i32,
    offset: u64,
    site: u64,
) -> u64 {
    let mut answer = PASS_ON;
    seated(|hot| {
        let is_chunk = address == 0
            && chunks::is_alike(bytes, protection, flags)
            && (descriptor, offset) == (-1, 0)
            && chunks::is_from_arenas(hot, site);
        answer = match super::maps(hot, bytes, is_chunk) {
            Mapping::Other => PASS_ON,
            Mapping::Timed => TIMED,
            Mapping::Kept(chunk) => chunk,
        };
    });
    answer
}

extern "C" fn after_map(address: u64) {
    seated(|hot| super::mapped(hot, address));
}

/// A hook that calls `$record` with one argument if the probe is on: the first one of the call, or where
/// it returns to. The first two arguments are kept.
macro_rules! recording {
    ($(#[$doc:meta])* $name:ident, $argument:literal, $record:ident, $original:ident) => {
        $(#[$doc])*
        #[unsafe(naked)]
        pub extern "C" fn $name() {
            naked_asm!(
                "cmp dword ptr [rip + {hot} + {states}], 0",
                "je 2f",
                "push rdi",
                "push rsi",
                "sub rsp, 8",
                $argument,
                "call {record}",
                "add rsp, 8",
                "pop rsi",
                "pop rdi",
                "2:",
                "jmp [rip + {originals} + {original}]",
                hot = sym HOT,
                states = const offset_of!(Hot, states),
                record = sym $record,
                originals = sym ORIGINALS,
                original = const offset_of!(Originals, $original),
            )
        }
    };
}
recording!(
    /// Stands for `PyGILState_Ensure()`.
    ensure, "mov rdi, [rsp + 24]", on_ensure, ensure);
recording!(
    /// Stands for `PyGILState_Release(old_state)`.
    release, "", on_release, release);
recording!(
    /// Stands for `PyThreadState_New(interpreter)` in extensions.
    new_state, "mov rdi, [rsp + 24]", on_new, new_state);
recording!(
    /// Stands for `PyThreadState_New(interpreter)` in the interpreter itself (2.7).
    new_state_inside, "", on_new_inside, new_state_inside);
recording!(
    /// Stands for `PyEval_AcquireThread(state)`.
    acquire_thread, "", on_acquire_thread, acquire_thread);
recording!(
    /// Stands for `PyThreadState_Clear(state)`.
    clear_state, "", on_clear, clear_state);
recording!(
    /// Stands for `PyThreadState_Delete(state)`.
    delete_state, "", on_delete, delete_state);
recording!(
    /// Stands for `PyThreadState_DeleteCurrent()`.
    delete_current, "", on_delete, delete_current);
recording!(
    /// Stands for `dlsym(handle, name)` in the interpreter.
    dlsym, "", on_dlsym, dlsym);

/// Stands for `munmap(address, bytes)` in the interpreter.
#[unsafe(naked)]
pub extern "C" fn munmap() {
    naked_asm!(
        "cmp dword ptr [rip + {hot} + {states}], 0",
        "je 2f",
        "push rdi",
        "push rsi",
        "sub rsp, 8",
        "call {record}",
        "add rsp, 8",
        "pop rsi",
        "pop rdi",
        "test eax, eax",
        "jnz 3f",
        "2:",
        "jmp [rip + {originals} + {original}]",
        "3:",
        "xor eax, eax",
        "ret",
        hot = sym HOT,
        states = const offset_of!(Hot, states),
        record = sym on_munmap,
        originals = sym ORIGINALS,
        original = const offset_of!(Originals, munmap),
    )
}

/// Stands for `mmap(…)` in the interpreter, which has six arguments.
#[unsafe(naked)]
pub extern "C" fn mmap() {
    naked_asm!(
        "cmp dword ptr [rip + {hot} + {states}], 0",
        "je 2f",
        "push rdi",
        "push rsi",
        "push rdx",
        "push rcx",
        "push r8",
        "push r9",
        // A seventh argument stands on the stack: where the call returns to.
        "push qword ptr [rsp + 48]",
        "call {before}",
        "add rsp, 8",
        "pop r9",
        "pop r8",
        "pop rcx",
        "pop rdx",
        "pop rsi",
        "pop rdi",
        "cmp rax, {timed}",
        "je 3f",
        "ja 4f",
        "2:",
        "jmp [rip + {originals} + {original}]",
        "3:",
        "sub rsp, 8",
        "call [rip + {originals} + {original}]",
        "mov [rsp], rax",
        "mov rdi, rax",
        "call {after}",
        "mov rax, [rsp]",
        "add rsp, 8",
        "4:",
        "ret",
        hot = sym HOT,
        states = const offset_of!(Hot, states),
        before = sym before_map,
        timed = const TIMED,
        after = sym after_map,
        originals = sym ORIGINALS,
        original = const offset_of!(Originals, mmap),
    )
}
