//! One slot, copied out of the segment at one moment, and its ring.
//!
//! A slot is copied between two equal even values of its sequence; a target that never lets that
//! happen (it is hostile, or died inside a write) gives its last torn copy, which is said.

use crate::batch::Hist;
use std::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{Acquire, Relaxed},
    fence,
};
use wire::histogram::{BUCKETS, Histogram};
use wire::slot::{Slot, phase};

/// Tries to copy a structure while nobody writes to it.
const TRIES: usize = 200;

/// Reads under a seqlock; the flag says whether the copy is whole.
pub fn consistent<T>(sequence: &AtomicU32, read: impl Fn() -> T) -> (T, bool) {
    for _ in 0..TRIES {
        let before = sequence.load(Acquire);
        if before.is_multiple_of(2) {
            let copy = read();
            fence(Acquire);
            if sequence.load(Relaxed) == before {
                return (copy, true);
            }
        }
        std::hint::spin_loop();
    }
    (read(), false)
}

/// A slot's counters; times in ns.
#[derive(Clone, Debug, Default)]
pub struct SlotCopy {
    pub thread_id: u32,
    pub thread_pointer: u64,
    pub serial: u32,
    pub phase: u32,
    pub hold_start_ns: u64,
    pub wait_start_ns: u64,
    pub acquires: u64,
    pub acquires_timed: u64,
    pub acquires_contended: u64,
    pub releases_voluntary: u64,
    pub releases_forced: u64,
    pub drop_requests_received: u64,
    pub wait_inflicted_ns: u64,
    pub wait_free_ns: u64,
    pub lost_full: u64,
    pub lost_nested: u64,
    pub hold: Hist,
    pub wait: Hist,
}

impl SlotCopy {
    /// The flag says whether the counters belong together; histograms' buckets are read beside them.
    pub fn of(slot: &Slot) -> (Self, bool) {
        let (mut copy, whole) = consistent(&slot.sequence, || Self::counters(slot));
        copy.hold.buckets = hist(&slot.hold).buckets;
        copy.wait.buckets = hist(&slot.wait).buckets;
        (copy, whole)
    }

    /// A few loads, so that a busy writer leaves room for them.
    fn counters(slot: &Slot) -> Self {
        let word = |word: &AtomicU64| word.load(Relaxed);
        let sums = |histogram: &Histogram| Hist {
            buckets: Vec::new(),
            sum_ns: word(&histogram.sum_ns),
            max_ns: word(&histogram.max_ns),
        };
        Self {
            thread_id: slot.thread_id.load(Relaxed),
            thread_pointer: word(&slot.thread_pointer),
            serial: slot.serial.load(Relaxed),
            phase: slot.phase.load(Relaxed),
            hold_start_ns: word(&slot.hold_start_ns),
            wait_start_ns: word(&slot.wait_start_ns),
            acquires: word(&slot.acquires),
            acquires_timed: word(&slot.acquires_timed),
            acquires_contended: word(&slot.acquires_contended),
            releases_voluntary: word(&slot.releases_voluntary),
            releases_forced: word(&slot.releases_forced),
            drop_requests_received: word(&slot.drop_requests_received),
            wait_inflicted_ns: word(&slot.wait_inflicted_ns),
            wait_free_ns: word(&slot.wait_free_ns),
            lost_full: word(&slot.lost_full),
            lost_nested: word(&slot.lost_nested),
            hold: sums(&slot.hold),
            wait: sums(&slot.wait),
        }
    }

    /// Time held by `now`, the hold that is going on included.
    pub fn hold_ns(&self, now: u64) -> u64 {
        // A start of 0 is not known (light mode).
        let known = self.phase == phase::HOLDING && self.hold_start_ns != 0;
        let running = if known { now.saturating_sub(self.hold_start_ns) } else { 0 };
        self.hold.sum_ns.saturating_add(running)
    }

    /// Time waited by `now`, the wait that is going on included.
    pub fn wait_ns(&self, now: u64) -> u64 {
        let running =
            if self.phase == phase::WAITING { now.saturating_sub(self.wait_start_ns) } else { 0 };
        self.wait.sum_ns.saturating_add(running)
    }
}

/// A histogram without its empty buckets.
pub fn hist(histogram: &Histogram) -> Hist {
    const { assert!(BUCKETS <= 256) };
    let counts = histogram.counts.iter().enumerate();
    let buckets =
        counts.map(|(i, count)| (i as u8, count.load(Relaxed))).filter(|(_, count)| *count != 0);
    Hist {
        buckets: buckets.collect(),
        sum_ns: histogram.sum_ns.load(Relaxed),
        max_ns: histogram.max_ns.load(Relaxed),
    }
}
