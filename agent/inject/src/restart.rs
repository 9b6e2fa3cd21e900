//! How an interrupted system call is carried on, so that the target never sees an EINTR of ours.
//!
//! The kernel's own restart codes are visible at a ptrace stop (include/linux/errno.h); the table is
//! injection.md section 3.

use crate::memory::Memory;
use crate::ptrace::{Registers, Tracee};
use std::io;

const EINTR: i64 = -4;
const ERESTARTSYS: i64 = -512;
const ERESTARTNOINTR: i64 = -513;
const ERESTARTNOHAND: i64 = -514;
const ERESTART_RESTARTBLOCK: i64 = -516;

/// How the thread goes on after the chain.
#[derive(Clone, Copy)]
pub(crate) struct Restart {
    /// Registers to go home with.
    pub(crate) home: Registers,
    /// It was taken out of a call that would report EINTR if a handler ran.
    pub(crate) interruptible: bool,
}

/// Whether the thread stands right behind a `syscall` instruction that it entered the kernel with.
///
/// A signal frame just set up also shows a call number; its rip fails the byte test.
pub(crate) fn behind_syscall(registers: &Registers, code_before: &[u8]) -> bool {
    registers.orig_rax as i64 >= 0 && code_before.ends_with(&[0x0f, 0x05])
}

/// Calls that return EINTR at any stop, though no handler ran (signal(7), "interruption of system calls
/// by stop signals"), and that have then done nothing yet: they may simply be made again. Never `close`.
/// Reading and writing are there for sockets that have a time-out.
const RETURN_EINTR: &[i64] = &[
    libc::SYS_epoll_wait,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_recvmmsg,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
    libc::SYS_connect,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_semop,
    libc::SYS_semtimedop,
    libc::SYS_io_getevents,
    libc::SYS_io_uring_enter,
];

fn returns_eintr(number: i64) -> bool {
    RETURN_EINTR.contains(&number)
}

/// Registers that make the call again, if it already carries an EINTR that only we have caused.
/// To be set at once: from then on our own death leaves no trace.
pub(crate) fn early_rewind(registers: &Registers) -> Option<Registers> {
    let number = registers.orig_rax as i64;
    (registers.rax as i64 == EINTR && returns_eintr(number)).then(|| rewound(registers, number))
}

/// Rewinds a thread that is only looked at and let go again.
pub(crate) fn rewind_now(tracee: &Tracee, memory: &Memory) -> io::Result<()> {
    let found = tracee.registers()?;
    let code: [u8; 2] = memory.array(found.rip.wrapping_sub(2)).unwrap_or_default();
    match early_rewind(&found) {
        Some(registers) if behind_syscall(&found, &code) => tracee.set_registers(&registers),
        _ => Ok(()),
    }
}

/// The rule for a thread that stands behind a system call; `code_before` are the 64 bytes before rip.
pub(crate) fn plan(registers: &Registers, code_before: &[u8]) -> Restart {
    let number = registers.orig_rax as i64;
    match registers.rax as i64 {
        ERESTARTSYS | ERESTARTNOHAND => {
            Restart { home: rewound(registers, number), interruptible: true }
        }
        ERESTARTNOINTR => Restart { home: rewound(registers, number), interruptible: false },
        ERESTART_RESTARTBLOCK => restart_block(registers, number, code_before),
        EINTR if returns_eintr(number) => {
            Restart { home: rewound(registers, number), interruptible: true }
        }
        _ => Restart { home: *registers, interruptible: false },
    }
}

fn rewound(registers: &Registers, number: i64) -> Registers {
    let mut home = *registers;
    home.rax = number as u64;
    home.rip -= 2;
    home.orig_rax = u64::MAX;
    home
}

/// `rt_sigreturn` destroys the restart block, so the call is made again with its original number.
fn restart_block(registers: &Registers, number: i64, code_before: &[u8]) -> Restart {
    let number = match number {
        libc::SYS_restart_syscall => original_number(code_before),
        number => Some(number),
    };
    let Some(number) = number else {
        let mut home = *registers;
        home.rax = EINTR as u64;
        home.orig_rax = u64::MAX;
        return Restart { home, interruptible: false };
    };
    let mut home = rewound(registers, number);
    // The kernel stored the remaining time where the caller asked for it (relative sleeps only).
    if number == libc::SYS_nanosleep && home.rsi != 0 {
        home.rdi = home.rsi;
    }
    if number == libc::SYS_clock_nanosleep && home.rsi == 0 && home.r10 != 0 {
        home.rdx = home.r10;
    }
    Restart { home, interruptible: true }
}

/// The nearest `mov $number,%eax` before the instruction, if it is a call that uses restart blocks.
fn original_number(code_before: &[u8]) -> Option<i64> {
    let known = [libc::SYS_poll, libc::SYS_nanosleep, libc::SYS_futex, libc::SYS_clock_nanosleep];
    let numbers =
        code_before.windows(5).rev().filter(|window| window[0] == 0xb8).map(|window| {
            i64::from(i32::from_le_bytes(window[1..].try_into().expect("four bytes")))
        });
    numbers.take(1).find(|number| known.contains(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(number: i64, result: i64) -> Registers {
        // SAFETY: a struct of integers, for which zero is a value.
        let mut registers: Registers = unsafe { std::mem::zeroed() };
        registers.orig_rax = number as u64;
        registers.rax = result as u64;
        registers.rip = 0x1002;
        registers
    }

    #[test]
    fn restart_codes_rewind() {
        for code in [ERESTARTSYS, ERESTARTNOHAND, ERESTARTNOINTR, ERESTART_RESTARTBLOCK] {
            let restart = plan(&at(libc::SYS_read, code), &[]);
            assert_eq!((restart.home.rip, restart.home.rax), (0x1000, libc::SYS_read as u64));
            assert_eq!(restart.interruptible, code != ERESTARTNOINTR);
        }
    }

    #[test]
    fn finished_calls_are_left_alone() {
        let restart = plan(&at(libc::SYS_read, 5), &[]);
        assert_eq!((restart.home.rip, restart.home.rax), (0x1002, 5));
        let restart = plan(&at(libc::SYS_close, EINTR), &[]);
        assert_eq!((restart.home.rip, restart.home.rax as i64), (0x1002, EINTR));
        assert!(early_rewind(&at(libc::SYS_close, EINTR)).is_none());
        for number in
            [libc::SYS_epoll_wait, libc::SYS_read, libc::SYS_semop, libc::SYS_io_getevents]
        {
            assert!(early_rewind(&at(number, EINTR)).is_some());
        }
    }

    #[test]
    fn a_lost_number_is_found_in_the_code() {
        let mut code = vec![0x90; 30];
        code.extend([0xb8, 7, 0, 0, 0, 0x0f, 0x05]);
        let restart = plan(&at(libc::SYS_restart_syscall, ERESTART_RESTARTBLOCK), &code);
        assert_eq!((restart.home.rip, restart.home.rax), (0x1000, 7));
        let restart = plan(&at(libc::SYS_restart_syscall, ERESTART_RESTARTBLOCK), &[0x90; 30]);
        assert_eq!((restart.home.rip, restart.home.rax as i64), (0x1002, EINTR));
    }

    #[test]
    fn nanosleep_goes_on_with_the_rest() {
        let mut registers = at(libc::SYS_nanosleep, ERESTART_RESTARTBLOCK);
        (registers.rdi, registers.rsi) = (1, 2);
        assert_eq!(plan(&registers, &[]).home.rdi, 2);
    }
}
