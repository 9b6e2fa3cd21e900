//! Lanes: for each thread, how each pixel's time was spent, from counters and single events together.
//!
//! Counters know every nanosecond of holding and waiting, but only per bin; events know the moment, but
//! not every hold makes one. So events say where in its bin a part of the counted time lies, and the
//! rest of what was counted is spread evenly over the time that no event explains. However far the view
//! is zoomed, the parts of a pixel sum to the pixel, and the pixels of a bin to the bin's counters.

mod detail;
mod measure;
mod spans;
#[cfg(test)]
mod tests;

pub use detail::{Detail, DetailBin, Missing};
pub use measure::{LaneBin, Parts, STATES, measure};
pub use spans::{Span, SpanKind, Spans, spans};

use super::answers::{Pixels, Range};
use super::snapshot::Snapshot;
use super::timeline::{Bin, TIER_NS};
use crate::batch::{Event, ThreadKey};

/// Spans in one answer; the shortest are left out beyond it, and counted.
pub const SPANS_MAX: usize = 12_000;

/// Hold, wait and CPU of some threads in spans of time, in order and apart.
type LaneBins = Vec<(Range, Vec<[u64; 3]>)>;

/// One thread's lane.
#[derive(Clone, Debug, PartialEq)]
pub struct Lane {
    pub thread: ThreadKey,
    /// One a pixel, in ns, summing to the pixel's width.
    pub pixels: Vec<Parts>,
}

/// What some threads did in a range.
#[derive(Clone, Debug, PartialEq)]
pub struct Lanes {
    /// What is known of the range asked for.
    pub range: Range,
    pub pixels: Pixels,
    pub lanes: Vec<Lane>,
    /// Single waits and holds that touch the range, by start; none where pixels are wider than bins.
    pub spans: Vec<Span>,
    pub spans_left_out: u64,
    /// From here on single events are at hand; before it there are only counters.
    pub detail_from_ns: u64,
    /// The widest bin of counters in the range, ns; 0 without any.
    pub bin_ns: u64,
}

