//! Differences and sums of plain counters, field by field, and their totals out of a batch.
//!
//! Nothing overflows: what a hostile segment could make jump only ever gives wrong figures.

use super::answers::{CpuParts, CpuTotals, ThreadGilTotals};
use crate::batch::{GilSample, StateCounters, ThreadCpu, ThreadGil};
use serde::{Deserialize, Serialize};

/// A sum that stays at its largest value rather than to begin anew.
pub fn total(parts: impl IntoIterator<Item = u64>) -> u64 {
    parts.into_iter().fold(0, u64::saturating_add)
}

/// Counters that only grow.
pub trait Counters: Copy + Default {
    /// What came on top since `before`; 0 where a counter went back.
    fn since(&self, before: &Self) -> Self;
    fn add(&mut self, more: &Self);
}

macro_rules! counters {
    ($type:ty { $($field:ident),+ $(,)? }) => {
        impl Counters for $type {
            fn since(&self, before: &Self) -> Self {
                Self { $($field: self.$field.saturating_sub(before.$field)),+ }
            }

            fn add(&mut self, more: &Self) {
                $(self.$field = self.$field.saturating_add(more.$field);)+
            }
        }
    };
}

/// The GIL's scalar counters; `held_ns + free_ns` is their span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GilCounters {
    pub held_ns: u64,
    pub free_ns: u64,
    pub waited_ns: u64,
    pub handoffs: u64,
    pub drop_requests: u64,
    pub acquires: u64,
    pub acquires_contended: u64,
    pub acquires_timed: u64,
    pub releases_voluntary: u64,
    pub releases_forced: u64,
}

/// Waits that a cause accounts for: a row of the blame or handoff table without its key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitCounters {
    /// Waits, or handoffs.
    pub count: u64,
    pub samples: u64,
    pub wait_ns: u64,
}

counters!(GilCounters {
    held_ns,
    free_ns,
    waited_ns,
    handoffs,
    drop_requests,
    acquires,
    acquires_contended,
    acquires_timed,
    releases_voluntary,
    releases_forced,
});
counters!(WaitCounters { count, samples, wait_ns });
counters!(CpuTotals {
    cpu_ns,
    cpu_user_ns,
    cpu_system_ns,
    runqueue_ns,
    switches_voluntary,
    switches_forced,
});
counters!(StateCounters {
    fresh,
    kept,
    nested,
    made,
    fresh_deleted,
    deleted,
    threads,
    unseen_fresh,
    unseen_other,
    maps,
    unmaps,
    cycles,
    create_ns,
    gil_wait_ns,
    run_ns,
    chunk_ns,
    delete_ns,
    kept_cycles,
    kept_create_ns,
    kept_gil_wait_ns,
    kept_run_ns,
    kept_delete_ns,
});
counters!(CpuParts { holding_ns, unknown_ns });
counters!(ThreadGilTotals {
    acquires,
    acquires_contended,
    releases_voluntary,
    releases_forced,
    drop_requests_received,
    hold_ns,
    wait_ns,
    wait_free_ns,
    wait_inflicted_ns,
});

impl From<&GilSample> for GilCounters {
    fn from(s: &GilSample) -> Self {
        Self {
            held_ns: s.held_ns,
            free_ns: s.free_ns,
            waited_ns: s.waited_ns,
            handoffs: s.handoffs,
            drop_requests: s.drop_requests,
            acquires: s.acquires,
            acquires_contended: s.acquires_contended,
            acquires_timed: s.acquires_timed,
            releases_voluntary: s.releases_voluntary,
            releases_forced: s.releases_forced,
        }
    }
}

impl From<&ThreadCpu> for CpuTotals {
    fn from(t: &ThreadCpu) -> Self {
        Self {
            cpu_ns: t.cpu_ns,
            cpu_user_ns: t.cpu_user_ns,
            cpu_system_ns: t.cpu_system_ns,
            runqueue_ns: t.runqueue_ns,
            switches_voluntary: t.switches_voluntary,
            switches_forced: t.switches_forced,
        }
    }
}

impl From<&ThreadGil> for ThreadGilTotals {
    fn from(t: &ThreadGil) -> Self {
        Self {
            acquires: t.acquires,
            acquires_contended: t.acquires_contended,
            releases_voluntary: t.releases_voluntary,
            releases_forced: t.releases_forced,
            drop_requests_received: t.drop_requests_received,
            hold_ns: t.hold_ns,
            wait_ns: t.wait_ns,
            wait_free_ns: t.wait_free_ns,
            wait_inflicted_ns: t.wait_inflicted_ns,
        }
    }
}
