//! Boot: on a short-lived thread of our own, find the GIL and put the hooks in.
//!
//! The thread starts with all signals blocked (it inherits the borrowed thread's mask), takes the GIL
//! as any foreign thread would ([`guard`] says how that goes well while the interpreter is finalised),
//! calibrates, swaps the entries under the GIL's own mutex, lets go, and ends. That release is the first
//! event: it opens the window.

use crate::activate::{SWAP, activate, gil_hooks, has_semaphore};
use crate::calibrate::{self, Gil};
use crate::detach;
use crate::entry::stage;
use crate::guard;
use crate::imports;
use crate::segment::{give_up, wipe_on_fork};
use crate::states;
use crate::symbols::{self, Api, Hooked};
use core::ffi::{CStr, c_int, c_void};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use cpython::Version;
use cpython::gil::Gil as GilLayout;
use cpython::layout::Layout as PythonLayout;
use suite::got::{self, Refused};
use suite::hot::HOT;
use suite::memory::{Own, gettid, number, syscall, thread_pointer};
use suite::object;
use suite::slots::find_tid_offset;
use wire::clock::ClockKind;
use wire::segment::{Header, Layout, error, status};

unsafe extern "C" {
    fn pthread_create(
        thread: *mut u64,
        attributes: *const c_void,
        start: extern "C" fn(*mut c_void) -> *mut c_void,
        argument: *mut c_void,
    ) -> c_int;
    fn pthread_detach(thread: u64) -> c_int;
}

/// Starts a thread that nobody waits for. The caller has all signals blocked, and so has the thread.
pub(crate) fn start_thread(start: extern "C" fn(*mut c_void) -> *mut c_void) -> bool {
    let mut thread = 0;
    // SAFETY: pthread_create(3) with default attributes; `start` has the type it asks for.
    unsafe {
        let failed = pthread_create(&mut thread, core::ptr::null(), start, core::ptr::null_mut());
        failed == 0 && pthread_detach(thread) == 0
    }
}

/// The boot thread.
pub(crate) extern "C" fn thread(_: *mut c_void) -> *mut c_void {
    // SAFETY: `entry::attach` mapped and checked this segment; while the stage is "booting" nobody
    // but this thread unmaps it.
    let header: &'static Header = unsafe { &*(HOT.boot_segment.load(Acquire) as *const Header) };
    header.boot_thread_id.store(gettid(), Relaxed);
    match boot(header) {
        Err((state, reason)) => give_up(header, state, reason),
        Ok(()) => {
            header.boot_thread_id.store(0, Relaxed);
            header.status.store(status::RECORDING, Release);
            // From here on the segment is no longer ours: whoever leaves unmaps it.
            HOT.stage.store(stage::RECORDING, SeqCst);
            if HOT.cancel.load(SeqCst) != 0 {
                detach::leave();
            }
        }
    }
    core::ptr::null_mut()
}

pub(crate) type Failure = (u32, u32);

fn failed(reason: u32) -> Failure {
    (status::FAILED, reason)
}

pub(crate) fn refused(why: Refused) -> Failure {
    failed(match why {
        Refused::NoEntry => error::GOT,
        Refused::NoOriginal => error::SYMBOL,
        Refused::ReadOnly => error::PROTECT,
    })
}

/// What boot and preload need before anything else; fills the header's facts. Takes no loader walk.
pub(crate) fn look_around(header: &Header) -> Result<(Api, Version), Failure> {
    let api = symbols::python().ok_or((status::NOT_PYTHON, error::NONE))?;
    symbols::resolve_helpers();
    let version = version(&api).ok_or(failed(error::SYMBOL))?;
    let [major, minor, micro] = [version.major(), version.minor(), version.micro()].map(u32::from);
    header.python_version.store(major << 16 | minor << 8 | micro, Relaxed);
    header.runtime.store(api.runtime, Relaxed);
    header.interpreter_head.store(api.interpreter_head, Relaxed);
    if header.clock.kind == ClockKind::Tsc as u32 && !may_read_tsc() {
        return Err(failed(error::CLOCK));
    }
    if !wipe_on_fork() {
        return Err(failed(error::PROTECT));
    }
    let tid_offset = find_tid_offset();
    HOT.tid_offset.store(tid_offset, Relaxed);
    header.tid_offset.store(tid_offset, Relaxed);
    Ok((api, version))
}

