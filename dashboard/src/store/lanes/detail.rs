//! What a recording adds to the lanes of a narrow range whose single events the store has let go of.
//!
//! It brings counters of its own for the range, about a second each: the store's bins may be a minute
//! wide by then, and their counters would have to be spread over time that no event at hand explains.

use super::{LaneBins, Spans};
use crate::batch::{Event, ThreadKey};
use crate::store::timeline::TIER_NS;
use crate::store::{Pixels, Range, Snapshot};
use std::collections::BTreeMap;

/// Counters of all threads in a span of time.
#[derive(Clone, Debug, PartialEq)]
pub struct DetailBin {
    pub range: Range,
    /// Ns of holding, of waiting, of CPU.
    pub counted: BTreeMap<ThreadKey, [u64; 3]>,
}

/// See the module's text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Detail {
    /// What the bins cover, without gaps; beyond it the store's own figures count.
    pub range: Range,
    pub bins: Vec<DetailBin>,
    /// Of all events that touch the range, but for those left out, and of the store's later ones.
    pub spans: Spans,
    /// Events that are too many for one answer; their time is in the counters.
    pub left_out: u64,
}

/// What a recording is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Missing {
    pub range: Range,
    /// Events of the range that the store has, the newest.
    pub later: Vec<Event>,
}

impl Snapshot<'_> {
    /// What the lanes of the range lack in single events; null if they show none at this width, or if
    /// all are at hand.
    pub fn missing(&self, range: Range, px: usize) -> Option<Missing> {
        let range = self.range().intersection(&range);
        let fine = Pixels::fine(range, px).step_ns < TIER_NS[0];
        if range.is_empty() || !fine || self.detail_from_ns() <= range.start_ns {
            return None;
        }
        let later = self.events_near(range).cloned().collect();
        Some(Missing { range, later })
    }
}

impl Detail {
    /// From here on all events are at hand, if the store has them from `store_from_ns` on.
    pub(super) fn starts_ns(&self, range: Range, store_from_ns: u64) -> u64 {
        let gap = self.range.end_ns < range.end_ns && self.range.end_ns < store_from_ns;
        if gap || self.range.is_empty() { store_from_ns } else { self.range.start_ns }
    }

    /// These bins in place of the store's where both tell of a time; only those that touch `seen`.
    pub(super) fn replace(&self, bins: LaneBins, seen: Range, threads: &[ThreadKey]) -> LaneBins {
        let (mut before, mut after) = (LaneBins::new(), LaneBins::new());
        for (range, rows) in bins {
            let early = Range::new(range.start_ns, range.end_ns.min(self.range.start_ns));
            let late = Range::new(range.start_ns.max(self.range.end_ns), range.end_ns);
            for (part, side) in [(early, &mut before), (late, &mut after)] {
                if !part.intersection(&seen).is_empty() {
                    side.push((part, rows.iter().map(|row| share(row, part, range)).collect()));
                }
            }
        }
        let own = self.bins.iter().map(|bin| {
            let row = |key: &ThreadKey| bin.counted.get(key).copied().unwrap_or_default();
            (bin.range, threads.iter().map(row).collect())
        });
        before.into_iter().chain(own).chain(after).collect()
    }
}

/// The part of a bin's counters that falls to a part of its time, if it was spent evenly.
fn share(row: &[u64; 3], part: Range, whole: Range) -> [u64; 3] {
    let (part, whole) = (u128::from(part.length_ns()), u128::from(whole.length_ns().max(1)));
    row.map(|ns| (u128::from(ns) * part / whole) as u64)
}
