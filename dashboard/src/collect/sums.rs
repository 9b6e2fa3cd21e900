//! The GIL's figures added up over threads, and the sample of the whole that comes of them and the
//! segment's totals; in light mode an estimate with its error.
//!
//! Does not know which slots there are: `gil` reads them.

use super::slots::{SlotCopy, consistent, hist};
use crate::batch::{GilSample, Hist};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use wire::totals::GilTotals;

/// Counters added up over threads.
#[derive(Clone, Default)]
pub struct Sums {
    pub acquires: u64,
    pub acquires_timed: u64,
    pub acquires_contended: u64,
    pub releases_voluntary: u64,
    pub releases_forced: u64,
    pub waited_ns: u64,
    pub lost_full: u64,
    pub lost_nested: u64,
    pub hold: Hist,
    pub wait: Hist,
}

impl Sums {
    pub fn add(&mut self, slot: &SlotCopy, now: u64) {
        for (sum, part) in [
            (&mut self.acquires, slot.acquires),
            (&mut self.acquires_timed, slot.acquires_timed),
            (&mut self.acquires_contended, slot.acquires_contended),
            (&mut self.releases_voluntary, slot.releases_voluntary),
            (&mut self.releases_forced, slot.releases_forced),
            (&mut self.waited_ns, slot.wait_ns(now)),
            (&mut self.lost_full, slot.lost_full),
            (&mut self.lost_nested, slot.lost_nested),
        ] {
            *sum = sum.saturating_add(part); // what a target says may be anything
        }
        merge(&mut self.hold, &slot.hold);
        merge(&mut self.wait, &slot.wait);
    }
}

fn merge(into: &mut Hist, from: &Hist) {
    let mut counts: BTreeMap<u8, u64> = into.buckets.iter().copied().collect();
    for (bucket, count) in &from.buckets {
        let sum = counts.entry(*bucket).or_default();
        *sum = sum.saturating_add(*count);
    }
    into.buckets = counts.into_iter().collect();
    into.sum_ns = into.sum_ns.saturating_add(from.sum_ns);
    into.max_ns = into.max_ns.max(from.max_ns);
}

/// Light mode: held time is estimated from the timed cycles; says how well.
///
/// The variance is that of Horvitz and Thompson for independent draws with probability 1/n, with each
/// hold at its bucket's middle: (n - 1) times the sum of count x hold². Drawing one of each n in a row
/// cannot have more: a block's part of the variance is n times the sum of its hold², less the square of
/// their sum.
pub fn estimate(sample: &mut GilSample, every: u32) -> String {
    let window_ns = sample.at_ns - sample.window_start_ns;
    sample.held_ns = sample.hold.sum_ns.min(window_ns);
    sample.free_ns = window_ns - sample.held_ns;
    let middle = |bucket: u8| {
        let (low, high) = wire::histogram::bounds(usize::from(bucket));
        (low as f64 + high.min(sample.hold.max_ns.max(low)) as f64) / 2.0
    };
    let squares: f64 =
        sample.hold.buckets.iter().map(|(b, n)| *n as f64 * middle(*b).powi(2)).sum();
    let error_ns = ((every - 1) as f64 * squares).sqrt();
    let percent = if sample.held_ns == 0 { 0.0 } else { 100.0 * error_ns / sample.held_ns as f64 };
    format!(
        "light mode: {} of {} cycles were timed; held time is an estimate, standard error at most {percent:.2} %",
        sample.acquires_timed, sample.acquires
    )
}

/// A stamp further in the future than this is none: the target is broken or lies.
const FUTURE_NS: u64 = 1_000_000_000;

pub fn sample(totals: &GilTotals, sums: &Sums, now: &impl Fn() -> u64) -> GilSample {
    let (mut sample, _) = consistent(&totals.sequence, || {
        let changed = totals.changed_ns.load(Relaxed);
        let held = totals.held.load(Relaxed) != 0;
        let now = now();
        let at_ns = if changed > now.saturating_add(FUTURE_NS) { now } else { now.max(changed) };
        let open = at_ns.saturating_sub(changed);
        GilSample {
            window_start_ns: totals.window_start_ns.load(Relaxed).min(at_ns),
            at_ns,
            held_ns: totals.held_ns.load(Relaxed).saturating_add(if held { open } else { 0 }),
            free_ns: totals.free_ns.load(Relaxed).saturating_add(if held { 0 } else { open }),
            waiters_now: totals.waiters.load(Relaxed),
            handoffs: totals.handoffs.load(Relaxed),
            drop_requests: totals.drop_requests.load(Relaxed),
            ..GilSample::default()
        }
    });
    sample.drop_to_release = hist(&totals.drop_to_release);
    sample.wake = hist(&totals.wake);
    sample.waited_ns = sums.waited_ns;
    sample.acquires = sums.acquires;
    sample.acquires_timed = sums.acquires_timed;
    sample.acquires_contended = sums.acquires_contended;
    sample.releases_voluntary = sums.releases_voluntary;
    sample.releases_forced = sums.releases_forced;
    sample.hold = sums.hold.clone();
    sample.wait = sums.wait.clone();
    sample
}
