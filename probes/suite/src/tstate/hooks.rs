//! The hooks of the thread state probe: look whether it is on, record, jump to the original.
//!
//! As the GIL's (`gil::hooks`): naked, the stack as the caller left it, arguments kept. They run outside
//! the GIL's mutex, so each takes its seat first (`seats`). Two go further than a tail-jump: `mmap` of a
//! chunk is called, since only its return tells what it took (it sleeps for no longer than the look at a
//! holder does, on the address space's own lock); and `dlsym`, which takes the loader's lock itself, has
//! new objects patched before it does.

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

extern "C" fn on_munmap(_: u64, bytes: u64) {
    seated(|hot| super::unmaps(hot, bytes));
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

/// 1: the call that follows is timed, and the seat stays taken until [`after_map`].
extern "C" fn before_map(_: u64, bytes: u64) -> u32 {
    let hot = &HOT;
    let Some(seat) = seats::enter(hot) else { return 0 };
    if super::maps(hot, bytes) {
        return 1;
    }
    seats::leave(seat);
    0
}

extern "C" fn after_map() {
    if let Some(seat) = seats::own() {
        super::mapped(&HOT);
        seats::leave(seat);
    }
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
    /// Stands for `munmap(address, bytes)` in the interpreter.
    munmap, "", on_munmap, munmap);
recording!(
    /// Stands for `dlsym(handle, name)` in the interpreter.
    dlsym, "", on_dlsym, dlsym);

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
        "sub rsp, 8",
        "call {before}",
        "add rsp, 8",
        "pop r9",
        "pop r8",
        "pop rcx",
        "pop rdx",
        "pop rsi",
        "pop rdi",
        "test eax, eax",
        "jnz 3f",
        "2:",
        "jmp [rip + {originals} + {original}]",
        "3:",
        "sub rsp, 8",
        "call [rip + {originals} + {original}]",
        "mov [rsp], rax",
        "call {after}",
        "mov rax, [rsp]",
        "add rsp, 8",
        "ret",
        hot = sym HOT,
        states = const offset_of!(Hot, states),
        before = sym before_map,
        after = sym after_map,
        originals = sym ORIGINALS,
        original = const offset_of!(Originals, mmap),
    )
}
