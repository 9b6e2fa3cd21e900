//! The built-in function that stands in for the interpreter's importer, and putting it in and out.
//!
//! CPython calls `_frozen_importlib._find_and_load` by its name in that module, from C and from Python, for
//! whatever is not in `sys.modules` yet; 2.7 calls `__builtin__.__import__` for every import. In its place
//! goes a built-in function bound to the original: no Python frame is added, so tracebacks, warnings and
//! `sys._getframe` see what they saw, and the original is found without any memory of ours.
//!
//! Unlike the other hooks it is on the stack while the import runs. Its frame holds four saved registers and
//! a number, nothing to be cleaned up, and says so to unwinders: a thread that is ended in an import
//! (`pthread_exit` at finalisation) or a C extension that jumps out of one passes over it. The code stays
//! mapped when gilscope leaves, so it always returns; after that, and in a forked child, the next import
//! puts the original back.

use super::api::{self, API, Object};
use core::arch::naked_asm;
use core::ffi::{CStr, c_char, c_int, c_void};
use core::mem::offset_of;

/// `PyMethodDef`.
#[repr(C)]
struct Method {
    name: *const c_char,
    function: extern "C" fn(),
    flags: c_int,
    doc: *const c_char,
}
// SAFETY: never written; its pointers lead to this library's own constants.
unsafe impl Sync for Method {}

const METH_VARARGS: c_int = 1;
const METH_KEYWORDS: c_int = 2;

macro_rules! method {
    ($name:expr) => {
        Method {
            name: $name.as_ptr(),
            function: stand_in,
            flags: METH_VARARGS | METH_KEYWORDS,
            doc: core::ptr::null(),
        }
    };
}
const FIND_AND_LOAD: &CStr = c"_find_and_load";
const IMPORT: &CStr = c"__import__";
static PYTHON3: Method = method!(FIND_AND_LOAD);
static PYTHON2: Method = method!(IMPORT);

/// Stands for the importer: `stand_in(original, arguments, keywords)`, a `PyCFunctionWithKeywords`.
#[unsafe(naked)]
extern "C" fn stand_in() {
    naked_asm!(
        ".cfi_startproc",
        "push rbp",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset rbp, -16",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        ".cfi_offset rbx, -24",
        ".cfi_offset r12, -32",
        ".cfi_offset r13, -40",
        ".cfi_offset r14, -48",
        "mov rbx, rdi",
        "mov r12, rsi",
        "mov r13, rdx",
        "mov rdi, rsi",
        "mov rsi, rsp",
        "call {begun}",
        "mov r14, rax",
        "mov rdi, rbx",
        "mov rsi, r12",
        "mov rdx, r13",
        "call [rip + {api} + {call}]",
        "mov rbx, rax",
        "test r14, r14",
        "je 2f",
        "mov rdi, r14",
        "mov rsi, rax",
        "call {ended}",
        "2:",
        "mov rax, rbx",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        ".cfi_def_cfa rsp, 8",
        "ret",
        ".cfi_endproc",
        begun = sym super::begun,
        ended = sym super::ended,
        api = sym API,
        call = const offset_of!(api::Api, call),
    )
}

/// The module and the name that the interpreter looks its importer up by.
fn place() -> Option<(Object, &'static CStr)> {
    let (module, name) = match API.is_python2() {
        true => (c"__builtin__", IMPORT),
        false => (c"_frozen_importlib", FIND_AND_LOAD),
    };
    Some((api::item(api::modules()?, module)?, name))
}

fn is_ours(function: Object) -> bool {
    api::function_of(function) == stand_in as *const () as usize
}

/// Whether the interpreter has its importer by now. With the GIL.
pub(super) fn has_importer() -> bool {
    let found = place().and_then(|(module, name)| api::attribute(module, name));
    if let Some(found) = found {
        api::forget(found);
    }
    found.is_some()
}

/// Puts the function in. With the GIL. False if that could not be done.
pub(super) fn put_in() -> bool {
    let Some((module, name)) = place() else { return false };
    let Some(original) = api::attribute(module, name) else { return false };
    let method = if API.is_python2() { &PYTHON2 } else { &PYTHON3 };
    let done = is_ours(original)
        || api::new_function(core::ptr::from_ref(method).cast::<c_void>(), original).is_some_and(
            |function| {
                let done = api::set_attribute(module, name, function);
                api::forget(function);
                done
            },
        );
    api::forget(original);
    done
}

/// Puts the original back where ours still stands. With the GIL.
pub(super) fn take_out() {
    let Some((module, name)) = place() else { return };
    let Some(found) = api::attribute(module, name) else { return };
    if is_ours(found)
        && let Some(original) = api::self_of(found)
    {
        api::set_attribute(module, name, original);
    }
    api::forget(found);
}
