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

/// Thread ids, the most promising first.
pub(crate) fn threads(target: &Identity) -> Vec<u32> {
    let mut ranked: Vec<(Rank, u32)> = target
        .threads(MAX_THREADS)
        .into_iter()
        .filter_map(|thread| {
            let text = target.folder().text(&format!("task/{thread}/syscall")).ok()?;
            Some((rank(&text), thread))
        })
        .collect();
    // Stable: among equals the main thread, which has the largest stack, comes first.
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, thread)| thread).collect()
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
        | libc::SYS_clock_nanosleep => Rank::Wait,
        libc::SYS_poll
        | libc::SYS_nanosleep
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
        assert_eq!(rank(""), Rank::Rest);
        assert_eq!(rank("-1 0x0 0x0"), Rank::Rest);
    }
}
