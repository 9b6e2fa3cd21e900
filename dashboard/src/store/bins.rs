//! What the two timelines keep per bin: the CPU of the threads, and what the GIL did.
//!
//! All figures are what came on top in the bin's span. Rows are sorted by key and hold no zeros, so
//! a thread that does nothing costs nothing.

use super::answers::{CpuParts, CpuTotals, GilTotals, Range, ThreadGilTotals};
use super::counters::{Counters, GilCounters, WaitCounters};
use super::hist;
use super::timeline::Bin;
use crate::batch::{Hist, ProcessSample, StateCounters, ThreadKey};
use serde::{Deserialize, Serialize};

/// Rows sorted by key, each key once.
pub type Rows<K, V> = Vec<(K, V)>;

/// (holder, code, line).
pub type BlameKey = (ThreadKey, u32, Option<u32>);
/// (from, to).
pub type HandoffKey = (ThreadKey, ThreadKey);

/// CPU of one thread in a bin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CpuRow {
    pub totals: CpuTotals,
    pub parts: CpuParts,
    /// Most cores used between two samples of the bin.
    pub cores_max: f32,
}

/// CPU of the process in a bin.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct CpuBin {
    pub range: Range,
    /// The last sample of the bin; null while the process itself was not sampled.
    pub process: Option<ProcessSample>,
    pub process_cpu_ns: u64,
    /// Part of it that no thread accounts for, and the most cores it took between two samples.
    pub exited: CpuRow,
    pub cores_max: f32,
    /// Integral of the host's busy share over the bin, in ns.
    pub host_busy_ns: f64,
    pub rss_bytes_max: u64,
    pub uss_bytes_max: Option<u64>,
    pub threads_max: u32,
    pub threads: Rows<ThreadKey, CpuRow>,
}

/// What the GIL did in a bin.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct GilBin {
    pub range: Range,
    pub totals: GilCounters,
    pub utilization_max: f32,
    pub waiters_max: f32,
    /// hold, wait, drop_to_release, wake.
    pub hists: [Hist; 4],
    pub threads: Rows<ThreadKey, ThreadGilTotals>,
    pub blame: Rows<BlameKey, WaitCounters>,
    pub handoffs: Rows<HandoffKey, WaitCounters>,
    /// By caller.
    pub states: Rows<u32, StateCounters>,
}

/// Whether each key is there once, in order.
fn is_sorted<K: Ord + Copy, V>(rows: &Rows<K, V>) -> bool {
    rows.is_sorted_by(|first, second| first.0 < second.0)
}

/// Adds `more` to `sum`, by key.
pub fn add_rows<K: Ord + Copy, V>(
    sum: &mut Rows<K, V>,
    more: Rows<K, V>,
    add: impl Fn(&mut V, &V),
) {
    for (key, value) in more {
        match sum.binary_search_by_key(&key, |row| row.0) {
            Ok(at) => add(&mut sum[at].1, &value),
            Err(at) => sum.insert(at, (key, value)),
        }
    }
}

/// Gives rows new keys; rows that then share a key are summed.
pub fn rename_rows<K: Ord + Copy, V>(
    rows: &mut Rows<K, V>,
    new_key: impl Fn(K) -> K,
    add: impl Fn(&mut V, &V),
) {
    if rows.iter().all(|row| new_key(row.0) == row.0) {
        return;
    }
    for (key, value) in std::mem::take(rows) {
        add_rows(rows, vec![(new_key(key), value)], &add);
    }
}

/// Sums CPU rows of the same span, or of following ones: the maximum is then a lower bound.
pub fn add_cpu(sum: &mut CpuRow, more: &CpuRow) {
    sum.totals.add(&more.totals);
    sum.parts.add(&more.parts);
    sum.cores_max = sum.cores_max.max(more.cores_max);
}

impl Bin for CpuBin {
    fn range(&self) -> Range {
        self.range
    }

    fn merge(&mut self, later: Self) {
        self.range.end_ns = later.range.end_ns;
        self.process = later.process.or(self.process);
        self.process_cpu_ns = self.process_cpu_ns.saturating_add(later.process_cpu_ns);
        add_cpu(&mut self.exited, &later.exited);
        self.cores_max = self.cores_max.max(later.cores_max);
        self.host_busy_ns += later.host_busy_ns;
        self.rss_bytes_max = self.rss_bytes_max.max(later.rss_bytes_max);
        self.uss_bytes_max = self.uss_bytes_max.max(later.uss_bytes_max);
        self.threads_max = self.threads_max.max(later.threads_max);
        add_rows(&mut self.threads, later.threads, add_cpu);
    }

    fn rows(&self) -> usize {
        3 + self.threads.len()
    }
}

impl Bin for GilBin {
    fn range(&self) -> Range {
        self.range
    }

    fn merge(&mut self, later: Self) {
        self.range.end_ns = later.range.end_ns;
        self.totals.add(&later.totals);
        self.utilization_max = self.utilization_max.max(later.utilization_max);
        self.waiters_max = self.waiters_max.max(later.waiters_max);
        for (sum, more) in self.hists.iter_mut().zip(&later.hists) {
            hist::add(sum, more);
        }
        add_rows(&mut self.threads, later.threads, Counters::add);
        add_rows(&mut self.blame, later.blame, Counters::add);
        add_rows(&mut self.handoffs, later.handoffs, Counters::add);
        add_rows(&mut self.states, later.states, Counters::add);
    }

    fn rows(&self) -> usize {
        // A bucket takes 16 bytes, the other rows 40 to 88.
        let buckets: usize = self.hists.iter().map(|hist| hist.buckets.len()).sum();
        let waits = (self.blame.len() + self.handoffs.len()) / 2;
        3 + self.threads.len() + waits + buckets / 6 + 2 * self.states.len()
    }
}

impl CpuBin {
    /// Whether its rows are as [`add_rows`] leaves them.
    pub fn is_sound(&self) -> bool {
        is_sorted(&self.threads)
    }
}

impl GilBin {
    /// Whether its rows are as [`add_rows`] leaves them.
    pub fn is_sound(&self) -> bool {
        let hists = self.hists.iter().all(|hist| is_sorted(&hist.buckets));
        let waits = is_sorted(&self.blame) && is_sorted(&self.handoffs);
        hists && is_sorted(&self.threads) && waits && is_sorted(&self.states)
    }
}

impl GilCounters {
    /// With the span that they are for.
    pub fn over(self, range: Range) -> GilTotals {
        GilTotals {
            range,
            held_ns: self.held_ns,
            free_ns: self.free_ns,
            waited_ns: self.waited_ns,
            handoffs: self.handoffs,
            drop_requests: self.drop_requests,
            acquires: self.acquires,
            acquires_contended: self.acquires_contended,
            acquires_timed: self.acquires_timed,
            releases_voluntary: self.releases_voluntary,
            releases_forced: self.releases_forced,
        }
    }
}
