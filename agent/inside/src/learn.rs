//! Preload: we are here before the interpreter, so we watch it make its GIL.
//!
//! `create_gil` initialises `cond` and then `switch_cond`, and `take_gil` signals `switch_cond` at
//! once (CPython `Python/ceval_gil.c`): the second of the two latest conditions is the one that is
//! signalled first. No thread, no call into Python. 2.7 has no condition: the daemon attaches again
//! when threads appear.

use crate::activate::{all_hooks, gil_hooks, has_semaphore};
use crate::boot::{self, look_around, start_blame};
use crate::calibrate::Gil;
use crate::entry::{close, stage};
use crate::imports;
use crate::segment;
use crate::states;
use crate::symbols::Hooked;
use core::arch::naked_asm;
use core::ffi::{CStr, c_char};
use core::mem::offset_of;
use core::sync::atomic::{
    AtomicU64,
    Ordering::{Relaxed, Release, SeqCst},
};
use suite::got::{self, Hook};
use suite::hot::HOT;
use suite::object;
use suite::originals::{ORIGINALS, Originals};
use wire::params::Params;
use wire::segment::{Header, Layout, error, status};

/// The two conditions and the two mutexes that were initialised last, latest first.
static CONDITIONS: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];
static MUTEXES: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];

fn remember(list: &[AtomicU64; 2], address: u64) {
    list[1].store(list[0].load(Relaxed), Relaxed);
    list[0].store(address, Relaxed);
}

extern "C" fn condition_made(address: u64) {
    remember(&CONDITIONS, address);
}

extern "C" fn mutex_made(address: u64) {
    remember(&MUTEXES, address);
}

/// A hook that reports its first argument, keeps the first two, and goes on to the original.
macro_rules! reporting {
    ($name:ident, $original:ident, $report:ident) => {
        #[unsafe(naked)]
        extern "C" fn $name() {
            naked_asm!(
                "push rdi",
                "push rsi",
                "sub rsp, 8",
                "call {report}",
                "add rsp, 8",
                "pop rsi",
                "pop rdi",
                "jmp [rip + {originals} + {original}]",
                report = sym $report,
                originals = sym ORIGINALS,
                original = const offset_of!(Originals, $original),
            )
        }
    };
}
reporting!(cond_init, cond_init, condition_made);
reporting!(mutex_init, mutex_init, mutex_made);
reporting!(cond_signal, cond_signal, signalled);

static HOOKS: [Hook; 3] = [
    Hook { name: c"pthread_mutex_init", hook: mutex_init, original: &ORIGINALS.mutex_init },
    Hook { name: c"pthread_cond_init", hook: cond_init, original: &ORIGINALS.cond_init },
    Hook { name: c"pthread_cond_signal", hook: cond_signal, original: &ORIGINALS.cond_signal },
];

/// The constructor of a preloaded agent: clean up after the launch, then wait for a GIL to be made.
pub(crate) fn preloaded(params: &'static Params, environment: *mut *mut c_char) {
    restore_environment(environment);
    // The descriptors are ours only while they name the image; a process further down the line that
    // inherited the variable but not the descriptor never gets here, since nothing was loaded.
    let header = segment::map(params.fd, params.offset, params.bytes);
    close(params.fd);
    close(params.second_fd);
    let Some(header) = header else { return };
    HOT.stage.store(stage::BOOTING, SeqCst);
    header.status.store(status::BOOTING, Release);
    if let Err((state, reason)) = wait_for_gil(header) {
        got::restore(&[mutex_init, cond_init, cond_signal]);
        segment::give_up(header, state, reason);
    }
}

fn wait_for_gil(header: &'static Header) -> Result<(), (u32, u32)> {
    let (api, _) = look_around(header)?;
    let hooked = Hooked::find();
    if states::is_wanted(header) {
        states::resolve();
    }
    let wants_imports = imports::is_wanted(header);
    if wants_imports {
        imports::resolve();
    }
    let module = object::module_of(api.anchor).ok_or((status::FAILED, error::SYMBOL))?;
    if has_semaphore(&module) && !wants_imports {
        return Err((status::NO_GIL_YET, 0));
    }
    if wants_imports {
        imports::wait_for_importer(header, &module, &hooked);
    }
    if has_semaphore(&module) {
        return Ok(()); // imports only
    }
    for hook in HOOKS.iter().chain(gil_hooks(false)) {
        got::prepare(&module, hook, hooked.of(hook.name)).map_err(boot::refused)?;
    }
    if states::is_wanted(header) {
        states::prepare(&module, &hooked, false);
    }
    HOT.pending.store(core::ptr::from_ref(header) as u64, SeqCst);
    for hook in &HOOKS {
        got::place(&module, hook).map_err(boot::refused)?;
    }
    Ok(())
}