/// False if this thread (and so its parent) would be killed for reading the counter (prctl(2)).
fn may_read_tsc() -> bool {
    const PR_GET_TSC: u64 = 25;
    const PR_TSC_SIGSEGV: u32 = 2;
    let mut mode = 0u32;
    // SAFETY: prctl(PR_GET_TSC) writes an int to the address given, which is a local of ours.
    let result = unsafe { syscall(number::PRCTL, [PR_GET_TSC, &raw mut mode as u64, 0, 0, 0, 0]) };
    result != 0 || mode != PR_TSC_SIGSEGV
}

/// True if this boot was called off, by the daemon that asked for it or by the next one.
pub(crate) fn is_called_off(header: &Header) -> bool {
    header.cancel.load(Acquire) != 0 || HOT.cancel.load(SeqCst) != 0
}

/// Everything that walks the loader's lists happens with the GIL: that keeps Python from forking
/// meanwhile, and a child would inherit the walk's lock for ever (glibc resets only the other one).
fn boot(header: &'static Header) -> Result<(), Failure> {
    let (api, version) = look_around(header)?;
    let hooked = Hooked::find();
    if states::is_wanted(header) {
        states::resolve();
    }
    if imports::is_wanted(header) {
        imports::resolve();
    }
    if !api.is_initialized() || !api.has_gil() {
        return Err((status::NO_GIL_YET, error::NONE));
    }
    if api.is_finalizing() {
        return Err(failed(error::FINALIZING));
    }
    let mut stay = Stay { header, api: &api, version, hooked: &hooked, result: None };
    let argument = (&raw mut stay).cast();
    match object::module_without_lock(api.anchor) {
        Some(module) => drop(guard::run(&api, &module, &hooked, inside, argument)),
        // A C library older than 2.35: then a finalisation at this very moment is not survived.
        None => inside(argument),
    }
    // No result: the interpreter went away while this thread waited for it.
    stay.result.unwrap_or_else(|| {
        calibrate::end();
        Err(failed(error::FINALIZING))
    })
}

/// What [`inside`] is given, and what came of it.
struct Stay<'a> {
    header: &'static Header,
    api: &'a Api,
    version: Version,
    hooked: &'a Hooked,
    result: Option<Result<(), Failure>>,
}

