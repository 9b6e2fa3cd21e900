//! Arithmetic on sparse histograms: difference, sum, quantiles.
//!
//! The buckets themselves are `wire::histogram`'s; nothing here knows what was measured.

use super::answers::{Bucket, Distribution};
use crate::batch::Hist;
use wire::histogram;

/// What came on top between two cumulative histograms. `max_ns` is the new maximum if it grew, else
/// 0: whatever is the largest of the difference is then no larger than the old one.
pub fn difference(now: &Hist, before: &Hist) -> Hist {
    let old = |bucket: u8| {
        before.buckets.binary_search_by_key(&bucket, |b| b.0).map_or(0, |at| before.buckets[at].1)
    };
    let more = |&(bucket, count): &(u8, u64)| {
        let more = count.saturating_sub(old(bucket));
        (more > 0).then_some((bucket, more))
    };
    Hist {
        buckets: now.buckets.iter().filter_map(more).collect(),
        sum_ns: now.sum_ns.saturating_sub(before.sum_ns),
        max_ns: if now.max_ns > before.max_ns { now.max_ns } else { 0 },
    }
}

/// Adds `more` to `sum`; both ascending.
pub fn add(sum: &mut Hist, more: &Hist) {
    for &(bucket, count) in &more.buckets {
        match sum.buckets.binary_search_by_key(&bucket, |b| b.0) {
            Ok(at) => sum.buckets[at].1 = sum.buckets[at].1.saturating_add(count),
            Err(at) => sum.buckets.insert(at, (bucket, count)),
        }
    }
    sum.sum_ns = sum.sum_ns.saturating_add(more.sum_ns);
    sum.max_ns = sum.max_ns.max(more.max_ns);
}

/// How many values it holds.
pub fn count(hist: &Hist) -> u64 {
    hist.buckets.iter().fold(0, |sum: u64, bucket| sum.saturating_add(bucket.1))
}

/// The summary of a histogram. `session_max_ns` bounds every value in it.
pub fn distribution(hist: &Hist, session_max_ns: u64) -> Distribution {
    let Some(&(top, _)) = hist.buckets.last() else { return Distribution::default() };
    let top_edge = histogram::bounds(top as usize).1.saturating_sub(1);
    // The known maximum is that of the range if it lies in the topmost bucket with a count.
    let known = histogram::bucket(hist.max_ns) == top as usize;
    let max_ns = if known { hist.max_ns } else { top_edge.min(session_max_ns) };
    let quantile = |share| Some(quantile(hist, share, max_ns));
    Distribution {
        count: count(hist),
        sum_ns: hist.sum_ns,
        p50_ns: quantile(0.50),
        p95_ns: quantile(0.95),
        p99_ns: quantile(0.99),
        max_ns: Some(max_ns),
        max_is_bound: !known,
        buckets: hist.buckets.iter().map(bucket).collect(),
    }
}

fn bucket(&(index, count): &(u8, u64)) -> Bucket {
    let (low_ns, high_ns) = histogram::bounds(index as usize);
    Bucket { low_ns, high_ns, count }
}

/// The value below which `share` of the values lie, taking them as spread evenly in their bucket.
fn quantile(hist: &Hist, share: f64, max_ns: u64) -> u64 {
    let rank = share * count(hist) as f64;
    let mut below = 0.0;
    for &(index, count) in &hist.buckets {
        let count = count as f64;
        if below + count >= rank {
            let (low, high) = histogram::bounds(index as usize);
            let inside = (rank - below) / count
                * high.min(max_ns.saturating_add(1)).saturating_sub(low) as f64;
            return low.saturating_add(inside as u64).min(max_ns);
        }
        below += count;
    }
    max_ns
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hist(values: &[u64]) -> Hist {
        let mut hist = Hist::default();
        for &value in values {
            let bucket = histogram::bucket(value) as u8;
            add(&mut hist, &Hist { buckets: vec![(bucket, 1)], sum_ns: value, max_ns: value });
        }
        hist
    }

    proptest! {
        #[test]
        fn a_quantile_lies_in_the_bucket_of_the_true_one(
            mut values in proptest::collection::vec(0u64..1 << 40, 1..200),
        ) {
            let summary = distribution(&hist(&values), u64::MAX);
            values.sort_unstable();
            let cases = [(0.5, summary.p50_ns), (0.95, summary.p95_ns), (0.99, summary.p99_ns)];
            for (share, answer) in cases {
                let rank = (share * values.len() as f64).ceil() as usize;
                let truth = values[rank.max(1) - 1];
                let (low, high) = histogram::bounds(histogram::bucket(truth));
                let answer = answer.unwrap();
                prop_assert!(low <= answer && answer <= high, "{answer} not in {low}..{high}");
            }
            prop_assert_eq!(summary.max_ns, values.last().copied());
            prop_assert_eq!(summary.count, values.len() as u64);
        }

        #[test]
        fn a_difference_added_back_gives_the_whole(
            first in proptest::collection::vec(0u64..1 << 40, 0..50),
            then in proptest::collection::vec(0u64..1 << 40, 0..50),
        ) {
            let before = hist(&first);
            let now = hist(&[first, then.clone()].concat());
            let more = difference(&now, &before);
            prop_assert_eq!(&more.buckets, &hist(&then).buckets);
            let mut sum = before;
            add(&mut sum, &more);
            prop_assert_eq!(sum, now);
        }
    }

    #[test]
    fn nothing_counted_has_no_quantiles() {
        let none = distribution(&Hist::default(), 0);
        assert_eq!((none.count, none.p50_ns, none.max_ns), (0, None, None));
    }

    #[test]
    fn an_unknown_maximum_is_called_a_bound() {
        let before = hist(&[1_000_000, 10]);
        let now = hist(&[1_000_000, 10, 5_000]);
        let answer = distribution(&difference(&now, &before), now.max_ns);
        assert!(answer.max_is_bound && answer.max_ns.unwrap() >= 5_000);
        assert!(answer.p99_ns.unwrap() >= 4_096);
    }
}
