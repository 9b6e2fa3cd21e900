//! What the interpreter kept for frames over the session: looks at the chunks, and censuses.
//!
//! Levels, not sums: a look holds until the next one. Old looks are thinned, every second one of the older half, so that
//! the first and the newest stay; so are censuses.

use super::answers::{Pixels, Range};
use super::frames_answers::{FramesAt, FramesSeries};
use super::snapshot::Snapshot;
use crate::batch::*;
use serde::{Deserialize, Serialize};

/// Looks, rows of all of them, and censuses that are kept.
const LOOKS: usize = 8_192;
const ROWS: usize = 65_536;
const CENSUSES: usize = 32;
/// Rows of one look or of a census's table: a target that claims more is cut short.
const ROWS_OF_ONE: usize = 4_096;

/// See the module's text.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Frames {
    model: Option<FramesModel>,
    looks: Vec<Look>,
    censuses: Vec<Census>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Look {
    at_ns: u64,
    stacks: Vec<ThreadStack>,
    unread: u32,
}

impl Frames {
    /// Takes a sample that is not older than the last one.
    pub fn take(&mut self, sample: &FramesSample) {
        let last_ns = self.looks.last().map_or(0, |look| look.at_ns);
        let mut stacks = sample.stacks.clone();
        stacks.truncate(ROWS_OF_ONE);
        self.model = Some(sample.model);
        let at_ns = sample.at_ns.max(last_ns);
        self.looks.push(Look { at_ns, stacks, unread: sample.unread });
        if let Some(census) = &sample.census {
            let last_ns = self.censuses.last().map_or(0, |census| census.at_ns);
            let mut census = census.as_ref().clone();
            census.at_ns = census.at_ns.max(last_ns);
            for held in census.held_mut() {
                held.modules.truncate(ROWS_OF_ONE);
                held.functions.truncate(ROWS_OF_ONE);
            }
            self.censuses.push(census);
        }
        while self.looks.len() > LOOKS || (self.rows() > ROWS && self.looks.len() > 4) {
            thin(&mut self.looks);
        }
        if self.censuses.len() > CENSUSES {
            thin(&mut self.censuses);
        }
    }

    fn rows(&self) -> usize {
        self.looks.iter().map(|look| look.stacks.len()).sum()
    }

    /// What brings an empty store up to now.
    pub fn so_far(&self) -> Option<FramesSample> {
        let look = self.looks.last()?;
        Some(FramesSample {
            at_ns: look.at_ns,
            model: self.model?,
            stacks: look.stacks.clone(),
            unread: look.unread,
            census: self.censuses.last().cloned().map(Box::new),
        })
    }

    /// Renames threads that are no longer kept one by one.
    pub fn rename(&mut self, new: impl Fn(ThreadKey) -> ThreadKey) {
        let stacks = self.looks.iter_mut().flat_map(|look| &mut look.stacks);
        stacks.for_each(|stack| stack.key = new(stack.key));
    }

    /// Whether it is one that [`Frames::take`] could have made.
    pub fn is_sound(&self) -> bool {
        let few = |held: &Held| held.modules.len().max(held.functions.len()) <= ROWS_OF_ONE;
        self.looks.len() <= LOOKS
            && (self.rows() <= ROWS || self.looks.len() <= 4)
            && self.looks.iter().all(|look| look.stacks.len() <= ROWS_OF_ONE)
            && self.looks.is_sorted_by_key(|look| look.at_ns)
            && self.censuses.len() <= CENSUSES
            && self.censuses.is_sorted_by_key(|census| census.at_ns)
            && self.censuses.iter().flat_map(Census::held).all(few)
            && self.looks.is_empty() == self.model.is_none()
    }
}

/// Lets every second one of the older half go, but not the first.
fn thin<T>(all: &mut Vec<T>) {
    let half = all.len() / 2;
    let mut at = 0;
    all.retain(|_| {
        at += 1;
        at > half || at % 2 == 1
    });
}

