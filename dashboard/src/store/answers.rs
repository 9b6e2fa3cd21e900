//! What a snapshot answers with: plain data that pages, plots, reports and exports read.
//!
//! Times are ns of the session clock. Nothing here knows how the store keeps its data.

use crate::batch::ThreadKey;
use serde::{Deserialize, Serialize};

/// A span of the session clock, half open: `[start_ns, end_ns)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    pub start_ns: u64,
    pub end_ns: u64,
}

impl Range {
    /// From `start_ns` to `end_ns`; an end before its start makes an empty range.
    pub fn new(start_ns: u64, end_ns: u64) -> Self {
        Self { start_ns, end_ns: end_ns.max(start_ns) }
    }

    /// Length in ns.
    pub fn length_ns(&self) -> u64 {
        self.end_ns.saturating_sub(self.start_ns)
    }

    pub fn is_empty(&self) -> bool {
        self.length_ns() == 0
    }

    /// Whether all of `other` lies inside.
    pub fn contains(&self, other: &Range) -> bool {
        self.start_ns <= other.start_ns && other.end_ns <= self.end_ns
    }

    /// The part that both have; empty if they do not meet.
    pub fn intersection(&self, other: &Range) -> Range {
        Range::new(self.start_ns.max(other.start_ns), self.end_ns.min(other.end_ns))
    }

    /// The smallest range that holds both; an empty one counts for nothing.
    pub fn union(&self, other: &Range) -> Range {
        match (self.is_empty(), other.is_empty()) {
            (true, _) => *other,
            (_, true) => *self,
            _ => Range::new(self.start_ns.min(other.start_ns), self.end_ns.max(other.end_ns)),
        }
    }
}

/// The pixels that a series is drawn in: `count` of them, `step_ns` wide, the first at `start_ns`.
///
/// `start_ns` is a multiple of `step_ns`, so a live picture does not shimmer as it scrolls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pixels {
    pub start_ns: u64,
    pub step_ns: u64,
    pub count: usize,
}

/// Whose CPU a band of the stack is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BandOf {
    Main(ThreadKey),
    Thread(ThreadKey),
    /// The sum of this many threads that are not shown on their own.
    More(usize),
    /// Threads that ended between two samples, and dead ones that are no longer kept one by one.
    Exited,
}

/// What a band of CPU is made of. `holding + running + unknown` is the band's CPU, exactly;
/// `runnable` comes on top of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct BandParts {
    pub holding_ns: u64,
    pub running_ns: u64,
    pub unknown_ns: u64,
    /// Null for threads that nobody saw twice.
    pub runnable_ns: Option<u64>,
    /// Mean cores per pixel, each.
    pub holding: Vec<f32>,
    pub running: Vec<f32>,
    pub unknown: Vec<f32>,
    pub runnable: Vec<f32>,
}

/// One band of the stack of CPU.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CpuBand {
    pub of: BandOf,
    pub name: String,
    /// CPU in the range, ns.
    pub cpu_ns: u64,
    /// Mean cores per pixel. Additive: the bands' means sum to the process's.
    pub mean: Vec<f32>,
    /// Highest cores of any one bin in the pixel; not additive.
    pub max: Vec<f32>,
    /// Null when they were not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parts: Option<BandParts>,
}

/// CPU over time: the ThreadWakeup graph. Main thread first, then by first sight, exited last.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CpuSeries {
    pub range: Range,
    #[serde(flatten)]
    pub pixels: Pixels,
    pub bands: Vec<CpuBand>,
    /// Mean cores of the process per pixel.
    pub total_mean: Vec<f32>,
    pub total_max: Vec<f32>,
}

/// The GIL over time, per pixel.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct GilSeries {
    pub range: Range,
    #[serde(flatten)]
    pub pixels: Pixels,
    /// Held share of the time, 0 to 1.
    pub utilization_mean: Vec<f32>,
    pub utilization_max: Vec<f32>,
    /// Threads waiting at a time.
    pub waiters_mean: Vec<f32>,
    pub waiters_max: Vec<f32>,
    pub handoffs_per_s: Vec<f32>,
    pub drop_requests_per_s: Vec<f32>,
    pub acquires_per_s: Vec<f32>,
}

/// The process over time, per pixel; null where no sample fell into the pixel.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ProcessSeries {
    pub range: Range,
    #[serde(flatten)]
    pub pixels: Pixels,
    /// Largest of the pixel.
    pub rss_bytes: Vec<Option<u64>>,
    /// Largest of the pixel; null where the kernel does not tell.
    pub uss_bytes: Vec<Option<u64>>,
    pub threads: Vec<Option<u32>>,
    /// Mean busy share of the machine's cores, 0 to 1.
    pub host_cpu_ratio: Vec<Option<f32>>,
}

/// A single sample of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct ProcessPoint {
    pub at_ns: u64,
    pub rss_bytes: u64,
    pub uss_bytes: Option<u64>,
    pub threads: u32,
    /// Since the process began.
    pub cpu_ns: u64,
}