/// Takes the GIL, works with it, and gives it back.
extern "C" fn inside(stay: *mut c_void) {
    // SAFETY: `boot` passes a `Stay` of its own, which nobody else uses meanwhile.
    let stay = unsafe { &mut *stay.cast::<Stay<'_>>() };
    let before = (stay.api.ensure)();
    stay.result = match is_called_off(stay.header) {
        false => Some(with_gil(stay.header, stay.api, stay.version, stay.hooked)),
        true => Some(Err((status::DETACHED, error::NONE))),
    };
    (stay.api.release)(before);
}

/// The part of boot that holds the GIL. On an error nothing of ours is left in the GOT.
fn with_gil(
    header: &'static Header,
    api: &Api,
    version: Version,
    hooked: &Hooked,
) -> Result<(), Failure> {
    let layout =
        Layout::of(header, HOT.boot_bytes.load(Relaxed) as usize).ok_or(failed(error::ABI))?;
    let module = object::module_of(api.anchor).ok_or(failed(error::SYMBOL))?;
    let semaphore = has_semaphore(&module);
    for hook in gil_hooks(semaphore) {
        got::prepare(&module, hook, hooked.of(hook.name)).map_err(refused)?;
    }
    if semaphore {
        // Without it acquires are dated less well (see `suite::gil::semaphore`); nothing else is lost.
        let _ = got::prepare_own(&module, &SWAP, hooked.of(SWAP.name));
    }
    if states::is_wanted(header) {
        states::prepare(&module, hooked, semaphore);
    }
    let mut kept_pair_ns = 0;
    let result =
        calibrate::calibrate(api, &module, hooked, semaphore).map_err(refused).and_then(|gil| {
            check(&gil, semaphore)?;
            if states::is_wanted(header) {
                kept_pair_ns = states::kept_pair_ns(api);
            }
            describe(header, api, version, &gil);
            start_blame(header, api, version, gil.thread_state);
            activate(header, &layout, &module, &gil, semaphore)
        });
    calibrate::end();
    if result.is_ok() && states::is_wanted(header) {
        states::begin(api, &module, semaphore, kept_pair_ns);
    }
    if result.is_ok() && imports::is_wanted(header) {
        imports::begin_late(api, version);
    }
    result
}

fn check(gil: &Gil, semaphore: bool) -> Result<(), Failure> {
    let complete = gil.cond != 0
        && (semaphore || (gil.switch_cond != 0 && gil.switch_cond != gil.cond && gil.mutex != 0));
    if complete { Ok(()) } else { Err(failed(error::CALIBRATION)) }
}

/// Fills in what the hooks have to know of this interpreter.
pub(crate) fn describe(header: &Header, api: &Api, version: Version, gil: &Gil) {
    // Believed only if both conditions stand where the layout says.
    let base = GilLayout::of(version, false)
        .and_then(|layout| {
            let base = layout.base(gil.cond)?;
            (base + layout.switch_cond == gil.switch_cond).then_some(base)
        })
        .unwrap_or(0);
    HOT.gil.store(base, Relaxed);
    HOT.current_thread_state.store(api.current_thread_state, Relaxed);
    HOT.switch_interval.store(api.switch_interval as usize, Relaxed);
    HOT.set_switch_interval.store(api.set_switch_interval as usize, Relaxed);
    HOT.ticker.store(api.ticker, Relaxed);
    HOT.check_interval.store(api.check_interval, Relaxed);
    detach::MUTEX.store(gil.mutex, Relaxed);
    detach::SWITCH_MUTEX.store(gil.switch_mutex, Relaxed);
    header.cond.store(gil.cond, Relaxed);
    header.switch_cond.store(gil.switch_cond, Relaxed);
    header.gil.store(base, Relaxed);
}

/// The thread state that took the GIL last, 0 if this interpreter does not tell.
pub(crate) fn last_holder(version: Version, api: &Api) -> u64 {
    let gil = HOT.gil.load(Relaxed);
    let word = match GilLayout::of(version, false) {
        Some(layout) if gil != 0 => gil + layout.last_holder,
        _ => api.current_thread_state,
    };
    // SAFETY: `describe` believed `gil` only after both conditions stood where this layout says; the
    // other is the address of an exported variable of the interpreter.
    if word == 0 { 0 } else { unsafe { (word as *const u64).read_volatile() } }
}

/// Lets waiters look at holders, if this interpreter's layout proves right on our own thread state.
pub(crate) fn start_blame(header: &Header, api: &Api, version: Version, thread_state: u64) {
    if header.plan.blame == 0 {
        return;
    }
    let runtime = (api.runtime != 0).then_some(api.runtime);
    let Ok(layout) = PythonLayout::choose(&Own, version, runtime) else { return };
    match layout.prove(&Own, thread_state, thread_pointer(), api.code_type) {
        Ok(()) => suite::gil::set_layout(layout, api.code_type),
        Err(mismatch) => header.blame_mismatch.store(mismatch as u32, Relaxed),
    }
}

pub(crate) fn version(api: &Api) -> Option<Version> {
    let text = (api.get_version?)();
    if text.is_null() {
        return None;
    }
    // SAFETY: Py_GetVersion returns a static C string ("3.11.2 (main, …").
    Version::parse(unsafe { CStr::from_ptr(text) }.to_bytes())
}
