//! The last thing that runs on a borrowed thread before the kernel takes it home (`inject`, variant Q).
//!
//! `dlopen` may have changed errno, and a signal may have come that has to interrupt the system call
//! the thread was taken out of: the kernel would have returned EINTR, so the last frame is made to.
//! Knows the layout of the frames that `inject` lays; makes one system call, touches nothing else.

use core::arch::asm;
use wire::params::Finish;

/// From the start of a frame to its saved rdi (`inject`'s frame.rs: return address, uc, r8 …).
const FRAME_RDI: u64 = 112;
/// From the start of a frame to its saved rip.
const FRAME_RIP: u64 = 176;
/// From a frame's `uc` to its saved rax.
const UC_RAX: u64 = 144;
/// From a frame's `uc` to its saved rip.
const UC_RIP: u64 = 168;
const RT_SIGPENDING: u64 = 127;
const EINTR: i64 = -4;

/// Makes the hook slot's step a call of [`gilscope_finish`]; for the constructor, with the parameters'
/// `hook_slot` and `finish`. A `hook_slot` of 0 is left alone.
///
/// # Safety
/// `hook_slot` is 0, or the frame of a step that has not run yet, on the stack of the calling thread.
pub(crate) unsafe fn arm(hook_slot: u64, finish: u64) {
    if hook_slot != 0 {
        // SAFETY: by contract the frame is ours to write: it lies below the borrowed thread's own data,
        // and the kernel reads it only after this thread has returned from the current step.
        unsafe {
            ((hook_slot + FRAME_RDI) as *mut u64).write(finish);
            ((hook_slot + FRAME_RIP) as *mut u64).write(gilscope_finish as *const () as u64);
        }
    }
}

/// Puts errno right, and lets a signal that waits interrupt the call the thread was taken out of.
///
/// # Safety
/// Only as a step of a chain of `inject`: `finish` is the block it laid on this thread's stack.
#[unsafe(no_mangle)]
unsafe extern "C" fn gilscope_finish(finish: *mut Finish) {
    let mut pending = 0u64;
    // SAFETY: rt_sigpending(2) writes eight bytes to a place of ours; rcx and r11 are lost to `syscall`.
    unsafe {
        asm!("syscall", inlateout("rax") RT_SIGPENDING => _, in("rdi") &raw mut pending, in("rsi") 8,
             out("rcx") _, out("r11") _, options(nostack));
    }
    // SAFETY: by contract the block is valid and nobody else uses it; the addresses in it are this
    // thread's errno, and the last frame of the chain, which the kernel reads only later.
    unsafe {
        let facts = &mut *finish;
        if facts.errno_address != 0 {
            (facts.errno_address as *mut i32).write(facts.errno_value);
        }
        facts.done = 1;
        let waits = pending & facts.caught_mask & !facts.original_mask != 0;
        if waits && facts.in_syscall == 1 && facts.final_uc != 0 {
            ((facts.final_uc + UC_RAX) as *mut i64).write(EINTR);
            ((facts.final_uc + UC_RIP) as *mut u64).write(facts.after_syscall);
            facts.done = 2;
        }
    }
}