/// What the GIL did in a range. `held_ns + free_ns` = length of `range`, exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct GilTotals {
    /// The true bounds of these figures.
    pub range: Range,
    pub held_ns: u64,
    pub free_ns: u64,
    pub waited_ns: u64,
    pub handoffs: u64,
    pub drop_requests: u64,
    pub acquires: u64,
    pub acquires_contended: u64,
    /// `--light`: acquires whose time was taken; equals `acquires` in exact mode.
    pub acquires_timed: u64,
    pub releases_voluntary: u64,
    pub releases_forced: u64,
}

impl GilTotals {
    /// Held share of the range, 0 to 1; null for an empty range.
    pub fn utilization(&self) -> Option<f64> {
        ratio(self.held_ns, self.held_ns.saturating_add(self.free_ns))
    }

    /// Threads waiting at a time, on average; null for an empty range.
    pub fn waiters_mean(&self) -> Option<f64> {
        ratio(self.waited_ns, self.held_ns.saturating_add(self.free_ns))
    }
}

/// A part in terms of its whole; null of nothing.
pub fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// One bucket of a histogram: `[low_ns, high_ns)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Bucket {
    pub low_ns: u64,
    pub high_ns: u64,
    pub count: u64,
}

/// A distribution of durations. Quantiles are interpolated inside a bucket (a fifth of its value
/// wide at most) and null when nothing was counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Distribution {
    pub count: u64,
    pub sum_ns: u64,
    pub p50_ns: Option<u64>,
    pub p95_ns: Option<u64>,
    pub p99_ns: Option<u64>,
    /// Exact for a whole session. For an inner range the bucket's upper edge if `max_is_bound`.
    pub max_ns: Option<u64>,
    pub max_is_bound: bool,
    pub buckets: Vec<Bucket>,
}

/// The GIL's four distributions.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Histograms {
    pub range: Range,
    pub hold: Distribution,
    pub wait: Distribution,
    /// From a drop request to the holder's release.
    pub drop_to_release: Distribution,
    /// From a release to the acquire by a waiter.
    pub wake: Distribution,
}

/// How a thread behaves; see `store::class` for the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    Io,
    Cpu,
    Idle,
}

/// CPU of one thread in a range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuTotals {
    pub cpu_ns: u64,
    pub cpu_user_ns: u64,
    pub cpu_system_ns: u64,
    pub runqueue_ns: u64,
    pub switches_voluntary: u64,
    pub switches_forced: u64,
}

/// What a thread's CPU was, as far as it is known; the rest of it ran without the GIL.
///
/// A stamp says when the GIL was held, not whether on a core, so `holding_ns` is the time of holding
/// as far as it fits into the CPU of the same moments: exact for a thread that does not sleep with the
/// GIL in hand, an upper bound for one that does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuParts {
    pub holding_ns: u64,
    /// CPU while the GIL's holders were not known: before it was watched, in light mode, or of threads
    /// that lived between two samples.
    pub unknown_ns: u64,
}

/// GIL counters of one thread in a range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadGilTotals {
    pub acquires: u64,
    pub acquires_contended: u64,
    pub releases_voluntary: u64,
    pub releases_forced: u64,
    pub drop_requests_received: u64,
    pub hold_ns: u64,
    pub wait_ns: u64,
    pub wait_free_ns: u64,
    pub wait_inflicted_ns: u64,
}

/// A row of the threads table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ThreadRow {
    /// [`super::EXITED`] for the threads that are no longer kept one by one.
    pub key: ThreadKey,
    /// Kernel thread id; 0 for [`super::EXITED`].
    pub thread_id: u32,
    pub name: String,
    pub is_main: bool,
    pub kind: crate::batch::ThreadKind,
    pub alive: bool,
    /// Null when the thread's CPU was never sampled.
    pub cpu: Option<CpuTotals>,
    /// Null as `cpu`.
    pub cpu_parts: Option<CpuParts>,
    /// Null when the GIL is not watched.
    pub gil: Option<ThreadGilTotals>,
    /// Null when neither is known.
    pub class: Option<Class>,
}

/// A row of the blame table: what a holder ran while others waited.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BlameRow {
    pub thread: ThreadKey,
    pub thread_id: u32,
    pub thread_name: String,
    /// Null: the holder was not looked at in these waits.
    pub function: Option<String>,
    pub file: Option<String>,
    pub line: Option<u32>,
    pub waits: u64,
    pub samples: u64,
    pub wait_inflicted_ns: u64,
    pub native_module: Option<String>,
}

/// How often the GIL went from one thread to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct HandoffRow {
    pub from: ThreadKey,
    pub to: ThreadKey,
    pub count: u64,
    pub wait_ns: u64,
}

/// Single events in a range, oldest first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Events<'a> {
    pub events: Vec<&'a crate::batch::Event>,
    /// Events of the range that the limit left out.
    pub left_out: u64,
}
