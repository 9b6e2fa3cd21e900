//! The threads of a target: facts, last cumulative figures, and what became of the long dead.
//!
//! Kept one by one: every living thread, and the dead ones that ended last. Beyond the limit the
//! longest dead are folded into one row, [`EXITED`], so churn costs no memory.

use super::answers::{CpuParts, CpuTotals, ThreadGilTotals};
use super::catch_up;
use super::counters::Counters;
use crate::batch::{ThreadCpu, ThreadFact, ThreadGil, ThreadKey};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Stands for all threads that are no longer kept one by one.
pub const EXITED: ThreadKey = ThreadKey(u32::MAX);

/// Time of holding the GIL that may count for the CPU of the next sample: the kernel adds a running
/// thread's time up at its clock's ticks only, and the two are read one after the other.
const HOLD_CARRIED_NS_MAX: u64 = 5_000_000;

/// One thread as it is known now.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Thread {
    pub fact: ThreadFact,
    /// CPU at the first and at the last sample; null before the first.
    cpu: Option<(CpuTotals, CpuTotals)>,
    parts: CpuParts,
    /// Held the GIL since the last sample of CPU, ns.
    hold_pending_ns: u64,
    gil: ThreadGilTotals,
}

/// The sum of folded threads.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Folded {
    pub threads: u64,
    pub cpu: CpuTotals,
    pub parts: CpuParts,
    pub gil: ThreadGilTotals,
}

/// See the module's text.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Threads {
    kept: BTreeMap<ThreadKey, Thread>,
    folded: Folded,
}

impl Thread {
    /// CPU while it was watched; null when it was never sampled.
    pub fn cpu(&self) -> Option<CpuTotals> {
        self.cpu.map(|(first, last)| last.since(&first))
    }

    /// What that CPU was.
    pub fn parts(&self) -> CpuParts {
        self.parts
    }

    /// Whether it was ever seen to take the GIL.
    pub fn has_taken_gil(&self) -> bool {
        self.gil != ThreadGilTotals::default()
    }

    /// Splits CPU that came on top. `known` when the GIL was watched all the while.
    pub fn split(&mut self, cpu_ns: u64, known: bool) -> CpuParts {
        let hold_ns = std::mem::take(&mut self.hold_pending_ns);
        let more = match known {
            true => CpuParts { holding_ns: hold_ns.min(cpu_ns), unknown_ns: 0 },
            false => CpuParts { holding_ns: 0, unknown_ns: cpu_ns },
        };
        self.hold_pending_ns = (hold_ns - more.holding_ns.min(hold_ns)).min(HOLD_CARRIED_NS_MAX);
        self.parts.add(&more);
        more
    }

    /// The sample from which its CPU counts.
    pub fn first_cpu(&self) -> Option<ThreadCpu> {
        self.cpu.map(|(first, _)| catch_up::cpu(self.fact.key, &first))
    }

    /// The newest sample of its CPU.
    pub fn last_cpu(&self) -> Option<ThreadCpu> {
        self.cpu.map(|(_, last)| catch_up::cpu(self.fact.key, &last))
    }

    /// GIL counters since the session began.
    pub fn gil(&self) -> ThreadGilTotals {
        self.gil
    }
}

impl Threads {
    pub fn learn(&mut self, fact: &ThreadFact) {
        let new = || Thread {
            fact: fact.clone(),
            cpu: None,
            parts: Default::default(),
            hold_pending_ns: 0,
            gil: Default::default(),
        };
        self.kept.entry(fact.key).or_insert_with(new).fact = fact.clone();
    }

    /// Whether all of it agrees: what a file holds may be anything.
    pub fn is_sound(&self) -> bool {
        self.kept.iter().all(|(key, thread)| *key == thread.fact.key)
    }

    pub fn get(&self, key: ThreadKey) -> Option<&Thread> {
        self.kept.get(&key)
    }

    pub fn get_mut(&mut self, key: ThreadKey) -> Option<&mut Thread> {
        self.kept.get_mut(&key)
    }

    /// In the order of first sight.
    pub fn iter(&self) -> impl Iterator<Item = &Thread> {
        self.kept.values()
    }

    pub fn folded(&self) -> &Folded {
        &self.folded
    }

    /// Takes a thread's CPU and gives what came on top. A thread seen in the session's first sample
    /// may be old: it starts from there. A later one was born in between: it starts from 0. Null
    /// for a thread that was folded or never introduced.
    pub fn take_cpu(&mut self, sample: &ThreadCpu, first_sample: bool) -> Option<CpuTotals> {
        let thread = self.kept.get_mut(&sample.key)?;
        let now = CpuTotals::from(sample);
        let base = if first_sample { now } else { CpuTotals::default() };
        let (first, last) = thread.cpu.unwrap_or((base, base));
        thread.cpu = Some((first, now));
        Some(now.since(&last))
    }

    /// Takes a thread's GIL counters and gives what came on top; null as for CPU.
    pub fn take_gil(&mut self, sample: &ThreadGil) -> Option<ThreadGilTotals> {
        let thread = self.kept.get_mut(&sample.key)?;
        let now = ThreadGilTotals::from(sample);
        let more = now.since(&thread.gil);
        thread.gil = now;
        thread.hold_pending_ns = thread.hold_pending_ns.saturating_add(more.hold_ns);
        Some(more)
    }

    /// Folds the longest dead once there are a quarter more threads than `limit`, down to `limit`
    /// or to the living, and says which: whatever is keyed by them must follow.
    pub fn fold(&mut self, limit: usize) -> BTreeSet<ThreadKey> {
        if self.kept.len() <= limit + limit / 4 {
            return BTreeSet::new();
        }
        let ended = |thread: &Thread| thread.fact.ended_ns.unwrap_or(thread.fact.first_seen_ns);
        let mut dead: Vec<_> = self.iter().filter(|thread| !thread.fact.alive).collect();
        dead.sort_by_key(|thread| ended(thread));
        let surplus = self.kept.len() - limit;
        let keys: BTreeSet<_> = dead.iter().take(surplus).map(|thread| thread.fact.key).collect();
        for key in &keys {
            let thread = self.kept.remove(key).expect("the key was just taken from the map");
            self.folded.threads += 1;
            self.folded.cpu.add(&thread.cpu().unwrap_or_default());
            self.folded.parts.add(&thread.parts);
            self.folded.gil.add(&thread.gil);
        }
        keys
    }
}
