//! One thread, stopped: the few ptrace(2) requests that are needed, and the promise to let go.
//!
//! `PTRACE_O_EXITKILL` is never set. All calls must come from one thread of ours; when that thread
//! ends, the kernel lets go of every tracee, so a stop that never happens holds nobody.

use crate::seccomp::Instruction;
use std::io;
use std::time::{Duration, Instant};

pub(crate) type Registers = libc::user_regs_struct;

const NT_X86_XSTATE: usize = 0x202;
const GETSIGMASK: libc::c_uint = 0x420a;
const SETSIGMASK: libc::c_uint = 0x420b;
const GET_RSEQ_CONFIGURATION: libc::c_uint = 0x420f;
const SECCOMP_GET_FILTER: libc::c_uint = 0x420c;
const EVENT_STOP: i32 = 128;
/// More than any processor's state today (11,008 with AMX).
const XSTATE_BYTES: usize = 32 * 1024;
/// Longest wait for one thread to stop.
const STOP_LIMIT: Duration = Duration::from_secs(2);

/// What became of a request to stop.
pub(crate) enum Stop {
    /// It stands still and may be looked at.
    Stopped(Tracee),
    /// It was doing something that a stop must not come between; it runs on.
    Passed,
    /// The thread or the process ended.
    Gone,
    /// Job control has stopped the process.
    JobControl,
    /// It did not stop in time (frozen, in vfork, or in an uninterruptible wait).
    TimedOut,
    /// The kernel refused.
    Refused(io::Error),
}

/// A stopped thread. Dropping it lets it go on.
pub(crate) struct Tracee {
    thread: i32,
    asked: Instant,
    seen: Instant,
}

impl Tracee {
    /// Stops `thread` without a signal being visible to it.
    pub(crate) fn stop(thread: u32) -> Stop {
        let tracee = Tracee { thread: thread as i32, asked: Instant::now(), seen: Instant::now() };
        if let Err(error) = tracee.request(libc::PTRACE_SEIZE, 0, 0) {
            std::mem::forget(tracee);
            return match error.raw_os_error() {
                Some(libc::ESRCH) => Stop::Gone,
                _ => Stop::Refused(error),
            };
        }
        if tracee.request(libc::PTRACE_INTERRUPT, 0, 0).is_err() {
            return Stop::Gone;
        }
        tracee.wait()
    }

    fn wait(self) -> Stop {
        loop {
            let mut status = 0;
            let flags = libc::__WALL | libc::WNOHANG | libc::__WNOTHREAD;
            // SAFETY: status is a valid place; the thread is our tracee.
            let seen = unsafe { libc::waitpid(self.thread, &mut status, flags) };
            if seen == self.thread {
                return self.judge(status);
            }
            if seen < 0 && io::Error::last_os_error().raw_os_error() != Some(libc::EINTR) {
                return Stop::Gone;
            }
            let waited = self.asked.elapsed();
            if waited > STOP_LIMIT {
                return Stop::TimedOut;
            }
            // Most stops come within 50 us; beyond that the thread waits for a processor: give it ours.
            if waited < Duration::from_micros(50) {
                std::thread::yield_now();
            } else {
                std::thread::sleep(Duration::from_micros(20));
            }
        }
    }

    fn judge(mut self, status: i32) -> Stop {
        self.seen = Instant::now();
        if !libc::WIFSTOPPED(status) {
            std::mem::forget(self);
            return Stop::Gone;
        }
        let signal = libc::WSTOPSIG(status);
        match status >> 16 {
            EVENT_STOP if signal == libc::SIGTRAP => Stop::Stopped(self),
            EVENT_STOP => Stop::JobControl,
            // Not ours to keep: the signal goes on to where it was going.
            _ => {
                self.detach(signal);
                Stop::Passed
            }
        }
    }

    pub(crate) fn registers(&self) -> io::Result<Registers> {
        // SAFETY: a struct of integers, for which zero is a value.
        let mut registers: Registers = unsafe { std::mem::zeroed() };
        self.request(libc::PTRACE_GETREGS, 0, &raw mut registers as usize)?;
        Ok(registers)
    }

    pub(crate) fn set_registers(&self, registers: &Registers) -> io::Result<()> {
        self.request(libc::PTRACE_SETREGS, 0, std::ptr::from_ref(registers) as usize).map(drop)
    }

    /// Blocked signals; inside `ppoll` and its kin the mask that will be restored.
    pub(crate) fn signal_mask(&self) -> io::Result<u64> {
        let mut mask = 0u64;
        self.request(GETSIGMASK, 8, &raw mut mask as usize)?;
        Ok(mask)
    }

    pub(crate) fn set_signal_mask(&self, mask: u64) -> io::Result<()> {
        self.request(SETSIGMASK, 8, &raw const mask as usize).map(drop)
    }

    /// All extended state, at the machine's maximum size.
    pub(crate) fn xstate(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0u8; XSTATE_BYTES];
        let mut place = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
        self.request(libc::PTRACE_GETREGSET, NT_X86_XSTATE, &raw mut place as usize)?;
        bytes.truncate(place.iov_len);
        Ok(bytes)
    }

    /// Address of the thread's `struct rseq`, or `None` if it has none or the kernel cannot tell.
    pub(crate) fn rseq(&self) -> Option<u64> {
        let mut configuration = [0u64; 3];
        let bytes = size_of_val(&configuration);
        self.request(GET_RSEQ_CONFIGURATION, bytes, configuration.as_mut_ptr() as usize).ok()?;
        (configuration[0] != 0).then_some(configuration[0])
    }

    /// The `index`-th seccomp filter, newest first; `None` behind the last one.
    ///
    /// # Errors
    /// We lack CAP_SYS_ADMIN, or are filtered ourselves.
    pub(crate) fn seccomp_filter(&self, index: usize) -> io::Result<Option<Vec<Instruction>>> {
        let length = match self.request(SECCOMP_GET_FILTER, index, 0) {
            Ok(length) => length as usize,
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut words = vec![0u64; length];
        self.request(SECCOMP_GET_FILTER, index, words.as_mut_ptr() as usize)?;
        Ok(Some(words.into_iter().map(Instruction::from_word).collect()))
    }

    /// Lets it go on. Says how long it took from the request until the thread was seen standing (waiting
    /// for a processor included), and how long from then until it was let go.
    pub(crate) fn release(self) -> (Duration, Duration) {
        let (asked, seen) = (self.asked, self.seen);
        drop(self);
        (seen - asked, seen.elapsed())
    }

    fn detach(self, signal: i32) {
        let _ = self.request(libc::PTRACE_DETACH, 0, signal as usize);
        std::mem::forget(self);
    }

    fn request(&self, request: libc::c_uint, address: usize, data: usize) -> io::Result<i64> {
        // SAFETY: `data` is an integer, or the address of a live value of the size that the request
        // writes or reads (ptrace(2)); `address` is a size or a type there. All callers are above.
        let result = unsafe { libc::ptrace(request, self.thread, address, data) };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
    }
}

impl Drop for Tracee {
    fn drop(&mut self) {
        // Fails if it never stopped or is gone; then the end of our thread lets go of it.
        let _ = self.request(libc::PTRACE_DETACH, 0, 0);
    }
}
