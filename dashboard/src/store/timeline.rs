//! A timeline of bins that grow coarser with age: 100 ms, 1 s, 10 s, 1 min.
//!
//! A bin holds what was added between two samples, so merging neighbours is adding, and any run of
//! whole bins gives exact sums. Bins end where samples were taken, not on round times: a tier keeps
//! the last sample of each of its slots. Knows nothing of what a bin holds.

use super::answers::{Pixels, Range};
use serde::{Deserialize, Serialize};

/// Slot widths of the tiers, ns.
pub const TIER_NS: [u64; 4] = [100_000_000, 1_000_000_000, 10_000_000_000, 60_000_000_000];

/// While there are too many rows, a tier gives bins to the next coarser one down to this number;
/// if that is not enough, the oldest bins are let go of.
const FLOOR: usize = 8;

/// What was added in a span of time.
pub trait Bin {
    fn range(&self) -> Range;
    /// Adds the bin that follows directly.
    fn merge(&mut self, later: Self);
    /// A measure of the memory that it takes, in rows of about 100 bytes.
    fn rows(&self) -> usize;
}

/// How much a timeline keeps.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keep {
    /// Bins per tier, finest first.
    pub bins: [usize; 4],
    /// Rows over all bins.
    pub rows: usize,
}

/// See the module's text.
#[derive(Debug, Serialize, Deserialize)]
pub struct Timeline<B> {
    #[serde(skip)]
    keep: Keep,
    tiers: [std::collections::VecDeque<B>; 4],
    rows: usize,
}

impl<B: Bin> Timeline<B> {
    pub fn new(keep: Keep) -> Self {
        Self { keep, tiers: Default::default(), rows: 0 }
    }

    /// Adds the bin that follows the last one, then lets the oldest grow coarser as needed.
    pub fn push(&mut self, bin: B) {
        self.add(0, bin);
        for tier in 0..TIER_NS.len() {
            while self.tiers[tier].len() > self.keep.bins[tier].max(1) {
                self.demote(tier);
            }
        }
        while self.rows > self.keep.rows && self.bins().nth(1).is_some() {
            let spare = |tier: &usize| self.tiers[*tier].len() > FLOOR;
            let oldest = |tier: &usize| !self.tiers[*tier].is_empty();
            let tiers = 0..TIER_NS.len();
            let tier = tiers.clone().find(spare).or(tiers.rev().find(oldest));
            self.demote(tier.expect("there are two bins, so some tier has one"));
        }
    }

    /// Sets what it keeps, after it was read from a file.
    pub fn keep(&mut self, keep: Keep) {
        self.keep = keep;
    }

    /// Whether it is one that [`Timeline::push`] could have made: what a file holds may be anything.
    pub fn is_sound(&self, is_sound: impl Fn(&B) -> bool) -> bool {
        let in_order = |(first, second): (&B, &B)| first.range().end_ns <= second.range().start_ns;
        let sizes =
            self.tiers.iter().zip(self.keep.bins).all(|(tier, most)| tier.len() <= most.max(1));
        sizes
            && self.bins().zip(self.bins().skip(1)).all(in_order)
            && self.bins().all(|bin| !bin.range().is_empty() && is_sound(bin))
            && self.rows == self.bins().map(B::rows).sum::<usize>()
    }

    /// Oldest first.
    pub fn bins(&self) -> impl DoubleEndedIterator<Item = &B> {
        self.tiers.iter().rev().flatten()
    }

    /// For changes that rename what a bin holds; rows are counted anew.
    pub fn for_each_mut(&mut self, mut change: impl FnMut(&mut B)) {
        self.tiers.iter_mut().flatten().for_each(&mut change);
        self.rows = self.bins().map(B::rows).sum();
    }

    /// From the oldest kept bin's start to the newest one's end.
    pub fn range(&self) -> Range {
        match (self.bins().next(), self.bins().next_back()) {
            (Some(first), Some(last)) => Range::new(first.range().start_ns, last.range().end_ns),
            _ => Range::default(),
        }
    }

