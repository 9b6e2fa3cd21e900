//! The blame table of a segment, joined with program counters: who made others wait, doing what.
//!
//! Rows of one holder, code and line are added up. A row's native module is the object in which the
//! holder's program counter was found while the row grew (see `native`).

use super::gil::Surroundings;
use super::mapping::Mapping;
use super::native::main_module;
use crate::batch::{BlameTotal, ThreadKey};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::Ordering::{Acquire, Relaxed};
use wire::segment::N_BLAMES;

/// Program counters without which a row's module is not told.
const LEAST_LOOKS: f64 = 5.0;

type Place = (ThreadKey, u32, Option<u32>);
/// Holder, code and instruction as the agent names them.
type Key = (u32, u32, u32);

/// Reads the table; remembers what grew.
#[derive(Default)]
pub struct BlameReader {
    /// What each entry of the table counts, and its wait at the last look.
    seen: Vec<Option<(Key, u64)>>,
    /// Entries that came to count another place, at most as many as there are.
    changes: usize,
    native: HashMap<Place, HashMap<Option<u32>, f64>>,
    grown: Vec<ThreadKey>,
}

impl BlameReader {
    /// Holders whose rows grew at the last look, the worst first.
    pub fn grown(&self) -> &[ThreadKey] {
        &self.grown
    }

    /// All rows, if any of them has changed; none otherwise.
    pub fn read(&mut self, mapping: &Mapping, around: &mut Surroundings<'_>) -> Vec<BlameTotal> {
        let layout = around.python.map(|(_, layout)| layout);
        let mut rows: BTreeMap<Place, BlameTotal> = BTreeMap::new();
        let mut growth: BTreeMap<Place, u64> = BTreeMap::new();
        self.seen.resize(mapping.blames().len(), None);
        for (entry, seen) in mapping.blames().iter().zip(&mut self.seen) {
            let holder = entry.holder.load(Acquire);
            // A thread whose slot was not read yet has no name before the next look.
            if holder == 0 || !around.registry.knows(holder) {
                continue;
            }
            let (code, instruction) = (entry.code.load(Relaxed), entry.instruction.load(Relaxed));
            let wait_ns = entry.wait_ns.load(Relaxed);
            let key = (holder, code, instruction);
            // An honest entry counts one place for ever, but for a race of two waiters on 2.7; one that
            // changes at every look would cost memory at every look.
            let before = seen.filter(|(known, _)| *known == key).map(|(_, before)| before);
            if seen.is_some() && before.is_none() {
                if self.changes == N_BLAMES {
                    continue;
                }
                self.changes += 1;
            }
            *seen = Some((key, wait_ns));
            around.codes.see(code, mapping, around.python);
            let place = (
                around.registry.key_of(holder),
                code,
                around.codes.line(code, instruction, layout),
            );
            if before != Some(wait_ns) {
                let grown = growth.entry(place).or_default();
                *grown = grown.saturating_add(wait_ns.saturating_sub(before.unwrap_or(0)));
            }
            let row = rows.entry(place).or_insert_with(|| empty(place));
            row.samples += u64::from(entry.samples.load(Relaxed));
            row.waits = row.waits.saturating_add(entry.waits.load(Relaxed));
            row.wait_inflicted_ns = row.wait_inflicted_ns.saturating_add(wait_ns);
        }
        self.share_out(&growth, around);
        if growth.is_empty() {
            return Vec::new();
        }
        for (place, row) in &mut rows {
            row.native_module = self.module_of(place, around.modules);
        }
        rows.into_values().collect()
    }

    /// Gives each holder's new program counters to its rows, in proportion to their growth.
    fn share_out(&mut self, growth: &BTreeMap<Place, u64>, around: &Surroundings<'_>) {
        let mut by_holder: BTreeMap<ThreadKey, u64> = BTreeMap::new();
        for ((holder, _, _), grown) in growth {
            let sum = by_holder.entry(*holder).or_default();
            *sum = sum.saturating_add(*grown);
        }
        for (place, grown) in growth {
            let Some(samples) = around.native.get(&place.0) else { continue };
            let share = *grown as f64 / (by_holder[&place.0].max(1)) as f64;
            let tally = self.native.entry(*place).or_default();
            samples.iter().for_each(|sample| *tally.entry(sample.module).or_default() += share);
        }
        self.grown = by_holder.keys().copied().collect();
        self.grown.sort_by_key(|holder| std::cmp::Reverse(by_holder[holder]));
    }

    fn module_of(&self, place: &Place, modules: &[String]) -> Option<String> {
        let tally =
            self.native.get(place).filter(|tally| tally.values().sum::<f64>() >= LEAST_LOOKS)?;
        main_module(tally, modules).and_then(|index| modules.get(index as usize).cloned())
    }
}

fn empty((holder, code, line): Place) -> BlameTotal {
    BlameTotal {
        holder,
        code,
        line,
        samples: 0,
        waits: 0,
        wait_inflicted_ns: 0,
        native_module: None,
    }
}
