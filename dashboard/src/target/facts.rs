//! What is known of a process before anything is done to it.

use crate::batch::Target;
use crate::collect::clock::SessionClock;
use inject::Identity;

/// The facts of a target for a session that begins with `clock`.
pub fn of(identity: &Identity, clock: &SessionClock, method: &str) -> Target {
    Target {
        pid: identity.pid(),
        python_version: String::new(),
        executable: identity.program(),
        cmdline: identity.command_line(),
        free_threaded: None,
        method: method.to_owned(),
        started_unix_ns: started_unix_ns(identity.start_ticks()),
        anchor_unix_ns: clock.anchor_unix_ns,
        host: sysinfo::System::host_name().unwrap_or_default(),
        n_cpus: std::thread::available_parallelism().map_or(1, |n| n.get() as u32),
    }
}

/// Wall clock of a start time in ticks since boot.
fn started_unix_ns(ticks: u64) -> u64 {
    let since_boot_ns = ticks * (1_000_000_000 / procfs::ticks_per_second().max(1));
    procfs::boot_time_secs().unwrap_or_default() * 1_000_000_000 + since_boot_ns
}

/// How a process ended, if the kernel still tells (its parent has not asked yet).
pub fn end_of(pid: u32) -> String {
    let stat = procfs::process::Process::new(pid as i32).and_then(|process| process.stat());
    // The code is as wait(2) gives it; the kernel shows it only to whoever could trace the process.
    match stat.map(|stat| (stat.state, stat.exit_code)) {
        Ok(('Z' | 'X', Some(status))) if status & 0x7f != 0 => {
            format!("killed by signal {}", status & 0x7f)
        }
        Ok(('Z' | 'X', Some(status))) => format!("exited with status {}", status >> 8 & 0xff),
        _ => "exited".to_owned(),
    }
}
