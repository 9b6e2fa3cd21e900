//! A batch: everything that became known up to one moment. The only food of the store.
//!
//! Live segments, a replayed recording and the test generator all yield the same `Batch`. Counters
//! are *cumulative since the session began*, with what is still going on included up to `at_ns`, so
//! that a lost batch costs resolution, never a total. Times are ns since `Target::anchor_unix_ns`.

// Named in full because tests take this file in by its path.
#[path = "batch/frames.rs"]
mod frames;
#[path = "batch/imports.rs"]
mod imports;

pub use frames::*;
pub use imports::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Names a thread for a whole session; never reused. 0 is no thread.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct ThreadKey(pub u32);

/// Who is watched: facts that do not change while it lives.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Target {
    pub pid: u32,
    /// As the interpreter says it, "3.11.2"; empty while unknown.
    pub python_version: String,
    pub executable: String,
    pub cmdline: Vec<String>,
    /// Null while unknown.
    pub free_threaded: Option<bool>,
    /// "preload", "ptrace" or "remote-debug".
    pub method: String,
    /// When the process started.
    pub started_unix_ns: u64,
    /// Wall clock at `at_ns` = 0 of this session.
    pub anchor_unix_ns: u64,
    pub host: String,
    /// Cores of the machine.
    pub n_cpus: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ThreadKind {
    /// Started by Python's own `threading` or `_thread`, or the main thread.
    Python,
    /// Started elsewhere, but it took the GIL.
    Foreign,
    /// Never took the GIL while it was watched.
    Native,
}

/// A thread that is new or whose facts changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ThreadFact {
    pub key: ThreadKey,
    /// Kernel thread id; reused by the kernel, unlike `key`.
    pub thread_id: u32,
    /// Python's name if it can be read, else the kernel's.
    pub name: String,
    pub is_main: bool,
    pub kind: ThreadKind,
    pub alive: bool,
    pub first_seen_ns: u64,
    pub ended_ns: Option<u64>,
}

/// CPU of one thread since the thread began, from `/proc/PID/task/TID`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ThreadCpu {
    pub key: ThreadKey,
    /// On a core, ns (schedstat).
    pub cpu_ns: u64,
    pub cpu_user_ns: u64,
    pub cpu_system_ns: u64,
    /// Runnable but waiting for a core, ns (schedstat).
    pub runqueue_ns: u64,
    pub switches_voluntary: u64,
    pub switches_forced: u64,
}

/// The process as a whole at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProcessSample {
    pub at_ns: u64,
    /// All threads, dead ones included, since the process began.
    pub cpu_ns: u64,
    /// The part of `cpu_ns` that no thread in `Batch::cpu`, now or earlier, accounts for.
    pub exited_cpu_ns: u64,
    pub rss_bytes: u64,
    /// Null where smaps_rollup cannot be read.
    pub uss_bytes: Option<u64>,
    pub threads: u32,
    /// Busy share of all of the machine's cores since the last sample, 0 to 1.
    pub host_cpu_ratio: f32,
}

/// A histogram of `wire::histogram`: bucket index to count, plus exact sum and maximum.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Hist {
    /// (bucket, count), ascending, no zero counts.
    pub buckets: Vec<(u8, u64)>,
    pub sum_ns: u64,
    pub max_ns: u64,
}

/// The GIL's totals at `Batch::at_ns`. `held_ns + free_ns` = time since `window_start_ns`, exactly.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GilSample {
    /// When exact counting began.
    pub window_start_ns: u64,
    /// Moment that these totals are for; at most `Batch::at_ns`.
    pub at_ns: u64,
    pub held_ns: u64,
    pub free_ns: u64,
    /// Sum over waiters, running waits included.
    pub waited_ns: u64,
    pub waiters_now: u32,
    pub handoffs: u64,
    pub drop_requests: u64,
    pub acquires: u64,
    pub acquires_contended: u64,
    pub releases_voluntary: u64,
    pub releases_forced: u64,
    pub hold: Hist,
    pub wait: Hist,
    pub drop_to_release: Hist,
    pub wake: Hist,
    /// `--light`: acquires whose time was taken; equals `acquires` in exact mode.
    pub acquires_timed: u64,
}

/// One thread's GIL counters since the session began.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ThreadGil {
    pub key: ThreadKey,
    pub acquires: u64,
    pub acquires_contended: u64,
    pub releases_voluntary: u64,
    pub releases_forced: u64,
    pub drop_requests_received: u64,
    pub hold_ns: u64,
    pub wait_ns: u64,
    /// Part of `wait_ns` in which nobody held the GIL.
    pub wait_free_ns: u64,
    pub wait_inflicted_ns: u64,
    pub hold: Hist,
    pub wait: Hist,
}

/// What a waiter saw the holder run. `line` is null while the line table could not be read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CodeFact {
    /// 1 and up; 0 is "not looked at".
    pub code: u32,
    pub function: String,
    pub file: String,
    pub first_line: u32,
}

/// Cumulative blame of one (holder, code, line).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlameTotal {
    pub holder: ThreadKey,
    /// 0: the holder was not looked at in these waits.
    pub code: u32,
    pub line: Option<u32>,
    pub samples: u64,
    pub waits: u64,
    pub wait_inflicted_ns: u64,
    /// File name of the shared object whose C code ran, if most looks found one.
    pub native_module: Option<String>,
}

/// Cumulative count of the GIL going from one thread to another.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HandoffTotal {
    pub from: ThreadKey,
    pub to: ThreadKey,
    pub count: u64,
    pub wait_ns: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    Wait,
    ForcedRelease,
    LongHold,
    Hold,
    ForcedSwitchWait,
}