/// The last of `all` that is not later than `at_ns`, else the first.
fn last_until<T>(all: &[T], at_ns: u64, time: impl Fn(&T) -> u64) -> Option<&T> {
    let later = all.partition_point(|one| time(one) <= at_ns);
    all.get(later.saturating_sub(1))
}

impl<'a> Snapshot<'a> {
    /// What was kept for frames at the end of `range`; null when the probe has no figures.
    pub fn frames(&self, range: Range) -> Option<FramesAt<'a>> {
        self.frames_at(self.last_moment(range))
    }

    /// The end of `range`; of the whole session, whatever came last.
    fn last_moment(&self, range: Range) -> u64 {
        if self.is_whole(range) { u64::MAX } else { range.end_ns }
    }

    /// Whether there are any figures of the frames probe.
    pub fn has_frames(&self) -> bool {
        !self.store.frames.looks.is_empty()
    }

    fn frames_at(&self, at_ns: u64) -> Option<FramesAt<'a>> {
        let frames = &self.store.frames;
        let look = last_until(&frames.looks, at_ns, |look| look.at_ns)?;
        Some(FramesAt {
            at_ns: look.at_ns,
            model: frames.model?,
            stacks: &look.stacks,
            unread: look.unread,
            census: last_until(&frames.censuses, at_ns, |census| census.at_ns),
        })
    }

    /// The same over time: each pixel has what was known at its end. Null when the probe has no figures.
    pub fn frames_series(&self, range: Range, wanted: usize) -> Option<FramesSeries> {
        let frames = &self.store.frames;
        let first_ns = frames.looks.first()?.at_ns;
        let pixels = Pixels::over(range, wanted);
        let at = |pixel: usize| {
            let end_ns = match pixel + 1 == pixels.count {
                true => self.last_moment(range),
                false => pixels.span(pixel).end_ns,
            };
            self.frames_at(end_ns).filter(|_| end_ns >= first_ns)
        };
        let points = (0..pixels.count).map(|pixel| at(pixel).map(|frames| frames.figures()));
        Some(FramesSeries { range, pixels, model: frames.model?, points: points.collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    fn sample(at_ns: u64, used_bytes: u64) -> Batch {
        let stack = ThreadStack {
            key: ThreadKey(1),
            chunks: 1,
            bytes: 16_384,
            used_bytes,
            cached_bytes: Some(0),
            resident_bytes: Some(4_096),
        };
        let model = FramesModel::Chunk;
        let frames = FramesSample { at_ns, model, stacks: vec![stack; 9], unread: 0, census: None };
        Batch { at_ns, frames: Some(frames), ..Batch::default() }
    }

    #[test]
    fn looks_are_thinned_and_the_first_and_newest_stay() {
        let mut store = Store::new(Target::default());
        (1..=20_000).for_each(|n| store.apply(&sample(n * 1_000_000_000, n)));
        assert!(store.frames.looks.len() <= LOOKS && store.frames.rows() <= ROWS);
        assert!(store.frames.is_sound());
        let snapshot = store.snapshot();
        let used = |end_ns| snapshot.frames_at(end_ns).unwrap().stacks[0].used_bytes;
        assert_eq!((used(0), used(u64::MAX)), (1, 20_000));
        let middle = used(10_000 * 1_000_000_000);
        assert!((9_900..=10_000).contains(&middle), "{middle}");
    }

    #[test]
    fn idle_is_what_is_not_used_and_unknown_where_a_part_is() {
        let mut store = Store::new(Target::default());
        store.apply(&sample(1, 384));
        let at = |store: &Store| store.snapshot().frames(Range::new(0, 9)).unwrap().figures();
        let figures = at(&store);
        assert_eq!(figures.idle_bytes, Some(9 * 16_000));
        assert_eq!(figures.resident_bytes, Some(9 * 4_096));
        let mut unknown = sample(2, 384);
        unknown.frames.as_mut().unwrap().stacks[3].cached_bytes = None;
        store.apply(&unknown);
        assert_eq!((at(&store).idle_bytes, at(&store).slack_bytes), (None, Some(9 * 16_000)));
    }
}
