//! What was imported: the imports table of a segment. Entries are told once, when they have ended.
//!
//! The table is a target's word: indices, lengths and times are cut to what can be.

use super::codes::decode;
use super::mapping::Mapping;
use crate::batch::{Batch, ImportFact, ImportsSample};
use std::collections::BTreeSet;
use std::sync::atomic::Ordering::{Acquire, Relaxed};
use wire::imports::{Import, ImportTotals, N_IMPORTS, Text, bytes, state, status};

/// Reads the table; remembers what it told.
#[derive(Default)]
pub struct ImportsReader {
    /// Numbers of this session before this segment.
    base: u32,
    /// Entries before this one were all told.
    next: usize,
    /// Those told from there on.
    told: BTreeSet<usize>,
    has_told_that_it_records: bool,
}

impl ImportsReader {
    /// For the next segment of the same session: numbers go on.
    pub fn after(&self) -> Self {
        Self { base: self.base + N_IMPORTS as u32, ..Self::default() }
    }

    /// Puts what is new into a batch; `last` if nobody writes to the segment any more.
    pub fn tell(&mut self, mapping: &Mapping, last: bool, batch: &mut Batch) {
        let totals = mapping.import_totals();
        let stands = totals.status.load(Acquire);
        if let Some(why) = silence(stands) {
            if last {
                batch.notes.insert("imports".to_owned(), why.to_owned());
            }
            return;
        }
        let why = totals.bytes_status.load(Relaxed);
        if let Some(why) = no_bytes(why) {
            batch.notes.insert("imports.bytes".to_owned(), why.to_owned());
        }
        tell_lost(totals, batch);
        let bytes_known = why == bytes::WATCHED;
        let imports = self.news(mapping, last, bytes_known);
        if !imports.is_empty() || !self.has_told_that_it_records {
            self.has_told_that_it_records = true;
            batch.imports = Some(ImportsSample { bytes_known, imports });
        }
    }

    fn news(&mut self, mapping: &Mapping, last: bool, bytes_known: bool) -> Vec<ImportFact> {
        let used = (mapping.import_totals().used.load(Acquire) as usize).min(N_IMPORTS);
        let mut news = Vec::new();
        for (at, entry) in mapping.imports().iter().enumerate().take(used).skip(self.next) {
            let stands = entry.state.load(Acquire);
            let is_over = matches!(stands, state::DONE | state::CACHED);
            let is_open = last && stands == state::OPEN;
            if (!is_over && !is_open) || !self.told.insert(at) {
                continue;
            }
            if stands != state::CACHED {
                news.push(self.fact(at, entry, is_over, bytes_known));
            }
        }
        while self.told.remove(&self.next) {
            self.next += 1;
        }
        news
    }

    fn fact(&self, at: usize, entry: &Import, is_over: bool, bytes_known: bool) -> ImportFact {
        let at_ns = entry.begin_ns.load(Relaxed);
        let parent = entry.parent.load(Relaxed);
        let known = is_over && bytes_known;
        // An entry's parent was claimed before it.
        let has_parent = parent != 0 && parent as usize <= at;
        ImportFact {
            number: self.base + at as u32 + 1,
            parent: if has_parent { self.base + parent } else { 0 },
            thread_id: entry.thread_id.load(Relaxed),
            name: utf8(&entry.name),
            importer: utf8(&entry.importer),
            function: text(&entry.function, entry.function_encoding.load(Relaxed)),
            file: text(&entry.file, entry.file_encoding.load(Relaxed)),
            line: entry.line.load(Relaxed),
            at_ns,
            time_ns: is_over.then(|| entry.end_ns.load(Relaxed).saturating_sub(at_ns)),
            bytes: known.then(|| entry.bytes.load(Relaxed) as i64),
            peak_bytes: known.then(|| entry.peak_bytes.load(Relaxed)),
            failed: entry.failed.load(Relaxed) != 0,
        }
    }
}

fn utf8<const N: usize>(text: &Text<N>) -> String {
    let mut bytes = [0; 256];
    let n = text.get(&mut bytes);
    String::from_utf8_lossy(&bytes[..n]).into_owned()
}

fn text<const N: usize>(text: &Text<N>, encoding: u32) -> String {
    let mut bytes = [0; 256];
    let n = text.get(&mut bytes);
    decode(&bytes[..n], u8::try_from(n).unwrap_or(u8::MAX), u8::try_from(encoding).unwrap_or(0))
}

fn tell_lost(totals: &ImportTotals, batch: &mut Batch) {
    for (cause, count) in [
        ("imports_full", &totals.lost_full),
        ("imports_no_seat", &totals.lost_no_seat),
        ("import_blocks", &totals.blocks_lost),
    ] {
        let count = count.load(Relaxed);
        if count != 0 {
            batch.lost.insert(cause.to_owned(), count);
        }
    }
}

fn silence(stands: u32) -> Option<&'static str> {
    match stands {
        status::RECORDING => None,
        status::NO_IMPORTER => Some("the interpreter's importer is not where it should be"),
        _ => {
            Some("the interpreter has not got as far as its importer, or the agent is not in place")
        }
    }
}

fn no_bytes(why: u32) -> Option<&'static str> {
    match why {
        bytes::WATCHED => None,
        bytes::LATE => Some(
            "allocators are watched from the start of a program only (gilscope run, gilscope imports)",
        ),
        bytes::NO_HOOKS => Some("this interpreter has no way to watch its allocators (Python 2)"),
        _ => Some("the target had no room for the map of blocks"),
    }
}
