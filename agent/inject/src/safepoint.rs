//! Whether a stopped thread may be borrowed: nothing that the agent's loading needs is half done in it.
//!
//! Loading calls `dlopen`, `malloc` and `pthread_create`; a thread that holds one of their locks would
//! wait for itself. What a thread *waits in* decides, not which stale words lie on its stack: those
//! stay for ever (injection.md section 4). When in doubt the answer is no, and another moment is tried.

use crate::clib::CLibrary;
use crate::maps::Maps;
use crate::memory::Memory;
use crate::ptrace::Registers;
use crate::unwind::{Unproven, Unwinder};
use std::ops::Range;

/// Furthest that return addresses are looked for above rsp, bytes.
const SCAN: usize = 16 * 1024;
/// `FUTEX_WAIT_BITSET` without its flag bits (linux/futex.h): semaphores, conditions, the GIL. Plain
/// `FUTEX_WAIT` is what mutexes use, the allocator's and the loader's too.
const FUTEX_WAIT_BITSET: u64 = 9;
/// `FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME`.
const FUTEX_FLAGS: u64 = 0x180;

/// The answer; `Err` says why not.
pub(crate) type Verdict = Result<(), Rejected>;

/// Why a thread was let go again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rejected {
    pub(crate) why: &'static str,
    /// Code whose unwind tables would help the next try.
    pub(crate) needs_tables: Option<u64>,
}

/// A rejection that another moment may cure.
pub(crate) fn no(why: &'static str) -> Rejected {
    Rejected { why, needs_tables: None }
}

/// Calls in which a thread waits while holding none of those locks.
fn waits(registers: &Registers) -> bool {
    let number = registers.orig_rax as i64;
    if number == libc::SYS_futex {
        return registers.rsi & !FUTEX_FLAGS == FUTEX_WAIT_BITSET;
    }
    [
        libc::SYS_read,
        libc::SYS_write,
        libc::SYS_poll,
        libc::SYS_select,
        libc::SYS_pselect6,
        libc::SYS_ppoll,
        libc::SYS_nanosleep,
        libc::SYS_clock_nanosleep,
        libc::SYS_connect,
        libc::SYS_accept,
        libc::SYS_accept4,
        libc::SYS_sendto,
        libc::SYS_recvfrom,
        libc::SYS_sendmsg,
        libc::SYS_recvmsg,
        libc::SYS_wait4,
        libc::SYS_waitid,
        libc::SYS_flock,
        libc::SYS_rt_sigtimedwait,
        libc::SYS_msgrcv,
        libc::SYS_msgsnd,
        libc::SYS_semop,
        libc::SYS_semtimedop,
        libc::SYS_io_getevents,
        libc::SYS_restart_syscall,
        libc::SYS_epoll_wait,
        libc::SYS_epoll_pwait,
        libc::SYS_epoll_pwait2,
    ]
    .contains(&number)
}

fn within(ranges: &[Range<u64>], address: u64) -> bool {
    ranges.iter().any(|range| range.contains(&address))
}

/// What the judgement rests on.
pub(crate) struct Judge<'a> {
    pub(crate) memory: &'a Memory,
    pub(crate) maps: &'a Maps,
    pub(crate) clib: &'a CLibrary,
    pub(crate) unwinder: &'a Unwinder,
}

