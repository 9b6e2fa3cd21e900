//! Medians of paired measurements with 95 % confidence intervals.
//!
//! The interval is the distribution-free one of order statistics (sign test): no assumption about the
//! noise of a shared machine, which has long tails on one side. Knows nothing of what was measured.

use serde::{Deserialize, Serialize};

/// Fewest values for which the widest interval, least to greatest, covers the median with 95 %.
pub(crate) const LEAST: usize = 6;

/// A median and the bounds of its 95 % confidence interval, from `n` values.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Estimate {
    pub(crate) value: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) n: usize,
}

impl Estimate {
    /// Of at least [`LEAST`] values.
    pub(crate) fn of(values: &[f64]) -> Self {
        assert!(values.len() >= LEAST, "{} values give no 95 % interval", values.len());
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let n = sorted.len();
        let value = (sorted[(n - 1) / 2] + sorted[n / 2]) / 2.0;
        let rank = rank(n);
        Self { value, low: sorted[rank - 1], high: sorted[n - rank], n }
    }

    /// A figure that was read once, without an interval.
    pub(crate) fn once(value: f64) -> Self {
        Self { value, low: value, high: value, n: 1 }
    }

    /// Of `arm - base`, pair by pair.
    pub(crate) fn of_differences(arm: &[f64], base: &[f64]) -> Self {
        Self::of(&pairs(arm, base).map(|(arm, base)| arm - base).collect::<Vec<_>>())
    }

    /// Of `arm / base`, pair by pair.
    pub(crate) fn of_ratios(arm: &[f64], base: &[f64]) -> Self {
        Self::of(&pairs(arm, base).map(|(arm, base)| arm / base).collect::<Vec<_>>())
    }
}

fn pairs<'a>(arm: &'a [f64], base: &'a [f64]) -> impl Iterator<Item = (f64, f64)> + 'a {
    assert_eq!(arm.len(), base.len(), "every measurement has its partner");
    arm.iter().copied().zip(base.iter().copied())
}

/// The greatest rank r, from 1, whose order statistics r and n + 1 - r enclose the median with 95 %.
fn rank(n: usize) -> usize {
    let (mut term, mut below) = (0.5f64.powi(i32::try_from(n).expect("few values")), 0.0);
    for r in 0..n / 2 {
        below += term; // P(Binomial(n, 1/2) <= r)
        if below > 0.025 {
            return r.max(1);
        }
        term *= (n - r) as f64 / (r + 1) as f64;
    }
    (n / 2).max(1)
}

/// The value below which a share `p` of the values lies (nearest rank).
pub(crate) fn percentile(values: &[f64], p: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (p * sorted.len() as f64).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

#[test]
fn ranks_are_those_of_the_sign_test() {
    // Conover, Practical Nonparametric Statistics, table of the binomial distribution.
    assert_eq!([6, 8, 9, 12, 20, 25].map(rank), [1, 1, 2, 3, 6, 8]);
}

#[test]
fn the_interval_holds_the_median() {
    let estimate = Estimate::of(&[5.0, 1.0, 4.0, 2.0, 3.0, 6.0]);
    assert_eq!(estimate, Estimate { value: 3.5, low: 1.0, high: 6.0, n: 6 });
    assert_eq!(percentile(&[3.0, 1.0, 2.0, 4.0], 0.5), 2.0);
}
