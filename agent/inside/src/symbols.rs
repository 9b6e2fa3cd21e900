//! Finding functions of libc and of the interpreter by name.
//!
//! All of it happens before any loader list is walked, never inside a callback of that walk.

use core::ffi::{CStr, c_char, c_int, c_void};
use core::sync::atomic::{
    AtomicPtr,
    Ordering::{Acquire, Release},
};
use suite::originals::ORIGINALS;

unsafe extern "C" {
    fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
    fn dlvsym(handle: *mut c_void, name: *const c_char, version: *const c_char) -> *mut c_void;
}

/// The address of a symbol in the global scope, or 0.
pub(crate) fn find(name: &CStr) -> u64 {
    // SAFETY: a null handle is RTLD_DEFAULT; the name is a C string.
    unsafe { dlsym(core::ptr::null_mut(), name.as_ptr()) as u64 }
}

/// The address of a libc function. The condition functions exist twice in glibc, and the old ones
/// would corrupt a new condition, so their version is named (2.3.2, x86-64).
pub(crate) fn find_in_libc(name: &CStr) -> u64 {
    if name.to_bytes().starts_with(b"pthread_cond_") {
        // SAFETY: as in `find`, with a version string.
        let found =
            unsafe { dlvsym(core::ptr::null_mut(), name.as_ptr(), c"GLIBC_2.3.2".as_ptr()) };
        if !found.is_null() {
            return found as u64;
        }
    }
    find(name)
}

/// Fills in the functions that hooks call rather than stand for.
pub(crate) fn resolve_helpers() {
    ORIGINALS.clock_gettime.store(find_in_libc(c"clock_gettime") as *mut (), Release);
    ORIGINALS.sem_trywait.store(find_in_libc(c"sem_trywait") as *mut (), Release);
    ORIGINALS.mutex_lock.store(find_in_libc(c"pthread_mutex_lock") as *mut (), Release);
    ORIGINALS.mutex_unlock.store(find_in_libc(c"pthread_mutex_unlock") as *mut (), Release);
    ORIGINALS.find_object.store(find(c"_dl_find_object") as *mut (), Release);
    ORIGINALS.errno_location.store(find_in_libc(c"__errno_location") as *mut (), Release);
}

/// Calls a function of libc that takes up to three words, one that was looked up before: never the loader
/// with a lock held. 0 if it was not found.
pub(crate) fn call(function: &AtomicPtr<()>, [a, b, c]: [u64; 3]) -> c_int {
    let function = function.load(Acquire);
    if function.is_null() {
        return 0;
    }
    // SAFETY: one of libc's pthread and semaphore functions: they take up to three pointers and give an
    // int. The arguments are a lock that the interpreter uses, and what goes with it.
    unsafe {
        core::mem::transmute::<*mut (), extern "C" fn(u64, u64, u64) -> c_int>(function)(a, b, c)
    }
}

