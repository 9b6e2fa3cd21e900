//! What a snapshot answers about thread states: sums of the counters, rows by caller, series.

use super::answers::{Pixels, Range};
use super::counters::total;
use crate::batch::StateCounters;
use serde::Serialize;

impl StateCounters {
    /// Ensures in all.
    pub fn calls(&self) -> u64 {
        total([self.fresh, self.kept, self.nested, self.unseen_fresh, self.unseen_other])
    }

    /// Ensures that made a state.
    pub fn fresh_in_all(&self) -> u64 {
        total([self.fresh, self.unseen_fresh])
    }

    /// Whether there were threads that gilscope had no room for: what becomes of their states is not known.
    pub fn has_unseen(&self) -> bool {
        self.unseen_fresh != 0 || self.unseen_other != 0
    }

    /// What making and deleting states took, chunks included; waiting for the GIL is not in it.
    pub fn cost_ns(&self) -> u64 {
        total([self.create_ns, self.chunk_ns, self.delete_ns])
    }

    /// States made, by Ensure or by the caller itself.
    pub fn created(&self) -> u64 {
        total([self.fresh_in_all(), self.made])
    }

    /// States deleted, by Release or by the caller itself.
    pub fn deleted_in_all(&self) -> u64 {
        self.fresh_deleted.saturating_add(self.deleted)
    }

    /// One kept cycle without waiting and running, ns; none before one was timed.
    pub fn kept_pair_ns(&self) -> Option<f64> {
        let sum = self.kept_create_ns.saturating_add(self.kept_delete_ns);
        (self.kept_cycles > 0).then(|| sum as f64 / self.kept_cycles as f64)
    }
}

/// One caller's part in the thread states of a range.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StateRow {
    pub caller: u32,
    pub module: String,
    pub function: Option<String>,
    #[serde(flatten)]
    pub counters: StateCounters,
}

/// Thread states of a range.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StateTotals {
    pub range: Range,
    pub all: StateCounters,
    /// States made and not yet deleted, of those that were made since the window began.
    pub live_temporary: i64,
    /// What a kept pair took in the target when gilscope came, the least of some tries; null if not known.
    pub calibrated_kept_ns: Option<u64>,
    pub callers: Vec<StateRow>,
}

/// Thread states over time, per pixel. Durations are means of the cycles that ended there; null without one.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct StateSeries {
    pub range: Range,
    #[serde(flatten)]
    pub pixels: Pixels,
    pub created_per_s: Vec<f32>,
    pub deleted_per_s: Vec<f32>,
    /// Calls that found a kept state.
    pub kept_per_s: Vec<f32>,
    pub create_ns: Vec<Option<f32>>,
    pub gil_wait_ns: Vec<Option<f32>>,
    pub run_ns: Vec<Option<f32>>,
    pub chunk_ns: Vec<Option<f32>>,
    pub delete_ns: Vec<Option<f32>>,
}