/// The interpreter signals a condition for the first time: it has just taken its new GIL.
extern "C" fn signalled(address: u64) {
    let [switch_cond, cond] = [CONDITIONS[0].load(Relaxed), CONDITIONS[1].load(Relaxed)];
    if address != switch_cond || cond == 0 {
        return;
    }
    let pending = HOT.pending.swap(0, SeqCst);
    if pending == 0 {
        return;
    }
    // SAFETY: `wait_for_gil` stored the header of the mapped segment; the swap makes us its only user.
    let header: &'static Header = unsafe { &*(pending as *const Header) };
    if header.cancel.load(Relaxed) != 0 || HOT.cancel.load(SeqCst) != 0 {
        got::restore(&[mutex_init, cond_init, cond_signal]);
        return segment::give_up(header, status::DETACHED, 0);
    }
    let [switch_mutex, mutex] = [MUTEXES[0].load(Relaxed), MUTEXES[1].load(Relaxed)];
    let gil = Gil { cond, switch_cond, mutex, switch_mutex, thread_state: 0 };
    match learned(header, &gil) {
        Ok(()) => {
            suite::gil::acquired();
            header.status.store(status::RECORDING, Release);
            HOT.stage.store(stage::RECORDING, SeqCst);
        }
        Err((state, reason)) => {
            got::restore(&all_hooks());
            segment::give_up(header, state, reason);
        }
    }
}

/// Replaces the learning hooks by the real ones, on the interpreter's first thread, in its first take.
fn learned(header: &'static Header, gil: &Gil) -> Result<(), (u32, u32)> {
    let (api, version) = look_around(header)?;
    let module = object::module_of(api.anchor).ok_or((status::FAILED, error::SYMBOL))?;
    boot::describe(header, &api, version, gil);
    // The take has stored its thread state already (`last_holder`, before the signal).
    start_blame(header, &api, version, boot::last_holder(version, &api));
    let layout = Layout::of(header, HOT.boot_bytes.load(Relaxed) as usize)
        .ok_or((status::FAILED, error::ABI))?;
    HOT.adopt(core::ptr::from_ref(header) as usize, &layout, header);
    HOT.open_at_acquire.store(1, Relaxed);
    HOT.switch_cond.store(gil.switch_cond, Relaxed);
    HOT.cond.store(gil.cond, SeqCst);
    for hook in gil_hooks(false) {
        let n = got::place(&module, hook).map_err(boot::refused)?;
        header.patched.fetch_add(n, Relaxed);
    }
    got::restore(&[mutex_init, cond_init, cond_signal]);
    if states::is_wanted(header) {
        states::begin(&api, &module, false, 0);
    }
    Ok(())
}

/// Makes `LD_PRELOAD` what it was before the launch, in place.
///
/// The launch put our own name in front, followed by a colon if the variable was set before: then
/// the rest is moved to the front, else the variable is taken out.
fn restore_environment(environment: *mut *mut c_char) {
    const NAME: &[u8] = b"LD_PRELOAD=";
    let mut from = environment;
    let mut to = environment;
    // SAFETY: the loader passes the process's environment, an array of C strings that ends with a
    // null pointer; before main nobody else reads or writes it, and the loader has done with this
    // variable. `to` never overtakes `from`, and a string only becomes shorter.
    unsafe {
        while !(*from).is_null() {
            let text = CStr::from_ptr(*from).to_bytes_with_nul();
            let ours = text.starts_with(NAME);
            let rest =
                text.iter().position(|byte| *byte == b':').and_then(|colon| text.get(colon + 1..));
            if let (true, Some(rest)) = (ours, rest) {
                core::ptr::copy(rest.as_ptr(), (*from).cast::<u8>().add(NAME.len()), rest.len());
            }
            if !ours || rest.is_some() {
                *to = *from;
                to = to.add(1);
            }
            from = from.add(1);
        }
        *to = core::ptr::null_mut();
    }
}
