//! A signal that came while a thread was away for the first stop, when no code of ours is there yet.
//!
//! Such a signal stays blocked until the thread is home, and its C handler then runs before the rewound
//! call is made again: the call blocks, and Python's own handler is late by the whole wait. So the chain
//! asks, as its last steps, which signals are pending, and leaves the answer far below the thread's
//! stack, where a handler's frame does not reach. If there was one, the call is given the EINTR that the
//! kernel would have given it. (At the second stop the agent's finish function does this.)

use crate::borrow::Site;
use crate::frame::Step;
use crate::memory::Memory;
use crate::ptrace::{Stop, Tracee};
use crate::restart;
use std::time::{Duration, Instant};

/// Below the chain: more than a signal frame with all vector state needs, less than any stack we take.
const DEPTH: u64 = 16 * 1024;
/// The chain's last steps come microseconds after the memfd can be seen.
const LIMIT: Duration = Duration::from_millis(20);
/// What a mask of all signals reads as: SIGKILL and SIGSTOP cannot be blocked (sigprocmask(2)).
const ALL_BUT_TWO: u64 = !(1 << (libc::SIGKILL - 1) | 1 << (libc::SIGSTOP - 1));
const EINTR: i64 = -4;

/// Steps that [`Watch::of`] adds to a chain.
pub(crate) const STEPS: usize = 2;

/// Where the answer will stand, and what it means.
#[derive(Clone, Copy, Default)]
pub(crate) struct Watch {
    at: u64,
    /// Signals that the thread would have seen: caught, and not blocked by itself.
    seen: u64,
    interruptible: bool,
}

impl Watch {
    /// Prepares a place; the thread stands still. The marker is wiped so that an old one is not believed.
    pub(crate) fn of(site: &Site, caught: u64, memory: &Memory) -> Self {
        let at = (site.place.lowest() - DEPTH) & !15;
        // It may be on a page of the stack that does not exist yet: then there is no old marker.
        let _ = memory.write(at, &[0; 16]);
        Self { at, seen: caught & !site.mask, interruptible: site.interruptible }
    }

    /// The chain's last steps: what is pending, and a marker that says that it was asked.
    pub(crate) fn steps(&self) -> [Step; STEPS] {
        let block = libc::SIG_BLOCK as u64;
        [
            Step::Syscall(libc::SYS_rt_sigpending, [self.at, 8, 0, 0, 0, 0]),
            Step::Syscall(libc::SYS_rt_sigprocmask, [block, 0, self.at + 8, 8, 0, 0]),
        ]
    }

    /// Interrupts the thread's call if a signal has come meanwhile.
    pub(crate) fn settle(&self, thread: u32, memory: &Memory) {
        if self.interruptible && self.came(memory) {
            interrupt(thread, memory);
        }
    }

    fn came(&self, memory: &Memory) -> bool {
        let deadline = Instant::now() + LIMIT;
        while Instant::now() < deadline {
            if memory.u64(self.at + 8).is_ok_and(|marker| marker == ALL_BUT_TWO) {
                return memory.u64(self.at).is_ok_and(|pending| pending & self.seen != 0);
            }
            std::thread::sleep(Duration::from_micros(20));
        }
        false
    }
}

/// Makes the call that a thread waits in return EINTR, if it waits in one that may.
fn interrupt(thread: u32, memory: &Memory) {
    let Stop::Stopped(tracee) = Tracee::stop(thread) else { return };
    let Ok(found) = tracee.registers() else { return };
    let code = memory.read(found.rip.wrapping_sub(64), 64).unwrap_or_default();
    if restart::behind_syscall(&found, &code) && restart::plan(&found, &code).interruptible {
        let mut registers = found;
        registers.rax = EINTR as u64;
        registers.orig_rax = u64::MAX;
        // If it fails the thread has ended.
        let _ = tracee.set_registers(&registers);
    }
    tracee.release();
}
