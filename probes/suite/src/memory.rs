//! System calls made directly, and memory read so that a bad address is an answer, not a fault.
//!
//! No libc wrapper is used, so errno is never touched.

use crate::hot::HOT;
use crate::slots::thread_id;
use core::arch::asm;
use core::sync::atomic::Ordering::Relaxed;
use cpython::Memory;

/// Numbers of the system calls used (x86-64).
pub mod number {
    /// mmap(2)
    pub const MMAP: u64 = 9;
    /// mprotect(2)
    pub const MPROTECT: u64 = 10;
    /// munmap(2)
    pub const MUNMAP: u64 = 11;
    /// madvise(2)
    pub const MADVISE: u64 = 28;
    /// close(2)
    pub const CLOSE: u64 = 3;
    /// nanosleep(2)
    pub const NANOSLEEP: u64 = 35;
    /// prctl(2)
    pub const PRCTL: u64 = 157;
    /// getpid(2)
    pub const GETPID: u64 = 39;
    /// gettid(2)
    pub const GETTID: u64 = 186;
    /// process_vm_readv(2)
    pub const PROCESS_VM_READV: u64 = 310;
    /// sched_yield(2)
    pub const SCHED_YIELD: u64 = 24;
}

/// Makes a system call; negative results are `-errno`.
///
/// # Safety
/// As the call itself demands of its arguments.
#[inline(always)]
pub unsafe fn syscall(number: u64, a: [u64; 6]) -> i64 {
    let result: i64;
    // SAFETY: the x86-64 system call convention; rcx and r11 are clobbered by the instruction.
    unsafe {
        asm!("syscall", inlateout("rax") number as i64 => result, in("rdi") a[0], in("rsi") a[1],
            in("rdx") a[2], in("r10") a[3], in("r8") a[4], in("r9") a[5],
            lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    result
}

/// Lets `ns` go by, less than a second; shorter if a signal comes.
pub fn sleep(ns: u64) {
    let time = [0, ns];
    // SAFETY: nanosleep(2) reads a timespec, which `time` is laid out as on x86-64.
    unsafe { syscall(number::NANOSLEEP, [time.as_ptr() as u64, 0, 0, 0, 0, 0]) };
}

/// A word with its bits mixed, for tables: the upper ones depend on all of them (Knuth's multiplicative hash).
#[inline(always)]
pub fn scattered(word: u64) -> u64 {
    word.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The address of this thread's control block, `fs:0` (x86-64 psABI, TLS variant II).
#[inline(always)]
pub fn thread_pointer() -> u64 {
    let pointer: u64;
    // SAFETY: fs:0 holds the thread pointer itself in every thread that libc set up.
    unsafe {
        asm!("mov {}, fs:[0]", out(reg) pointer, options(nostack, readonly, preserves_flags))
    };
    pointer
}

/// The kernel's id of this thread, by asking the kernel.
pub fn gettid() -> u32 {
    // SAFETY: gettid has no arguments and cannot fail.
    unsafe { syscall(number::GETTID, [0; 6]) as u32 }
}

/// An id of this process that process_vm_readv(2) takes: this thread's, which the control block holds, once it is known
/// where; before, and in a child that was forked (the hot page reads as zeros there), what the kernel says.
fn own_id() -> u64 {
    match HOT.tid_offset.load(Relaxed) {
        // SAFETY: getpid has no arguments and cannot fail.
        0 => unsafe { syscall(number::GETPID, [0; 6]) as u64 },
        _ => u64::from(thread_id(&HOT, thread_pointer())),
    }
}

/// This process's own memory.
pub struct Own;

impl Memory for Own {
    fn read(&self, address: u64, into: &mut [u8]) -> bool {
        let local = [into.as_mut_ptr() as u64, into.len() as u64];
        let remote = [address, into.len() as u64];
        // SAFETY: `local` is an iovec over `into`; the kernel checks `remote` itself and answers
        // EFAULT for addresses that are not readable.
        let copied = unsafe {
            let arguments = [own_id(), local.as_ptr() as u64, 1, remote.as_ptr() as u64, 1, 0];
            syscall(number::PROCESS_VM_READV, arguments)
        };
        copied == into.len() as i64
    }
}
