//! A deterministic source of batches: a small simulation of threads that share a GIL.
//!
//! For tests of whatever reads the store, and (cargo feature `generator`) for page tests that need
//! the same picture every time. It obeys the contract of a batch exactly: held + free = window,
//! threads' sums = totals, bands of CPU = the process's CPU. It knows nothing of the store.

mod batches;
mod frames;
mod gil;
mod imports;
mod random;
mod states;
#[cfg(test)]
mod tests;

use crate::batch::{Batch, Target};

/// What to simulate.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub seed: u64,
    /// Threads that compute under the GIL without end.
    pub cpu_threads: u32,
    /// Threads that take the GIL briefly, then wait for something outside.
    pub io_threads: u32,
    /// Threads that compute without ever taking the GIL.
    pub native_threads: u32,
    /// Short-lived threads a second.
    pub churn_per_s: u32,
    pub duration_ns: u64,
    /// Time between batches; they jitter by a tenth.
    pub tick_ns: u64,
    /// Three marks, and fewer CPU threads after the second.
    pub marks: bool,
    /// An event for every hold, as `--trace` makes them.
    pub trace: bool,
    /// Whether the target exits at the end.
    pub ends: bool,
    /// How many times as long threads stay away from the GIL: a calm target makes few events, and a day
    /// of it is made in minutes.
    pub calm: u64,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            seed: 1,
            cpu_threads: 3,
            io_threads: 4,
            native_threads: 1,
            churn_per_s: 2,
            duration_ns: 60_000_000_000,
            tick_ns: 100_000_000,
            marks: true,
            trace: false,
            ends: true,
            calm: 1,
        }
    }
}

impl Scenario {
    /// Many I/O threads that queue behind one CPU thread: every wait takes a switch interval.
    pub fn convoy() -> Self {
        Self {
            cpu_threads: 1,
            io_threads: 12,
            native_threads: 0,
            churn_per_s: 0,
            ..Self::default()
        }
    }

    /// A `--trace` session of more than 200,000 events.
    pub fn traced() -> Self {
        Self {
            cpu_threads: 1,
            io_threads: 24,
            churn_per_s: 0,
            duration_ns: 100_000_000_000,
            trace: true,
            ..Self::default()
        }
    }

    /// Whom the batches are about.
    pub fn target(&self) -> Target {
        let cmdline = ["python3", "server.py", "--workers", "8"];
        Target {
            pid: 4242,
            python_version: "3.12.7".into(),
            executable: "/usr/bin/python3.12".into(),
            cmdline: cmdline.map(String::from).to_vec(),
            free_threaded: Some(false),
            method: "ptrace".into(),
            started_unix_ns: 1_767_225_000_000_000_000,
            anchor_unix_ns: 1_767_225_600_000_000_000,
            host: "generated".into(),
            n_cpus: 4,
        }
    }

    /// The same batches every time, for the same scenario.
    pub fn batches(&self) -> impl Iterator<Item = Batch> + use<> {
        batches::Batches::new(self.clone())
    }
}
