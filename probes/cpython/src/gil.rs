//! The GIL's own structure, `struct _gil_runtime_state` (`Include/internal/pycore_gil.h`).
//!
//! The agent learns the address of the condition variable by watching one release and one acquire; everything else
//! stands at fixed distances from it, the same from 3.7 to 3.15 with glibc on x86-64.

use crate::Version;

/// Offsets from the start of the structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gil {
    /// The switch interval in µs, an `unsigned long`.
    pub interval: u64,
    /// The thread state that holds it or held it last.
    pub last_holder: u64,
    /// An `int`: 1 held, 0 free, -1 not created.
    pub locked: u64,
    /// Times it went to another thread, an `unsigned long`.
    pub switch_number: u64,
    /// Signalled at the exact instant of a release.
    pub cond: u64,
    /// Guards all of this.
    pub mutex: u64,
    /// Signalled at the exact instant of an acquire.
    pub switch_cond: u64,
    /// Guards the forced switch.
    pub switch_mutex: u64,
    /// An `int`: whether the GIL is in use. Builds without GIL only.
    pub enabled: Option<u64>,
}

const WITH_GIL: Gil = Gil {
    interval: 0,
    last_holder: 8,
    locked: 16,
    switch_number: 24,
    cond: 32,
    mutex: 80,
    switch_cond: 120,
    switch_mutex: 168,
    enabled: None,
};

const FREE_THREADED: Gil = Gil {
    interval: 8,
    last_holder: 16,
    locked: 24,
    switch_number: 32,
    cond: 40,
    mutex: 88,
    switch_cond: 128,
    switch_mutex: 176,
    enabled: Some(0),
};

impl Gil {
    /// The structure of `version`, or `None` where there is none: 2.7 has one semaphore, 3.6 unrelated statics
    /// whose distances nobody promises.
    #[must_use]
    pub fn of(version: Version, free_threaded: bool) -> Option<Self> {
        if version < Version::new(3, 7, 0) {
            None
        } else if free_threaded {
            Some(FREE_THREADED)
        } else {
            Some(WITH_GIL)
        }
    }

    /// The structure's address, from that of its `cond`.
    #[must_use]
    pub const fn base(&self, cond: u64) -> Option<u64> {
        cond.checked_sub(self.cond)
    }
}

/// The exported variable that holds the current thread state, where [`Gil::of`] is `None`: null while nobody has
/// the GIL. Gone in 3.7. (`nm -D`: in 2.7.18 and 3.6.15, in none from 3.7.16 to 3.13.0.)
#[must_use]
pub fn current_thread_symbol(version: Version) -> Option<&'static core::ffi::CStr> {
    (version < Version::new(3, 7, 0)).then_some(c"_PyThreadState_Current")
}