    /// The run of whole bins that comes nearest to `wanted`, and its true bounds: each end goes to
    /// the nearer edge of the bin that it falls into, but one bin is always kept.
    pub fn within(&self, wanted: Range) -> (Range, impl Iterator<Item = &B>) {
        let bounds = self.snap(wanted);
        (bounds, self.bins().filter(move |bin| bounds.contains(&bin.range()) && !bounds.is_empty()))
    }

    fn snap(&self, wanted: Range) -> Range {
        let kept = self.range();
        let clipped = kept.intersection(&wanted);
        if clipped.is_empty() {
            return Range::new(clipped.start_ns, clipped.start_ns);
        }
        let edge = |at_ns: u64| {
            let bin = self.bins().map(B::range).find(|bin| at_ns < bin.end_ns);
            bin.map_or(kept.end_ns, |bin| {
                let nearer_start = at_ns - bin.start_ns <= bin.end_ns - at_ns;
                if nearer_start { bin.start_ns } else { bin.end_ns }
            })
        };
        let snapped = Range::new(edge(clipped.start_ns), edge(clipped.end_ns));
        if !snapped.is_empty() {
            return snapped;
        }
        let middle = clipped.start_ns + clipped.length_ns() / 2;
        self.bins().map(B::range).find(|bin| middle < bin.end_ns).unwrap_or(snapped)
    }

    fn add(&mut self, tier: usize, bin: B) {
        let slot = |bin: &B| bin.range().end_ns.saturating_sub(1) / TIER_NS[tier];
        self.rows += bin.rows();
        match self.tiers[tier].back_mut() {
            Some(last) if slot(last) == slot(&bin) => {
                self.rows -= last.rows() + bin.rows();
                last.merge(bin);
                self.rows += last.rows();
            }
            _ => self.tiers[tier].push_back(bin),
        }
    }

    /// Moves the oldest bin of a tier to the next coarser one; out of the last it is let go.
    fn demote(&mut self, tier: usize) {
        let Some(bin) = self.tiers[tier].pop_front() else { return };
        self.rows -= bin.rows();
        if tier + 1 < TIER_NS.len() {
            self.add(tier + 1, bin);
        }
    }
}

impl Pixels {
    /// At most `wanted` pixels over `range` (one more where the ends do not fall on the raster),
    /// and none narrower than the finest tier.
    pub fn over(range: Range, wanted: usize) -> Self {
        if range.is_empty() {
            return Self::default();
        }
        let step_ns = range.length_ns().div_ceil(wanted.max(1) as u64).max(TIER_NS[0]);
        let start_ns = range.start_ns / step_ns * step_ns;
        let count = (range.end_ns - start_ns).div_ceil(step_ns) as usize;
        Self { start_ns, step_ns, count }
    }

    /// The span of a pixel.
    pub fn span(&self, pixel: usize) -> Range {
        let start_ns = self.start_ns.saturating_add((pixel as u64).saturating_mul(self.step_ns));
        Range::new(start_ns, start_ns.saturating_add(self.step_ns))
    }

    /// Calls `with(pixel, overlap_ns)` for each pixel that `range` touches.
    pub fn spread(&self, range: Range, mut with: impl FnMut(usize, u64)) {
        if self.count == 0 {
            return;
        }
        let whole = Range::new(self.start_ns, self.span(self.count - 1).end_ns);
        let inside = whole.intersection(&range);
        if inside.is_empty() {
            return;
        }
        let first = ((inside.start_ns - self.start_ns) / self.step_ns) as usize;
        let last = ((inside.end_ns - 1 - self.start_ns) / self.step_ns) as usize;
        for pixel in first..=last {
            with(pixel, self.span(pixel).intersection(&inside).length_ns());
        }
    }
}
