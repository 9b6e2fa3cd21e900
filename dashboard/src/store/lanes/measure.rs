//! Measures one lane: counters and spans of a thread into parts of pixels.
//!
//! All of it rests on one function of time, [`Told::until`]: what is known to have been spent in each
//! state from a bin's start to a moment. A pixel is the difference of two moments, so that nothing is
//! ever counted twice or lost to rounding.

use super::spans::{Span, SpanKind};
use crate::store::{Pixels, Range};

/// States of a thread, in the order of [`Parts`]: with the GIL; waiting for it; on a core without it
/// (CPU beyond the time it held the GIL, so a lower bound); off CPU or unknown; not there or not watched.
pub const STATES: [&str; 5] = ["holding", "waiting", "native", "off", "absent"];

/// Ns in each of [`STATES`].
pub type Parts = [u64; 5];

/// What the counters say of one thread in a span of time: ns of holding, of waiting, of CPU.
pub struct LaneBin {
    pub range: Range,
    pub counted: [u64; 3],
}

/// The parts of each pixel. `bins` come in order and do not overlap; `spans` neither.
pub fn measure(
    pixels: Pixels,
    life: Range,
    bins: impl Iterator<Item = LaneBin>,
    spans: &[Span],
) -> Vec<Parts> {
    let sums = Sums::new(spans);
    let mut parts = vec![Parts::default(); pixels.count];
    for bin in bins {
        let told = Told::new(&bin, life, &sums);
        let (mut edge_ns, mut before) = (told.range.start_ns, [0; 3]);
        pixels.spread(told.range, |pixel, overlap_ns| {
            let start_ns = told.range.start_ns.max(pixels.span(pixel).start_ns);
            if edge_ns != start_ns {
                before = told.until(start_ns); // the raster begins inside of the bin
            }
            edge_ns = start_ns + overlap_ns;
            let now = told.until(edge_ns);
            let mut rest_ns = overlap_ns;
            for state in 0..3 {
                let ns = (now[state] - before[state]).min(rest_ns);
                parts[pixel][state] += ns;
                rest_ns -= ns;
            }
            parts[pixel][3] += rest_ns;
            before = now;
        });
    }
    for pixel in &mut parts {
        pixel[4] = pixels.step_ns - pixel[..4].iter().sum::<u64>();
    }
    parts
}

/// Time in spans up to any moment.
struct Sums<'a> {
    spans: &'a [Span],
    /// Holding and waiting in all spans before each one.
    before: Vec<[u64; 2]>,
}

impl<'a> Sums<'a> {
    fn new(spans: &'a [Span]) -> Self {
        let mut sum = [0; 2];
        let mut before = Vec::with_capacity(spans.len() + 1);
        for span in spans {
            before.push(sum);
            sum[column(span)] += span.range.length_ns();
        }
        before.push(sum);
        Self { spans, before }
    }

    fn until(&self, at_ns: u64) -> [u64; 2] {
        let next = self.spans.partition_point(|span| span.range.end_ns <= at_ns);
        let mut sum = self.before[next];
        if let Some(span) = self.spans.get(next) {
            sum[column(span)] += at_ns.saturating_sub(span.range.start_ns);
        }
        sum
    }
}

fn column(span: &Span) -> usize {
    usize::from(span.kind == SpanKind::Wait)
}

/// What is known of a thread in one bin.
struct Told<'a> {
    /// The part of the bin in which the thread was there.
    range: Range,
    sums: &'a Sums<'a>,
    begin: [u64; 2],
    /// Time of the bin that no span explains, and what of it was spent in the first three states.
    unexplained_ns: u64,
    rest: [u64; 3],
}

impl<'a> Told<'a> {
    fn new(bin: &LaneBin, life: Range, sums: &'a Sums<'a>) -> Self {
        let [hold_ns, wait_ns, cpu_ns] = bin.counted;
        let mut range = bin.range.intersection(&life);
        if range.length_ns() < hold_ns.saturating_add(wait_ns) {
            range = bin.range; // it lived before it was first seen
        }
        let begin = sums.until(range.start_ns);
        let end = sums.until(range.end_ns);
        let [held_ns, waited_ns] = [0, 1].map(|at| end[at] - begin[at]);
        let unexplained_ns = range.length_ns() - held_ns - waited_ns;
        let hold = hold_ns.saturating_sub(held_ns).min(unexplained_ns);
        let wait = wait_ns.saturating_sub(waited_ns).min(unexplained_ns - hold);
        let native = cpu_ns.saturating_sub(hold_ns).min(unexplained_ns - hold - wait);
        Self { range, sums, begin, unexplained_ns, rest: [hold, wait, native] }
    }

    /// Holding, waiting and native time from the range's start to a moment of it.
    fn until(&self, at_ns: u64) -> [u64; 3] {
        let now = self.sums.until(at_ns);
        let [held_ns, waited_ns] = [0, 1].map(|at| now[at] - self.begin[at]);
        let unexplained_ns = at_ns - self.range.start_ns - held_ns - waited_ns;
        let part = |rest: u64| {
            let whole = u128::from(self.unexplained_ns.max(1));
            (u128::from(rest) * u128::from(unexplained_ns) / whole) as u64
        };
        [held_ns + part(self.rest[0]), waited_ns + part(self.rest[1]), part(self.rest[2])]
    }
}
