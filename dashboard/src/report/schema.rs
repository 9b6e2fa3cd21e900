//! `report.json`, schema "gilscope.report/1". Stable: programs read it. Fields stand in this order.
//!
//! Every number is ns, bytes, a count or a share of 1. What is unknown is null, and `notes` says
//! why; nothing unknown is ever 0. Times (`at_ns`) count from `window.start_unix_ns`.

use super::states::ThreadStates;
use crate::batch::ThreadKind;
use crate::store::Class;
use serde::Serialize;
use std::collections::BTreeMap;

pub const SCHEMA: &str = "gilscope.report/1";

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub schema: &'static str,
    pub target: Target,
    pub window: Window,
    /// Null while it is watched.
    pub ended: Option<Ended>,
    pub marks: Vec<Mark>,
    pub loss: Loss,
    /// What was tried on the target, whether in the window or not; `at_ns` and ranges on the session's clock.
    pub experiments: Vec<crate::view::Experiment>,
    pub gil: Option<Gil>,
    /// In the order of first sight; last "exited threads" (`thread_id` 0) for the CPU and counters
    /// of threads that are no longer listed one by one.
    pub threads: Vec<Thread>,
    pub handoffs: Option<Vec<Handoff>>,
    pub blame: Option<Vec<Blame>>,
    pub thread_states: Option<ThreadStates>,
    pub frames: Option<super::frames::Frames>,
    pub imports: Option<super::imports::Imports>,
    pub process: Option<Vec<ProcessPoint>>,
    pub notes: Vec<Note>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Target {
    pub pid: u32,
    pub python_version: Option<String>,
    pub executable: String,
    pub cmdline: Vec<String>,
    pub free_threaded: Option<bool>,
    pub method: String,
    pub started_unix_ns: u64,
}

/// What the report covers. With the GIL probe: exactly the time that `gil` counts.
#[derive(Clone, Debug, Serialize)]
pub struct Window {
    pub start_unix_ns: u64,
    pub duration_ns: u64,
}

/// How watching came to its end.
#[derive(Clone, Debug, Serialize)]
pub struct Ended {
    /// "ended": the process is over. It went on if it was "detached" or the "recording stopped"; what became of
    /// it is not known where the recording was "cut off".
    pub how: &'static str,
    /// For a person: "exited with status 0", "detached by Ctrl-C".
    pub reason: String,
    /// Since the window's start.
    pub at_ns: i64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Mark {
    pub name: String,
    /// Since the window's start; negative for a mark before it.
    pub at_ns: i64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Loss {
    pub events_lost: u64,
    pub by_cause: BTreeMap<String, u64>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Gil {
    pub enabled: bool,
    pub acquires: u64,
    pub acquires_contended: u64,
    pub drop_requests: u64,
    pub releases_voluntary: u64,
    pub releases_forced: u64,
    pub handoffs: u64,
    pub held_ns: u64,
    pub free_ns: u64,
    pub utilization: Option<f64>,
    pub waiters_mean: Option<f64>,
    pub hold: Distribution,
    pub wait: Distribution,
    pub drop_to_release: Distribution,
    pub wake: Distribution,
}

/// Quantiles and maximum are null when `count` is 0.
#[derive(Clone, Debug, Serialize)]
pub struct Distribution {
    pub count: u64,
    pub sum_ns: u64,
    pub p50_ns: Option<u64>,
    pub p95_ns: Option<u64>,
    pub p99_ns: Option<u64>,
    pub max_ns: Option<u64>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Thread {
    pub thread_id: u32,
    pub name: String,
    pub is_main: bool,
    /// Null where a thread is none of Python's own and nobody saw whether it takes the GIL.
    pub kind: Option<ThreadKind>,
    pub alive: bool,
    pub cpu_ns: Option<u64>,
    pub cpu_user_ns: Option<u64>,
    pub cpu_system_ns: Option<u64>,
    pub runqueue_ns: Option<u64>,
    pub switches_voluntary: Option<u64>,
    pub switches_forced: Option<u64>,
    pub class: Option<Class>,
    pub gil: Option<ThreadGil>,
}

#[derive(Clone, Debug, Serialize)]
pub struct ThreadGil {
    pub acquires: u64,
    pub acquires_contended: u64,
    pub hold_ns: u64,
    pub wait_ns: u64,
    pub wait_inflicted_ns: u64,
    pub drop_requests_received: u64,
    pub releases_forced: u64,
}

/// Kernel thread ids; 0 for exited or unknown threads.
#[derive(Clone, Debug, Serialize)]
pub struct Handoff {
    pub from_thread: u32,
    pub to_thread: u32,
    pub count: u64,
    pub wait_ns: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Blame {
    pub thread_id: u32,
    /// Null: the holder was not looked at in these waits.
    pub function: Option<String>,
    pub file: Option<String>,
    pub line: Option<u32>,
    pub waits: u64,
    pub wait_inflicted_ns: u64,
    pub native_module: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct ProcessPoint {
    /// Since the window's start; slightly negative for a sample just before it.
    pub at_ns: i64,
    pub rss_bytes: u64,
    pub uss_bytes: Option<u64>,
    pub threads: u32,
    /// Since the process began.
    pub cpu_ns: u64,
}

/// Why a section is null.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Note {
    pub section: String,
    pub reason: String,
}
