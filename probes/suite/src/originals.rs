//! What the hooks stand for: where each goes on to, and what they call.

use core::sync::atomic::AtomicPtr;

/// Functions that hooks jump to. Filled before any hook is in place, never emptied.
#[repr(C)]
pub struct Originals {
    /// `pthread_cond_signal`
    pub cond_signal: AtomicPtr<()>,
    /// `pthread_cond_timedwait`
    pub cond_timedwait: AtomicPtr<()>,
    /// `pthread_cond_wait`
    pub cond_wait: AtomicPtr<()>,
    /// `pthread_cond_init`
    pub cond_init: AtomicPtr<()>,
    /// `pthread_mutex_init`
    pub mutex_init: AtomicPtr<()>,
    /// `pthread_mutex_lock`
    pub mutex_lock: AtomicPtr<()>,
    /// `sem_wait`
    pub sem_wait: AtomicPtr<()>,
    /// `sem_post`
    pub sem_post: AtomicPtr<()>,
    /// `pthread_exit`
    pub pthread_exit: AtomicPtr<()>,
    /// `pause`
    pub pause: AtomicPtr<()>,
    /// `PyThreadState_Swap` (2.7), where the interpreter calls it through its GOT.
    pub thread_state_swap: AtomicPtr<()>,
    /// `PyGILState_Ensure`
    pub ensure: AtomicPtr<()>,
    /// `PyGILState_Release`
    pub release: AtomicPtr<()>,
    /// `PyThreadState_New`, as extensions call it.
    pub new_state: AtomicPtr<()>,
    /// `PyThreadState_New`, as the interpreter calls it through its GOT (2.7).
    pub new_state_inside: AtomicPtr<()>,
    /// `PyThreadState_Clear`
    pub clear_state: AtomicPtr<()>,
    /// `PyThreadState_Delete`
    pub delete_state: AtomicPtr<()>,
    /// `PyThreadState_DeleteCurrent`
    pub delete_current: AtomicPtr<()>,
    /// `PyEval_AcquireThread`
    pub acquire_thread: AtomicPtr<()>,
    /// `mmap`
    pub mmap: AtomicPtr<()>,
    /// `munmap`
    pub munmap: AtomicPtr<()>,
    /// `dlsym`
    pub dlsym: AtomicPtr<()>,
    /// `sigaction`, until the importer is there.
    pub sigaction: AtomicPtr<()>,
    /// `pthread_mutex_unlock`, called, not hooked.
    pub mutex_unlock: AtomicPtr<()>,
    /// `sem_trywait`, called, not hooked.
    pub sem_trywait: AtomicPtr<()>,
    /// `__errno_location`, called, not hooked.
    pub errno_location: AtomicPtr<()>,
    /// `_dl_find_object` (glibc 2.35 and later), called, not hooked; null where there is none.
    pub find_object: AtomicPtr<()>,
    /// `clock_gettime`, called where the time stamp counter is not trusted.
    pub clock_gettime: AtomicPtr<()>,
}

/// Where hooks go on to.
// SAFETY: all-zero is a valid value of every field (atomics); a null original is never jumped to, since hooks are placed after it is set.
pub static ORIGINALS: Originals = unsafe { core::mem::zeroed() };
