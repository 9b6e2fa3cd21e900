//! Which thread to try first, from `/proc/PID/task/T/syscall` (proc_pid_syscall(5)), without a stop.
//!
//! A thread that waits for a semaphore or condition is best: it holds no lock that matters, and its
//! wait goes on exactly. One in `poll` or `epoll` would have its time-out start again: later.

use crate::identity::Identity;

/// Threads looked at in one round; a process may have tens of thousands.
const MAX_THREADS: usize = 512;

/// How promising a thread is, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Futex,
    Wait,
    TimedWait,
    Running,
    Rest,
}

/// A thread that may be borrowed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    pub(crate) thread: u32,
    /// Its stack pointer; unknown while it runs.
    pub(crate) rsp: Option<u64>,
}

/// Threads, the most promising first.
pub(crate) fn threads(target: &Identity) -> Vec<Candidate> {
    let mut ranked: Vec<(Rank, Candidate)> = target
        .threads(MAX_THREADS)
        .into_iter()
        .filter_map(|thread| {
            let text = target.folder().text(&format!("task/{thread}/syscall")).ok()?;
            Some((rank(&text), Candidate { thread, rsp: stack_pointer(&text) }))
        })
        .collect();
    // Stable: among equals the main thread, which has the largest stack, comes first.
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, candidate)| candidate).collect()
}

/// The last but one field; the last is the instruction pointer.
fn stack_pointer(text: &str) -> Option<u64> {
    let word = text.split_whitespace().rev().nth(1)?.strip_prefix("0x")?;
    u64::from_str_radix(word, 16).ok()
}

fn rank(text: &str) -> Rank {
    let mut words = text.split_whitespace();
    let first = words.next().unwrap_or("");
    let Ok(number) = first.parse::<i64>() else {
        return if first == "running" { Rank::Running } else { Rank::Rest };
    };
    match number {
        libc::SYS_futex => {
            let operation = words.nth(1).and_then(|word| word.strip_prefix("0x"));
            match operation.and_then(|word| u64::from_str_radix(word, 16).ok()) {
                Some(operation) if operation & 0x7f == 9 => Rank::Futex,
                _ => Rank::Rest,
            }
        }
        libc::SYS_select
        | libc::SYS_pselect6
        | libc::SYS_ppoll
        | libc::SYS_accept
        | libc::SYS_accept4
        | libc::SYS_recvfrom
        | libc::SYS_wait4
        | libc::SYS_msgrcv
        | libc::SYS_clock_nanosleep => Rank::Wait,
        libc::SYS_poll
        | libc::SYS_nanosleep
        | libc::SYS_semtimedop
        | libc::SYS_io_getevents
        | libc::SYS_epoll_wait
        | libc::SYS_epoll_pwait
        | libc::SYS_epoll_pwait2 => Rank::TimedWait,
        _ => Rank::Rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_for_conditions_come_first() {
        let futex = rank("202 0x7f01 0x189 0x0 0x0 0x0 0xffffffff 0x7ffd 0x7f02\n");
        let mutex = rank("202 0x7f01 0x80 0x2 0x0 0x0 0x0 0x7ffd 0x7f02\n");
        let (select, running) = (rank("23 0x0 0x0 0x0 0x0 0x0 0x0 0x0 0x0"), rank("running\n"));
        assert!(futex < select && select < running && running < mutex);
        assert_eq!(stack_pointer("0 0x1 0x2 0x3 0x4 0x5 0x6 0x7ffd 0x7f02\n"), Some(0x7ffd));
        assert_eq!(stack_pointer("running\n"), None);
        assert_eq!(rank(""), Rank::Rest);
        assert_eq!(rank("-1 0x0 0x0"), Rank::Rest);
    }
}
