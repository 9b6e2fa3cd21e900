//! The threads of a target: facts, last cumulative figures, and what became of the long dead.
//!
//! Kept one by one: every living thread, and the dead ones that ended last. Beyond the limit the
//! longest dead are folded into one row, [`EXITED`], so churn costs no memory.

use super::answers::{CpuTotals, ThreadGilTotals};
use super::counters::Counters;
use crate::batch::{ThreadCpu, ThreadFact, ThreadGil, ThreadKey};
use std::collections::{BTreeMap, BTreeSet};

/// Stands for all threads that are no longer kept one by one.
pub const EXITED: ThreadKey = ThreadKey(u32::MAX);

/// One thread as it is known now.
#[derive(Clone, Debug)]
pub struct Thread {
    pub fact: ThreadFact,
    /// CPU at the first and at the last sample; null before the first.
    cpu: Option<(CpuTotals, CpuTotals)>,
    gil: ThreadGilTotals,
}

/// The sum of folded threads.
#[derive(Clone, Copy, Debug, Default)]
pub struct Folded {
    pub threads: u64,
    pub cpu: CpuTotals,
    pub gil: ThreadGilTotals,
}

/// See the module's text.
#[derive(Debug, Default)]
pub struct Threads {
    kept: BTreeMap<ThreadKey, Thread>,
    folded: Folded,
}

impl Thread {
    /// CPU while it was watched; null when it was never sampled.
    pub fn cpu(&self) -> Option<CpuTotals> {
        self.cpu.map(|(first, last)| last.since(&first))
    }

    /// GIL counters since the session began.
    pub fn gil(&self) -> ThreadGilTotals {
        self.gil
    }
}

impl Threads {
    pub fn learn(&mut self, fact: &ThreadFact) {
        let new = || Thread { fact: fact.clone(), cpu: None, gil: Default::default() };
        self.kept.entry(fact.key).or_insert_with(new).fact = fact.clone();
    }

    pub fn get(&self, key: ThreadKey) -> Option<&Thread> {
        self.kept.get(&key)
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
            self.folded.gil.add(&thread.gil);
        }
        keys
    }
}