impl Snapshot<'_> {
    /// The lanes of these threads, in their order, in at most about `px` pixels. Threads that are not
    /// known (any more) are passed over. `detail` is what a recording tells of what is
    /// [`Snapshot::missing`] here.
    pub fn lanes(
        &self,
        range: Range,
        px: usize,
        threads: &[ThreadKey],
        detail: Option<&Detail>,
    ) -> Lanes {
        let range = self.range().intersection(&range);
        let pixels = Pixels::fine(range, px);
        let known = |key: &&ThreadKey| self.thread(**key).is_some();
        let threads: Vec<ThreadKey> = threads.iter().filter(known).copied().collect();
        let mut bins = self.lane_bins(range, &threads);
        let detailed = pixels.step_ns < TIER_NS[0];
        let mut detail_from_ns = if detailed { self.detail_from_ns() } else { u64::MAX };
        if let Some(detail) = detail {
            bins = detail.replace(bins, range, &threads);
            detail_from_ns = detail.starts_ns(range, detail_from_ns);
        }
        // All events of the bins in sight, so that none is taken for time that no event explains.
        let whole = bins.iter().fold(range, |sum, bin| sum.union(&bin.0));
        let own = if detailed && detail.is_none() {
            spans(self.events_near(whole))
        } else {
            Spans::new()
        };
        let spans = detail.map_or(&own, |detail| &detail.spans);
        let none = Vec::new();
        let lane = |(place, key): (usize, &ThreadKey)| Lane {
            thread: *key,
            pixels: measure(
                pixels,
                self.life(*key),
                bins.iter().map(|bin| LaneBin { range: bin.0, counted: bin.1[place] }),
                spans.get(key).unwrap_or(&none),
            ),
        };
        let lanes = threads.iter().enumerate().map(lane).collect();
        let (spans, spans_left_out) = pick(spans, &threads, range);
        let spans_left_out = spans_left_out + detail.map_or(0, |detail| detail.left_out);
        let bin_ns = bins.iter().map(|bin| bin.0.length_ns()).max().unwrap_or(0);
        Lanes { range, pixels, lanes, spans, spans_left_out, detail_from_ns, bin_ns }
    }

    fn life(&self, key: ThreadKey) -> Range {
        let fact = self.thread(key).expect("lanes are made of known threads");
        Range::new(fact.first_seen_ns, fact.ended_ns.unwrap_or(u64::MAX))
    }

    /// All events from here on are at hand.
    pub(super) fn detail_from_ns(&self) -> u64 {
        match (self.store.events_let_go, self.store.events.front()) {
            (0, _) => 0,
            (_, first) => first.map_or(u64::MAX, |event| event.at_ns),
        }
    }

    /// Events at hand of what happened in the range.
    fn events_near(&self, range: Range) -> impl Iterator<Item = &Event> {
        // A wait that began in the range may end a good while after it.
        let near = Range::new(range.start_ns, range.end_ns.saturating_add(5 * TIER_NS[1]));
        let inside =
            move |event: &&Event| near.start_ns <= event.at_ns && event.at_ns < near.end_ns;
        self.store.events.iter().filter(inside)
    }

    /// Hold, wait and CPU of the threads in each bin that touches the range.
    fn lane_bins(&self, range: Range, threads: &[ThreadKey]) -> LaneBins {
        let touches = |bin: Range| !bin.intersection(&range).is_empty();
        let mut bins = LaneBins::new();
        for bin in self.store.gil.bins().filter(|bin| touches(bin.range())) {
            let of = |key: &ThreadKey| match bin.threads.binary_search_by_key(key, |row| row.0) {
                Ok(at) => [bin.threads[at].1.hold_ns, bin.threads[at].1.wait_ns, 0],
                Err(_) => [0; 3],
            };
            bins.push((bin.range, threads.iter().map(of).collect()));
        }
        self.add_cpu(&mut bins, threads);
        bins
    }

    /// Spreads CPU, which is sampled at moments of its own, over the GIL's bins.
    fn add_cpu(&self, bins: &mut [(Range, Vec<[u64; 3]>)], threads: &[ThreadKey]) {
        let mut first = 0;
        for cpu in self.store.cpu.bins() {
            while bins.get(first).is_some_and(|bin| bin.0.end_ns <= cpu.range.start_ns) {
                first += 1;
            }
            for (range, rows) in &mut bins[first..] {
                if range.start_ns >= cpu.range.end_ns {
                    break;
                }
                let common_ns = u128::from(range.intersection(&cpu.range).length_ns());
                let length_ns = u128::from(cpu.range.length_ns().max(1));
                for (key, row) in threads.iter().zip(rows) {
                    if let Ok(at) = cpu.threads.binary_search_by_key(key, |row| row.0) {
                        let cpu_ns = u128::from(cpu.threads[at].1.totals.cpu_ns);
                        row[2] = row[2].saturating_add((cpu_ns * common_ns / length_ns) as u64);
                    }
                }
            }
        }
    }
}

/// Spans of the lanes that touch the range, the longest if there are too many, by start.
fn pick(spans: &Spans, threads: &[ThreadKey], range: Range) -> (Vec<Span>, u64) {
    let touches = |span: &&Span| !span.range.intersection(&range).is_empty();
    let of_thread = |key: &ThreadKey| spans.get(key).into_iter().flatten().filter(touches);
    let mut picked: Vec<Span> = threads.iter().flat_map(of_thread).copied().collect();
    let left_out = picked.len().saturating_sub(SPANS_MAX);
    if left_out > 0 {
        picked.sort_by_key(|span| std::cmp::Reverse(span.range.length_ns()));
        picked.truncate(SPANS_MAX);
    }
    picked.sort_by_key(|span| span.range.start_ns);
    (picked, left_out as u64)
}

impl Pixels {
    /// At most `wanted` pixels (one more where the ends do not fall on the raster), as narrow as 1 ns.
    pub fn fine(range: Range, wanted: usize) -> Self {
        if range.is_empty() {
            return Self::default();
        }
        let step_ns = range.length_ns().div_ceil(wanted.max(1) as u64);
        let start_ns = range.start_ns / step_ns * step_ns;
        let count = (range.end_ns - start_ns).div_ceil(step_ns) as usize;
        Self { start_ns, step_ns, count }
    }
}
