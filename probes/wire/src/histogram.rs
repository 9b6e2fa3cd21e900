//! Exponential histogram of scale 2: four buckets per power of two, no branch to find one.
//!
//! Maps without loss to an OpenTelemetry exponential histogram of scale 2. The index is
//! `(w >> l) + 4 l` with `w = max(value, 4)` and `l = 61 - lzcnt(w)`, so values 0 to 4 share bucket
//! 4 (0 to 3 stay empty) and everything above 2^48 ns (78 hours) lands in the last.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Number of buckets.
pub const BUCKETS: usize = 192;

/// The bucket of a value in ns; always below [`BUCKETS`].
#[inline(always)]
pub fn bucket(value_ns: u64) -> usize {
    let w = value_ns.max(4);
    let l = 61 - w.leading_zeros();
    let index = (w >> l) as usize + 4 * l as usize;
    index.min(BUCKETS - 1)
}

/// The half-open range of ns `[low, high)` that a bucket stands for. The last has no upper end.
pub fn bounds(bucket: usize) -> (u64, u64) {
    let low = |i: usize| match i {
        0..=4 => 0, // 0 to 3 are never used
        _ => {
            let l = (i - 4) / 4;
            ((i - 4 * l) as u64) << l
        }
    };
    let high = if bucket + 1 >= BUCKETS { u64::MAX } else { low(bucket + 1).max(1) };
    (low(bucket), high)
}

/// A histogram with one writer; readers may look at any time.
#[repr(C)]
pub struct Histogram {
    /// Sum of all values, ns.
    pub sum_ns: AtomicU64,
    /// Largest value, ns.
    pub max_ns: AtomicU64,
    /// Values per [`bucket`].
    pub counts: [AtomicU64; BUCKETS],
}

impl Histogram {
    /// Adds one value. Only the owner of the slot may call it.
    #[inline(always)]
    pub fn record(&self, value_ns: u64) {
        self.record_weighted(value_ns, 1);
    }

    /// Adds one value that stands for `weight` of them.
    #[inline(always)]
    pub fn record_weighted(&self, value_ns: u64, weight: u64) {
        let count = &self.counts[bucket(value_ns)];
        count.store(count.load(Relaxed).wrapping_add(weight), Relaxed);
        let sum_ns = value_ns.wrapping_mul(weight);
        self.sum_ns.store(self.sum_ns.load(Relaxed).wrapping_add(sum_ns), Relaxed);
        if value_ns > self.max_ns.load(Relaxed) {
            self.max_ns.store(value_ns, Relaxed);
        }
    }

    /// Sets everything to zero, when a slot is given to another thread.
    pub fn clear(&self) {
        self.sum_ns.store(0, Relaxed);
        self.max_ns.store(0, Relaxed);
        self.counts.iter().for_each(|count| count.store(0, Relaxed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_within_its_bucket() {
        let mut value = 0u64;
        while value < 1 << 50 {
            let (low, high) = bounds(bucket(value));
            assert!(low <= value && value < high, "{value}: {low}..{high}");
            value = value * 9 / 8 + 1;
        }
    }

    #[test]
    fn buckets_are_contiguous() {
        for i in 4..BUCKETS - 1 {
            assert_eq!(bounds(i).1, bounds(i + 1).0, "{i}");
        }
    }
}
