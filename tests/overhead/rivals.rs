//! The rival that sees every GIL cycle too: kernel uprobes through perf.
//!
//! A uprobe on libc's `pthread_cond_signal` is hit at each acquire and each release, which is the least
//! that an event-exact tool outside the process needs (giltracer's four probes cost more). perf only counts
//! here: to record them costs more still, and the kernel throttles it.

use crate::harness::process::Process;
use std::process::{Command, Output};

const GROUP: &str = "gilscope_overhead";

/// A probe that stands while this lives.
pub(crate) struct Uprobe;

impl Uprobe {
    /// Puts the probe into the libc of process `pid`, or says why that cannot be.
    pub(crate) fn set(pid: u32) -> Result<Self, String> {
        let maps =
            std::fs::read_to_string(format!("/proc/{pid}/maps")).map_err(|e| e.to_string())?;
        let libc =
            maps.lines().find_map(|line| line.find('/').map(|at| &line[at..]).filter(is_libc));
        let libc = libc.ok_or("the process has no libc.so.6")?;
        let probe = format!("{GROUP}:signal=pthread_cond_signal");
        perf(&["probe", "-q", "-f", "-x", libc, "--add", &probe]).map(|_| Self)
    }

    /// Starts to count in `pid`; returns once the probe is in force.
    pub(crate) fn count(&self, pid: u32) -> Process {
        let event = format!("{GROUP}:signal");
        let pid = pid.to_string();
        let mut command = Command::new("perf");
        let process =
            Process::start(command.args(["stat", "-D", "1", "-x", ",", "-e", &event, "-p", &pid]));
        process.stderr_line(|line| line.contains("Events enabled"));
        process
    }

    /// Ends the count; how many events there were.
    pub(crate) fn counted(perf: Process) -> Result<u64, String> {
        perf.signal(libc::SIGINT);
        let said = perf.finish().stderr;
        let line = said.lines().find(|line| line.contains(GROUP));
        line.and_then(|line| line.split(',').next()?.parse().ok()).ok_or(said)
    }
}

impl Drop for Uprobe {
    fn drop(&mut self) {
        let _ = perf(&["probe", "-q", "--del", &format!("{GROUP}:*")]);
    }
}

fn is_libc(path: &&str) -> bool {
    path.ends_with("/libc.so.6")
}

fn perf(arguments: &[&str]) -> Result<Output, String> {
    let output = Command::new("perf").args(arguments).output().map_err(|e| format!("perf: {e}"))?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("perf {}: {}", arguments[0], said.lines().next().unwrap_or("failed")))
}
