//! What a snapshot answers about frames: the level at one moment, and its parts.

use super::answers::{Pixels, Range};
use super::counters::total;
use crate::batch::{Census, FramesModel, Held, Tally, ThreadStack};
use serde::Serialize;

/// What was kept for frames at one moment.
#[derive(Clone, Copy, Debug)]
pub struct FramesAt<'a> {
    /// Of the look.
    pub at_ns: u64,
    pub model: FramesModel,
    pub stacks: &'a [ThreadStack],
    /// Thread states that could not be read.
    pub unread: u32,
    /// The last one by then.
    pub census: Option<&'a Census>,
}

/// The figures of a moment. Null: not known, or not there in this model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FramesFigures {
    /// The one figure to compare by: memory held for frames that do not run. The sum of the parts below, null if one
    /// of the model's own is.
    pub idle_bytes: Option<u64>,
    /// In RAM, of all memory held for frames; that for running ones included.
    pub resident_bytes: Option<u64>,
    pub zombie_bytes: Option<u64>,
    pub free_list_bytes: Option<u64>,
    /// Of chunks: room behind what is used.
    pub slack_bytes: Option<u64>,
    pub cached_bytes: Option<u64>,
    /// Of chunks: what is used.
    pub used_bytes: Option<u64>,
}

/// One of the figures of a moment.
pub type FramesFigure = fn(&FramesFigures) -> Option<u64>;

impl FramesFigures {
    /// Every figure, by its name.
    pub const ALL: [(&str, FramesFigure); 7] = [
        ("idle_bytes", |f| f.idle_bytes),
        ("resident_bytes", |f| f.resident_bytes),
        ("zombie_bytes", |f| f.zombie_bytes),
        ("free_list_bytes", |f| f.free_list_bytes),
        ("slack_bytes", |f| f.slack_bytes),
        ("cached_bytes", |f| f.cached_bytes),
        ("used_bytes", |f| f.used_bytes),
    ];
}

/// [`FramesFigures`] over time; no point before the first look.
#[derive(Clone, Debug, Serialize)]
pub struct FramesSeries {
    pub range: Range,
    pub pixels: Pixels,
    pub model: FramesModel,
    pub points: Vec<Option<FramesFigures>>,
}

impl FramesAt<'_> {
    /// Its figures.
    pub fn figures(&self) -> FramesFigures {
        match self.model {
            FramesModel::Zombie => self.of_objects(),
            FramesModel::Chunk => self.of_chunks(),
        }
    }

    fn of_objects(&self) -> FramesFigures {
        let bytes = |tally: Tally| tally.bytes;
        let zombies = self.census.and_then(|census| census.zombies.as_ref());
        let zombie_bytes = zombies.map(|held| held.all.bytes);
        let free_list_bytes = self.census.and_then(|census| census.free_list).map(bytes);
        let both = zombie_bytes.zip(free_list_bytes).map(|(a, b)| a.saturating_add(b));
        FramesFigures {
            idle_bytes: both,
            // A census looks at nothing that is not in RAM.
            resident_bytes: both,
            zombie_bytes,
            free_list_bytes,
            ..FramesFigures::default()
        }
    }

    fn of_chunks(&self) -> FramesFigures {
        let slack = |stack: &ThreadStack| stack.bytes.saturating_sub(stack.used_bytes);
        let slack_bytes = total(self.stacks.iter().map(slack));
        let cached_bytes = sum(self.stacks.iter().map(|stack| stack.cached_bytes));
        FramesFigures {
            idle_bytes: cached_bytes.map(|cached| cached.saturating_add(slack_bytes)),
            resident_bytes: sum(self.stacks.iter().map(|stack| stack.resident_bytes)),
            slack_bytes: Some(slack_bytes),
            cached_bytes,
            used_bytes: Some(total(self.stacks.iter().map(|stack| stack.used_bytes))),
            ..FramesFigures::default()
        }
    }
}

/// None if one of them is.
fn sum(all: impl Iterator<Item = Option<u64>>) -> Option<u64> {
    all.collect::<Option<Vec<u64>>>().map(total)
}

impl Census {
    /// Every table of frames that it has.
    pub fn held(&self) -> impl Iterator<Item = &Held> {
        [&self.zombies, &self.suspended, &self.exhausted, &self.escaped].into_iter().flatten()
    }

    /// The same, to change.
    pub fn held_mut(&mut self) -> impl Iterator<Item = &mut Held> {
        let all = [&mut self.zombies, &mut self.suspended, &mut self.exhausted, &mut self.escaped];
        all.into_iter().flatten()
    }
}
