//! The ways in: the constructor that the loader runs, and the command entry of a resident agent.
//!
//! Both run on a borrowed thread of the target (or, for preload, on its first) and do next to
//! nothing there: map the segment, start the boot thread, go home.

use crate::{boot, detach, finish, learn, segment};
use core::ffi::{c_char, c_int};
use core::sync::atomic::Ordering::{Release, SeqCst};
use suite::hot::HOT;
use suite::memory::{number, syscall};
use wire::params::{MAGIC, Params, command, origin};
use wire::segment::{ABI_VERSION, error, status};

/// Filled in by the injector inside the image, before it is loaded.
#[unsafe(no_mangle)]
#[used]
#[unsafe(link_section = ".data")]
static mut GILSCOPE_PARAMS: Params = Params {
    magic: MAGIC,
    abi_version: ABI_VERSION,
    origin: origin::NOBODY,
    fd: -1,
    second_fd: -1,
    offset: 0,
    bytes: 0,
    hook_slot: 0,
    finish: 0,
    build_id: 0,
};

#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn(c_int, *const *const c_char, *mut *mut c_char) = constructor;

extern "C" fn constructor(
    _argc: c_int,
    _argv: *const *const c_char,
    environment: *mut *mut c_char,
) {
    // SAFETY: the loader runs the constructor once, before anybody else can look at the block; the
    // injector wrote it into the file, so the compiler must not assume the values above.
    let params: &'static Params = unsafe {
        let block = &raw const GILSCOPE_PARAMS;
        core::hint::black_box(block);
        &*block
    };
    // SAFETY: as above; a volatile read of a plain integer.
    match unsafe { (&raw const params.origin).read_volatile() } {
        origin::INJECTED => {
            attach(params.fd, params.offset, params.bytes);
            // SAFETY: the injector built both frames on this thread's stack, below us, before it
            // loaded this image, and says their addresses in the parameters.
            unsafe { finish::arm(params.hook_slot, params.finish) };
        }
        origin::PRELOAD => learn::preloaded(params, environment),
        _ => {}
    }
}

/// What an injector calls in an agent that is loaded already. See `wire::params::command`.
#[unsafe(no_mangle)]
extern "C" fn gilscope_command(request: u64, fd: c_int, offset: u64, bytes: u64) {
    match request {
        command::ATTACH => attach(fd, offset, bytes),
        command::DETACH => detach::start(),
        _ => {}
    }
}

/// Values of `HOT.stage`. One step at a time, by compare-and-swap: whoever makes it does the work.
pub(crate) mod stage {
    /// Nothing is mapped.
    pub(crate) const IDLE: u32 = 0;
    /// A segment is mapped; the boot thread, or preload's wait for a GIL, owns it.
    pub(crate) const BOOTING: u32 = 1;
    /// Hooks record into it.
    pub(crate) const RECORDING: u32 = 2;
    /// A thread takes the hooks out and unmaps it.
    pub(crate) const LEAVING: u32 = 3;
}

/// Takes the step from one stage to the next; false if the agent stands elsewhere.
pub(crate) fn step(from: u32, to: u32) -> bool {
    HOT.stage.compare_exchange(from, to, SeqCst, SeqCst).is_ok()
}

fn attach(fd: c_int, offset: u64, bytes: u64) {
    if !step(stage::IDLE, stage::BOOTING) {
        return;
    }
    HOT.cancel.store(0, SeqCst);
    let Some(header) = segment::map(fd, offset, bytes) else {
        return HOT.stage.store(stage::IDLE, Release);
    };
    header.status.store(status::BOOTING, Release);
    if !boot::start_thread(boot::thread) {
        segment::give_up(header, status::FAILED, error::THREAD);
    }
}

/// Closes a file descriptor that came with us.
pub(crate) fn close(fd: c_int) {
    if fd >= 0 {
        // SAFETY: close(2) on a descriptor that the injector opened for us in this process.
        unsafe { syscall(number::CLOSE, [fd as u64, 0, 0, 0, 0, 0]) };
    }
}
