//! The batches that bring an empty store to where this one is: how a recording can begin in the middle.
//!
//! A recording holds batches, and those hold only what is new. Whoever begins later is first told who
//! is there and all totals so far, in two batches: the first samples of CPU, from which CPU counts, and
//! then the newest of everything. Single events and the course of time before that are not told again.

use super::answers::{CpuTotals, ThreadGilTotals};
use super::threads::Thread;
use super::{EXITED, Store};
use crate::batch::*;

impl Store {
    /// See the module's text; to be applied in this order.
    pub fn catch_up(&self) -> [Batch; 2] {
        let last_ns = self.snapshot().range().end_ns;
        let first_ns = self.process.map_or(0, |(first, _)| first.at_ns);
        let facts: Vec<ThreadFact> =
            self.threads.iter().map(|thread| thread.fact.clone()).collect();
        let first = Batch {
            at_ns: first_ns,
            cpu: self.threads.iter().filter_map(Thread::first_cpu).collect(),
            process: self.process.map(|(first, _)| first),
            threads: facts.clone(),
            ..Batch::default()
        };
        let last = Batch {
            at_ns: last_ns,
            threads: facts.into_iter().chain(self.folded_fact(last_ns)).collect(),
            cpu: self.cpu_so_far(),
            process: self.process.map(|(_, last)| last),
            gil: self.gil_last.clone(),
            thread_gil: self.gil_so_far(),
            codes: self.codes.values().cloned().collect(),
            blame: self.blame_so_far(),
            handoffs: self.handoffs_so_far(),
            native_modules: self.native_modules.clone().into_iter().collect(),
            lost: self.lost.clone(),
            marks: self.marks.clone(),
            changes: self.changes.clone(),
            notes: self.notes.clone(),
            frames: self.frames.so_far(),
            imports: self.imports.so_far(),
            callers: self.callers.values().cloned().collect(),
            states: self.states_so_far(),
            events: Vec::new(),        // of the past: see the module's text
            marks_removed: Vec::new(), // nobody has heard of those
            ended: None,               // what is over is not recorded any more
        };
        [first, last]
    }

    /// The threads that are no longer kept one by one, as one that ended.
    fn folded_fact(&self, last_ns: u64) -> Option<ThreadFact> {
        (self.threads.folded().threads > 0).then(|| ThreadFact {
            key: EXITED,
            thread_id: 0,
            name: "earlier exited threads".to_owned(),
            is_main: false,
            kind: ThreadKind::Python,
            alive: false,
            first_seen_ns: 0,
            ended_ns: Some(last_ns),
        })
    }

    fn cpu_so_far(&self) -> Vec<ThreadCpu> {
        let folded = self.threads.folded();
        let earlier = (folded.threads > 0).then(|| cpu(EXITED, &folded.cpu));
        self.threads.iter().filter_map(Thread::last_cpu).chain(earlier).collect()
    }

    fn gil_so_far(&self) -> Vec<ThreadGil> {
        let folded = self.threads.folded();
        let earlier = (folded.threads > 0).then(|| gil(EXITED, &folded.gil));
        self.threads
            .iter()
            .map(|thread| gil(thread.fact.key, &thread.gil()))
            .chain(earlier)
            .collect()
    }

    fn blame_so_far(&self) -> Vec<BlameTotal> {
        let rows =
            self.blame.iter().map(|(&(holder, code, line), (counters, module))| BlameTotal {
                holder,
                code,
                line,
                samples: counters.samples,
                waits: counters.count,
                wait_inflicted_ns: counters.wait_ns,
                native_module: module.clone(),
            });
        rows.collect()
    }

    fn states_so_far(&self) -> Vec<StateTotal> {
        let rows = self.states.iter();
        rows.map(|(&caller, &counters)| StateTotal { caller, counters }).collect()
    }

    fn handoffs_so_far(&self) -> Vec<HandoffTotal> {
        let rows = self.handoffs.iter().map(|(&(from, to), counters)| HandoffTotal {
            from,
            to,
            count: counters.count,
            wait_ns: counters.wait_ns,
        });
        rows.collect()
    }
}

/// As `/proc` would tell it.
pub(super) fn cpu(key: ThreadKey, totals: &CpuTotals) -> ThreadCpu {
    ThreadCpu {
        key,
        cpu_ns: totals.cpu_ns,
        cpu_user_ns: totals.cpu_user_ns,
        cpu_system_ns: totals.cpu_system_ns,
        runqueue_ns: totals.runqueue_ns,
        switches_voluntary: totals.switches_voluntary,
        switches_forced: totals.switches_forced,
    }
}

/// Without the thread's own histograms, which the store does not keep; they come with its next change.
fn gil(key: ThreadKey, totals: &ThreadGilTotals) -> ThreadGil {
    ThreadGil {
        key,
        acquires: totals.acquires,
        acquires_contended: totals.acquires_contended,
        releases_voluntary: totals.releases_voluntary,
        releases_forced: totals.releases_forced,
        drop_requests_received: totals.drop_requests_received,
        hold_ns: totals.hold_ns,
        wait_ns: totals.wait_ns,
        wait_free_ns: totals.wait_free_ns,
        wait_inflicted_ns: totals.wait_inflicted_ns,
        ..ThreadGil::default()
    }
}