impl Judge<'_> {
    /// A thread behind a system call: it must be one of the waiting ones, and the call must come from
    /// code outside the C library's allocator and loader.
    pub(crate) fn in_syscall(&self, registers: &Registers) -> Verdict {
        if !within(&self.clib.libc, registers.rip) {
            return Err(no("in a system call that is not the C library's"));
        }
        if within(&self.clib.allocators, registers.rip) || !waits(registers) {
            return Err(no("in a system call that may hold a lock"));
        }
        let stack = self.memory.read_some(registers.rsp, SCAN);
        for word in stack.chunks_exact(8) {
            let word = u64::from_le_bytes(word.try_into().expect("chunks of eight"));
            if self.clib.restorers.contains(&word) {
                return Err(no("in a signal handler"));
            }
            let executable = self.maps.at(word).is_some_and(|mapping| mapping.execute);
            if !executable || !self.is_behind_call(word) {
                continue;
            }
            if within(&self.clib.loader, word) {
                return Err(no("in the loader"));
            }
            if within(&self.clib.allocators, word) {
                return Err(no("in the allocator"));
            }
            if !within(&self.clib.libc, word) {
                return Ok(());
            }
        }
        Err(no("in a call from nowhere"))
    }

    /// A thread in user code: every frame is named by the unwind tables, down to the thread's start, and
    /// the C library appears only where it started the thread.
    pub(crate) fn in_user_code(&self, registers: &Registers, rseq_section: u64) -> Verdict {
        let mapping = self.maps.at(registers.rip).filter(|mapping| mapping.is_file());
        if mapping.is_none() || rseq_section != 0 {
            return Err(no("in code of no file, or in a restartable sequence"));
        }
        let outside = |address: u64| {
            !within(&self.clib.libc, address)
                && !within(&self.clib.loader, address)
                && !within(&self.clib.allocators, address)
        };
        if !outside(registers.rip) {
            return Err(no("in the C library"));
        }
        let frames = self.unwinder.walk(self.memory, registers).map_err(unproven)?;
        if frames.iter().any(|address| self.clib.restorers.contains(address)) {
            return Err(no("in a signal handler"));
        }
        // The program's own `_start` may stand behind the C library's frames, as the very last.
        let own = frames.iter().take_while(|address| outside(**address)).count();
        let started_by = &frames[own..];
        let middle = &started_by[..started_by.len().saturating_sub(1)];
        let only_libc = middle.iter().all(|address| within(&self.clib.libc, *address));
        let start_ok = started_by.last().is_none_or(|address| {
            within(&self.clib.libc, *address) || (!middle.is_empty() && outside(*address))
        });
        let allocator = started_by.iter().any(|address| within(&self.clib.allocators, *address));
        if only_libc && start_ok && !allocator {
            Ok(())
        } else {
            Err(no("called by the C library"))
        }
    }

    /// Whether the bytes before `address` are a call: `e8 rel32`, or `ff /2` in any of its lengths.
    fn is_behind_call(&self, address: u64) -> bool {
        let Some(start) = address.checked_sub(7) else {
            return false;
        };
        let Ok(code) = self.memory.array::<7>(start) else {
            return false;
        };
        let indirect = |length: usize| {
            let at = 7 - length;
            code[at] == 0xff && code[at + 1] & 0x38 == 0x10
        };
        code[2] == 0xe8 || [2, 3, 4, 6, 7].into_iter().any(indirect)
    }
}

fn unproven(why: Unproven) -> Rejected {
    match why {
        Unproven::NoTables(address) => {
            Rejected { why: "in code without unwind tables", needs_tables: Some(address) }
        }
        Unproven::NoRule => no("in code whose callers cannot be proven"),
        Unproven::TooDeep => no("in too deep a recursion"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(number: i64, second: u64) -> Registers {
        // SAFETY: a struct of integers, for which zero is a value.
        let mut registers: Registers = unsafe { std::mem::zeroed() };
        (registers.orig_rax, registers.rsi) = (number as u64, second);
        registers
    }

    #[test]
    fn mutex_waits_and_memory_calls_are_refused() {
        for operation in [0x189, 0x89, 9] {
            assert!(waits(&call(libc::SYS_futex, operation)));
        }
        for operation in [0x80, 0x81, 0, 0x86] {
            assert!(!waits(&call(libc::SYS_futex, operation)));
        }
        for number in [libc::SYS_mmap, libc::SYS_brk, libc::SYS_munmap, libc::SYS_openat] {
            assert!(!waits(&call(number, 0)));
        }
        assert!(waits(&call(libc::SYS_epoll_wait, 0)));
    }
}
