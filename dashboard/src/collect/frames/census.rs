//! A census: all of the target's memory in RAM is looked through for objects that hold frames.
//!
//! It is read from outside, a piece at a time, while the target goes on: nothing in the target waits for it, and what is
//! found is proven object by object (`cpython::outside`). If the target runs meanwhile, objects that come and go are
//! counted as they were when their piece was read. Memory that is not in RAM is left where it is.

use super::Interpreter;
use super::pages::{PAGE, Pages};
use super::tally::Tallies;
use crate::batch::{Census, Tally};
use cpython::Memory as _;
use cpython::outside::{FrameFacts, module_files, threads};
use inject::{Mapping, Maps};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Instant;

/// Read at once: small enough that the kernel holds the target's map for some ten microseconds only.
const PIECE_BYTES: u64 = 128 << 10;
/// A larger target is not looked through: it would take longer than anybody waits.
const MOST_BYTES: u64 = 32 << 30;

/// Counts. `now` is the session's clock. None if the process went away meanwhile; the text says why there can be no census.
pub fn take(
    python: &Interpreter,
    facts: &FrameFacts,
    pages: &Pages,
    pid: u32,
    now: impl Fn() -> u64,
) -> Result<Option<Census>, String> {
    let began = Instant::now();
    let text = std::fs::read_to_string(format!("/proc/{pid}/maps"))
        .map_err(|error| format!("the process's memory map cannot be read: {error}"))?;
    let (mut runs, mut swapped_bytes) = (Vec::new(), 0);
    for mapping in Maps::parse(&text).iter().filter(|mapping| may_hold_objects(mapping)) {
        // One that was unmapped meanwhile holds nothing any more.
        if let Ok(sums) = pages.runs(mapping.range.clone(), |run| runs.push(run)) {
            swapped_bytes += sums.swapped_bytes;
        }
    }
    let looked_at_bytes = runs.iter().map(|run| run.end - run.start).sum();
    if looked_at_bytes > MOST_BYTES {
        return Err(format!("{looked_at_bytes} bytes of memory are too many to look through"));
    }
    let interpreters: BTreeSet<u64> = threads(&python.memory, &python.layout, &python.roots)
        .map(|found| found.threads.iter().map(|thread| thread.interpreter).collect())
        .unwrap_or_default();
    let mut tallies = Tallies::default();
    search(python, facts, &runs, &mut tallies);
    let modules = interpreters
        .iter()
        .flat_map(|&interpreter| module_files(&python.memory, &python.layout, interpreter));
    let modules: BTreeMap<String, String> = modules.collect();
    let free_list = facts.free_list(&python.memory, &Vec::from_iter(interpreters.clone()));
    let census = Census {
        looked_at_bytes,
        swapped_bytes,
        free_list: free_list.map(|(count, bytes)| Tally { count, bytes }),
        ..tallies.into_census(facts, modules)
    };
    // What cannot be read any more was not found either: an exit or an exec ends the memory that was opened.
    let is_there = facts.types().all(|address| python.memory.word(address).is_some());
    let took_ns = began.elapsed().as_nanos() as u64;
    Ok(is_there.then(|| Census { at_ns: now(), took_ns, ..census }))
}

/// Private memory of no file: heap, arenas, what allocators map.
fn may_hold_objects(mapping: &Mapping) -> bool {
    let named = mapping.name.starts_with('[')
        && mapping.name != "[heap]"
        && !mapping.name.starts_with("[anon");
    mapping.read && mapping.write && !mapping.shared && mapping.inode == 0 && !named
}

fn search(python: &Interpreter, facts: &FrameFacts, runs: &[Range<u64>], tallies: &mut Tallies) {
    let types: Vec<u64> = facts.types().collect();
    let mut buffer = vec![0; PIECE_BYTES as usize];
    let mut look = |start: u64, bytes: u64| {
        let piece = &mut buffer[..bytes as usize];
        let read = python.memory.read(start, piece);
        if read {
            search_piece(piece, &types, |at, type_of| {
                // The type is an object's second word; the first may stand on the page before.
                tallies.examine(python, facts, (start + at).wrapping_sub(8), type_of);
            });
        }
        read
    };
    for run in runs {
        for start in run.clone().step_by(PIECE_BYTES as usize) {
            let bytes = (run.end - start).min(PIECE_BYTES);
            if !look(start, bytes) {
                // A page of it was unmapped meanwhile; the others may still be there.
                for page in (start..start + bytes).step_by(PAGE as usize) {
                    look(page, PAGE);
                }
            }
        }
    }
}

/// Calls `with` for each word that is the address of one of `types`: where it stands in the piece, and which.
fn search_piece(piece: &[u8], types: &[u64], mut with: impl FnMut(u64, u64)) {
    let least = types.iter().min().copied().unwrap_or(0);
    let most = types.iter().max().copied().unwrap_or(0);
    for (at, word) in piece.as_chunks::<8>().0.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        if (least..=most).contains(&word) && types.contains(&word) {
            with(8 * at as u64, word);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_a_piece_is_looked_at() {
        let mut piece = vec![0; 4096];
        for (at, word) in [(0, 70_u64), (8, 71), (2048, 75), (4088, 70)] {
            piece[at..at + 8].copy_from_slice(&word.to_le_bytes());
        }
        let mut found = vec![];
        search_piece(&piece, &[75, 70], |at, word| found.push((at, word)));
        assert_eq!(found, [(0, 70), (2048, 75), (4088, 70)]);
    }
}