/// One event of a thread's ring; see `wire::event` for what the fields mean for which kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub kind: EventKind,
    pub thread: ThreadKey,
    /// When it ended.
    pub at_ns: u64,
    pub duration_ns: u64,
    pub free_ns: u64,
    pub drop_requests: u16,
    pub holder_start: ThreadKey,
    pub holder_end: ThreadKey,
    pub code: u32,
    pub line: Option<u32>,
    pub native_module: Option<u32>,
    pub drop_to_release_ns: u64,
}

/// Who calls for thread states: an object, and the function in it if it is exported.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallerFact {
    /// 1 and up; 0 stands for what no caller accounts for.
    pub caller: u32,
    /// File name of the object.
    pub module: String,
    pub function: Option<String>,
}

/// What one caller did about thread states. `wire::tstate` says what is what.
///
/// The five parts of fresh cycles, from `create_ns` on, add up to them; so do the four of kept ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateCounters {
    /// Ensures that made a state; that found one and took the GIL; that found the GIL held.
    pub fresh: u64,
    pub kept: u64,
    pub nested: u64,
    /// States made by the caller itself (`PyThreadState_New`).
    pub made: u64,
    /// Fresh states that Release tore down.
    pub fresh_deleted: u64,
    /// States that extensions deleted themselves; of caller 0 only.
    pub deleted: u64,
    /// Threads that came from there.
    pub threads: u64,
    /// Ensures of threads without a slot: counted, not timed.
    pub unseen_fresh: u64,
    pub unseen_other: u64,
    /// Data-stack chunks mapped in cycles, and unmapped at their end.
    pub maps: u64,
    pub unmaps: u64,
    /// Cycles that are over, of fresh and made states; all are timed.
    pub cycles: u64,
    pub create_ns: u64,
    pub gil_wait_ns: u64,
    pub run_ns: u64,
    pub chunk_ns: u64,
    pub delete_ns: u64,
    /// Kept cycles that were timed: about one in eight.
    pub kept_cycles: u64,
    pub kept_create_ns: u64,
    pub kept_gil_wait_ns: u64,
    pub kept_run_ns: u64,
    pub kept_delete_ns: u64,
}

/// Cumulative counters of one caller.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StateTotal {
    pub caller: u32,
    pub counters: StateCounters,
}

impl StateTotal {
    /// The caller of what no caller accounts for: states that extensions deleted themselves, and as its only
    /// kept cycle the one that the agent timed when it came.
    pub const PROCESS: u32 = 0;
}

/// A labelled moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// 1 and up, given by the hub.
    pub id: u32,
    pub name: String,
    pub at_ns: u64,
}

/// A remedy put on the target, or taken back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    pub at_ns: u64,
    /// "io-priority", "switch-interval" or "keep-chunks".
    pub remedy: String,
    /// How it was set, for a person.
    pub setting: String,
    /// False: taken back.
    pub on: bool,
}

/// Why a session is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    pub at_ns: u64,
    /// For a person: "exited with status 0", "killed by signal 9", "detached by Ctrl-C".
    pub reason: String,
}

impl Ended {
    /// How the reason begins where the process went on without us: we left it.
    pub const DETACHED: &str = "detached";
    /// The same where it went on with us, unrecorded.
    pub const STOPPED: &str = "recording stopped";
    /// The same where nobody wrote down what became of it.
    pub const CUT: &str = "cut off";

    /// One of the three, or "ended" for a process that is over.
    pub fn how(&self) -> &'static str {
        let known = [Self::DETACHED, Self::STOPPED, Self::CUT];
        known.into_iter().find(|how| self.reason.starts_with(how)).unwrap_or("ended")
    }
}

/// See the module's text. Empty parts mean "nothing new".
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    pub at_ns: u64,
    pub threads: Vec<ThreadFact>,
    pub cpu: Vec<ThreadCpu>,
    pub process: Option<ProcessSample>,
    /// Null when the probe is off or cannot work (then `notes` says why).
    pub gil: Option<GilSample>,
    /// Only threads whose counters changed.
    pub thread_gil: Vec<ThreadGil>,
    pub codes: Vec<CodeFact>,
    pub blame: Vec<BlameTotal>,
    pub handoffs: Vec<HandoffTotal>,
    pub events: Vec<Event>,
    /// Names for `Event::native_module`, by index.
    pub native_modules: Vec<(u32, String)>,
    /// Cumulative, by cause: "ring_full", "nested", "no_slot", …
    pub lost: BTreeMap<String, u64>,
    /// New ones; one with a known id replaces it.
    pub marks: Vec<Mark>,
    /// Ids of marks that a person took away again.
    pub marks_removed: Vec<u32>,
    /// Probe name to the reason why its section is null. Cumulative.
    pub notes: BTreeMap<String, String>,
    pub ended: Option<Ended>,
    /// What was tried on the target, and taken back.
    pub changes: Vec<Change>,
    /// Null when nothing was looked at, or the probe is off or cannot work (then `notes` says why).
    pub frames: Option<FramesSample>,
    pub callers: Vec<CallerFact>,
    /// Only callers whose counters changed; caller 0 comes first, as soon as the probe records.
    pub states: Vec<StateTotal>,
    /// Null when nothing was imported, or the probe is off or cannot work (then `notes` says why); an empty
    /// one says that it works.
    pub imports: Option<ImportsSample>,
}
