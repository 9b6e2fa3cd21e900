//! Experiments: what was tried on a target, and the same figures before and after.
//!
//! Before and after are stretches next to the moment of the change in which nothing else was changed,
//! at most [`STRETCH_NS`] long. Which threads are I/O and which CPU threads is decided by what they did
//! before, so that both columns speak of the same threads.

use crate::batch::{Change, ThreadKey};
use crate::store::{Class, Range, Snapshot, ThreadRow, total};
use serde::Serialize;
use std::collections::BTreeMap;

/// Longest stretch that is looked at on either side.
pub const STRETCH_NS: u64 = 30_000_000_000;
/// Shorter stretches say nothing.
const SHORTEST_NS: u64 = 200_000_000;

/// A remedy on trial.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Experiment {
    pub remedy: String,
    /// How it was set, for a person.
    pub setting: String,
    pub at_ns: u64,
    /// When it was taken back; null while it stands.
    pub undone_ns: Option<u64>,
    /// Null when the stretch is too short, or the GIL is not watched.
    pub before: Option<Figures>,
    pub after: Option<Figures>,
}

/// What the GIL and its threads did in a stretch. Rates are a second of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    pub range: Range,
    pub waits_per_s: f64,
    pub wait_p50_ns: Option<u64>,
    pub wait_p99_ns: Option<u64>,
    pub handoffs_per_s: f64,
    pub releases_forced_per_s: f64,
    pub utilization: Option<f64>,
    /// Of threads that are I/O threads before the change: rounds a second, mean wait of a contended acquire.
    pub io_threads: usize,
    pub io_acquires_per_s: f64,
    pub io_wait_mean_ns: Option<u64>,
    /// Of threads that are CPU threads before the change: share of the time with the GIL, cores used.
    pub cpu_threads: usize,
    pub cpu_held_share: f64,
    /// Of those whose CPU was sampled; null if none was.
    pub cpu_cores: Option<f64>,
    /// CPU threads that are not in `cpu_cores`: they lived between two samples.
    pub cpu_threads_unsampled: usize,
    /// Part of the CPU threads' time with or waiting for the GIL in which they waited and nobody held it.
    pub cpu_switching_share: Option<f64>,
    /// Thread states made, and chunks mapped for them; null if they are not watched.
    pub states_made_per_s: Option<f64>,
    pub chunks_mapped_per_s: Option<f64>,
    /// Making and deleting one, its chunk included; null if none was.
    pub state_cost_mean_ns: Option<u64>,
}

/// All experiments of a session, by time.
pub fn experiments(snapshot: &Snapshot<'_>) -> Vec<Experiment> {
    let changes = snapshot.changes();
    let one = |(at, change): (usize, &Change)| change.on.then(|| experiment(snapshot, changes, at));
    changes.iter().enumerate().filter_map(one).collect()
}

fn experiment(snapshot: &Snapshot<'_>, changes: &[Change], at: usize) -> Experiment {
    let change = &changes[at];
    let whole = snapshot.range();
    let earlier = changes[..at].iter().map(|change| change.at_ns).next_back();
    let later = changes[at + 1..].first().map(|change| change.at_ns);
    let since =
        earlier.unwrap_or(0).max(whole.start_ns).max(change.at_ns.saturating_sub(STRETCH_NS));
    let until = later.unwrap_or(u64::MAX).min(whole.end_ns).min(change.at_ns + STRETCH_NS);
    let before = Range::new(since, change.at_ns);
    let after = Range::new(change.at_ns, until);
    let classes =
        classes(snapshot, before).or_else(|| classes(snapshot, after)).unwrap_or_default();
    let undone = changes[at + 1..].iter().find(|other| other.remedy == change.remedy);
    Experiment {
        remedy: change.remedy.clone(),
        setting: change.setting.clone(),
        at_ns: change.at_ns,
        undone_ns: undone.map(|change| change.at_ns),
        before: figures(snapshot, before, &classes),
        after: figures(snapshot, after, &classes),
    }
}

type Classes = BTreeMap<ThreadKey, Class>;

fn classes(snapshot: &Snapshot<'_>, range: Range) -> Option<Classes> {
    let rows = (range.length_ns() >= SHORTEST_NS).then(|| snapshot.thread_rows(range))?;
    Some(rows.into_iter().filter_map(|row| Some((row.key, row.class?))).collect())
}

/// What a stretch shows; none if it is too short or the GIL was not watched.
pub fn figures(snapshot: &Snapshot<'_>, range: Range, classes: &Classes) -> Option<Figures> {
    if range.length_ns() < SHORTEST_NS {
        return None;
    }
    let totals = snapshot.totals(range)?;
    let wait = snapshot.histograms(range)?.wait;
    let seconds = totals.range.length_ns() as f64 / 1e9;
    let per_s = |n: u64| n as f64 / seconds;
    let rows = snapshot.thread_rows(range);
    let of = |class| -> Vec<&ThreadRow> {
        rows.iter()
            .filter(|row| classes.get(&row.key).copied().or(row.class) == Some(class))
            .collect()
    };
    let (io, cpu) = (of(Class::Io), of(Class::Cpu));
    let sum = |rows: &[&ThreadRow], of: fn(&crate::store::ThreadGilTotals) -> u64| -> u64 {
        total(rows.iter().filter_map(|row| row.gil.as_ref().map(of)))
    };
    let contended = sum(&io, |gil| gil.acquires_contended);
    let (held, waited) = (sum(&cpu, |gil| gil.hold_ns), sum(&cpu, |gil| gil.wait_ns));
    let sampled: Vec<u64> = cpu.iter().filter_map(|row| Some(row.cpu?.cpu_ns)).collect();
    let cpu_ns = (!sampled.is_empty() || cpu.is_empty()).then(|| total(sampled.iter().copied()));
    let states = snapshot.states(range).map(|states| states.all);
    Some(Figures {
        range: totals.range,
        waits_per_s: per_s(wait.count),
        wait_p50_ns: wait.p50_ns,
        wait_p99_ns: wait.p99_ns,
        handoffs_per_s: per_s(totals.handoffs),
        releases_forced_per_s: per_s(totals.releases_forced),
        utilization: totals.utilization(),
        io_threads: io.len(),
        io_acquires_per_s: per_s(sum(&io, |gil| gil.acquires)),
        io_wait_mean_ns: sum(&io, |gil| gil.wait_ns).checked_div(contended),
        cpu_threads: cpu.len(),
        cpu_held_share: held as f64 / 1e9 / seconds,
        cpu_cores: cpu_ns.map(|ns| ns as f64 / 1e9 / seconds),
        cpu_threads_unsampled: cpu.len() - sampled.len(),
        cpu_switching_share: (held + waited > 0)
            .then(|| sum(&cpu, |gil| gil.wait_free_ns) as f64 / (held + waited) as f64),
        states_made_per_s: states.map(|all| per_s(all.created())),
        chunks_mapped_per_s: states.map(|all| per_s(all.maps)),
        state_cost_mean_ns: states.and_then(|all| all.cost_ns().checked_div(all.cycles)),
    })
}