/// Functions that hooks stand for, as the loader finds them: for GOT entries that are not bound yet.
///
/// Found before the GIL is taken, since the loader's lock may be held by a thread that waits for it.
pub(crate) struct Hooked([(&'static CStr, u64); 17]);

impl Hooked {
    pub(crate) fn find() -> Self {
        let names = [
            c"pthread_cond_signal",
            c"pthread_cond_timedwait",
            c"pthread_cond_wait",
            c"pthread_cond_init",
            c"pthread_mutex_lock",
            c"pthread_mutex_init",
            c"sem_wait",
            c"sem_post",
            c"pthread_exit",
            c"pause",
            c"PyThreadState_Swap",
            c"PyThreadState_New",
            c"mmap",
            c"mmap64",
            c"munmap",
            c"dlsym",
            c"sigaction",
        ];
        Self(names.map(|name| (name, find_in_libc(name))))
    }

    /// The function of that name, or 0.
    pub(crate) fn of(&self, name: &CStr) -> u64 {
        self.0.iter().find(|(known, _)| *known == name).map_or(0, |(_, address)| *address)
    }
}

/// The part of CPython's C API that the agent calls. All but the first four may be missing.
pub(crate) struct Api {
    pub(crate) ensure: extern "C" fn() -> c_int,
    pub(crate) release: extern "C" fn(c_int),
    pub(crate) save_thread: extern "C" fn() -> u64,
    pub(crate) restore_thread: extern "C" fn(u64),
    pub(crate) get_version: Option<extern "C" fn() -> *const c_char>,
    is_initialized: Option<extern "C" fn() -> c_int>,
    threads_initialized: Option<extern "C" fn() -> c_int>,
    is_finalizing: Option<extern "C" fn() -> c_int>,
    /// `PyGILState_GetThisThreadState`
    pub(crate) this_thread_state: Option<extern "C" fn() -> u64>,
    /// `PyThreadState *_PyThreadState_Current` (2.7, 3.6), or 0.
    pub(crate) current_thread_state: u64,
    /// `_PyEval_GetSwitchInterval` (3.2 and later, not everywhere), or 0.
    pub(crate) switch_interval: u64,
    /// `_PyEval_SetSwitchInterval`, likewise.
    pub(crate) set_switch_interval: u64,
    /// `volatile int _Py_Ticker` and `int _Py_CheckInterval` (2.7), or 0.
    pub(crate) ticker: u64,
    pub(crate) check_interval: u64,
    /// Any function of the interpreter: its module is the one to patch.
    pub(crate) anchor: u64,
    /// `PyCode_Type`.
    pub(crate) code_type: u64,
    /// `_PyRuntime` (3.7 and later), or 0.
    pub(crate) runtime: u64,
    /// The function `PyInterpreterState_Head`, for the daemon.
    pub(crate) interpreter_head: u64,
}

/// A function pointer of type `F` from an address, none for 0.
fn function<F: Copy>(address: u64) -> Option<F> {
    const { assert!(size_of::<F>() == size_of::<u64>()) };
    // SAFETY: the address comes from dlsym for a function of this type (CPython's documented C API);
    // function pointers are as wide as addresses on x86-64.
    (address != 0).then(|| unsafe { core::mem::transmute_copy(&address) })
}

/// Looks the interpreter up; none if the process has none.
pub(crate) fn python() -> Option<Api> {
    let anchor = find(c"PyGILState_Ensure");
    Some(Api {
        ensure: function(anchor)?,
        release: function(find(c"PyGILState_Release"))?,
        save_thread: function(find(c"PyEval_SaveThread"))?,
        restore_thread: function(find(c"PyEval_RestoreThread"))?,
        get_version: function(find(c"Py_GetVersion")),
        is_initialized: function(find(c"Py_IsInitialized")),
        threads_initialized: function(find(c"PyEval_ThreadsInitialized")),
        is_finalizing: function(find(c"Py_IsFinalizing")).or(function(find(c"_Py_IsFinalizing"))),
        this_thread_state: function(find(c"PyGILState_GetThisThreadState")),
        current_thread_state: find(c"_PyThreadState_Current"),
        switch_interval: find(c"_PyEval_GetSwitchInterval"),
        set_switch_interval: find(c"_PyEval_SetSwitchInterval"),
        ticker: find(c"_Py_Ticker"),
        check_interval: find(c"_Py_CheckInterval"),
        anchor,
        code_type: find(c"PyCode_Type"),
        runtime: find(c"_PyRuntime"),
        interpreter_head: find(c"PyInterpreterState_Head"),
    })
}

impl Api {
    pub(crate) fn is_initialized(&self) -> bool {
        self.is_initialized.is_none_or(|ask| ask() != 0)
    }

    /// False on 2.7 and 3.6 while nobody has started a thread: there is no GIL then.
    pub(crate) fn has_gil(&self) -> bool {
        self.threads_initialized.is_none_or(|ask| ask() != 0)
    }

    pub(crate) fn is_finalizing(&self) -> bool {
        self.is_finalizing.is_some_and(|ask| ask() != 0)
    }
}
