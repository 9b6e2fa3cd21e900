//! Imports: taking them in, and answering what they cost. Nothing is thinned out: a program has thousands.

use super::answers::Range;
use super::snapshot::Snapshot;
use crate::batch::{ImportFact, ImportsSample};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is kept of imports.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Imports {
    /// None while the probe has told nothing.
    bytes_known: Option<bool>,
    by_number: BTreeMap<u32, ImportFact>,
}

impl Imports {
    /// Takes a sample in, as far as there is room for `most`.
    pub(super) fn take(&mut self, sample: &ImportsSample, most: usize) {
        self.bytes_known = Some(sample.bytes_known);
        for fact in &sample.imports {
            if self.by_number.len() < most {
                self.by_number.insert(fact.number, fact.clone());
            }
        }
    }

    /// All of it as one sample.
    pub(super) fn so_far(&self) -> Option<ImportsSample> {
        let imports = self.by_number.values().cloned().collect();
        self.bytes_known.map(|bytes_known| ImportsSample { bytes_known, imports })
    }

    pub(super) fn is_sound(&self, most: usize) -> bool {
        let mut facts = self.by_number.iter();
        self.by_number.len() <= most
            && facts.all(|(number, fact)| *number == fact.number && fact.parent < *number)
    }
}

/// One import among the others.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ImportRow {
    #[serde(flatten)]
    pub fact: ImportFact,
    /// Imports that it happened in.
    pub depth: u32,
    /// Without the imports in it. Null where one of the two is not known.
    pub time_self_ns: Option<u64>,
    /// Likewise; negative if it freed what an import in it had kept.
    pub bytes_self: Option<i64>,
}

/// Imports that began in a range, in the order in which they did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ImportRows {
    /// Of those that did not fail.
    pub count: usize,
    /// Sum of the rows' own parts; null where allocations are not counted.
    pub total_bytes: Option<i64>,
    pub total_ns: u64,
    pub rows: Vec<ImportRow>,
}

impl Snapshot<'_> {
    /// Whether imports are watched.
    pub fn has_imports(&self) -> bool {
        self.store.imports.bytes_known.is_some()
    }

    /// What was imported in a range; none if imports are not watched.
    pub fn imports(&self, range: Range) -> Option<ImportRows> {
        let bytes_known = self.store.imports.bytes_known?;
        let all = &self.store.imports.by_number;
        let mut inner: BTreeMap<u32, (u64, i64)> = BTreeMap::new();
        let mut depths: BTreeMap<u32, u32> = BTreeMap::new();
        for fact in all.values() {
            let sum = inner.entry(fact.parent).or_default();
            sum.0 = sum.0.saturating_add(fact.time_ns.unwrap_or(0));
            sum.1 = sum.1.saturating_add(fact.bytes.unwrap_or(0));
            let depth = depths.get(&fact.parent).map_or(0, |depth| depth + 1);
            depths.insert(fact.number, depth);
        }
        let whole = self.is_whole(range); // also what came before the first sample of CPU
        let inside =
            |fact: &&ImportFact| whole || (range.start_ns..=range.end_ns).contains(&fact.at_ns);
        let row = |fact: &ImportFact| {
            let (time_ns, bytes) = inner.get(&fact.number).copied().unwrap_or_default();
            ImportRow {
                depth: depths.get(&fact.number).copied().unwrap_or(0),
                time_self_ns: fact.time_ns.map(|ns| ns.saturating_sub(time_ns)),
                bytes_self: fact.bytes.map(|all| all.saturating_sub(bytes)),
                fact: fact.clone(),
            }
        };
        let rows: Vec<ImportRow> = all.values().filter(inside).map(row).collect();
        let own = rows.iter().map(|row| row.bytes_self.unwrap_or(0));
        let times = rows.iter().map(|row| row.time_self_ns.unwrap_or(0));
        Some(ImportRows {
            count: rows.iter().filter(|row| !row.fact.failed).count(),
            total_bytes: bytes_known.then(|| own.fold(0, i64::saturating_add)),
            total_ns: super::total(times),
            rows,
        })
    }
}
