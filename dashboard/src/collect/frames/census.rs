//! A census: all of the target's memory in RAM is looked through for objects that hold frames.
//!
//! It is read from outside, a piece at a time, while the target goes on: nothing in the target waits for it, and what is
//! found is proven object by object (`cpython::outside`). If the target runs meanwhile, objects that come and go are
//! counted as they were when their piece was read. Memory that is not in RAM is left where it is.

use super::Interpreter;
use super::pages::Pages;
use super::tally::Tallies;
use crate::batch::{Census, Tally};
use cpython::Memory as _;
use cpython::outside::{FrameFacts, module_files, threads};
use inject::{Mapping, Maps};
use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Instant;

/// Read at once: small enough that the kernel holds the target's map for some ten microseconds only.
const PIECE_BYTES: u64 = 128 << 10;
/// A larger target is not looked through: it would take longer than anybody waits.
const MOST_BYTES: u64 = 32 << 30;

/// Counts. `now` is the session's clock. The text says why there is no census.
pub fn take(
    python: &Interpreter,
    facts: &FrameFacts,
    pages: &Pages,
    pid: u32,
    now: impl Fn() -> u64,
) -> Result<Census, String> {
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
    let free_list = facts.free_list(&python.memory, &Vec::from_iter(interpreters.clone()));
    let census = Census {
        looked_at_bytes,
        swapped_bytes,
        free_list: free_list.map(|(count, bytes)| Tally { count, bytes }),
        ..tallies.into_census(facts, modules.collect())
    };
    Ok(Census { at_ns: now(), took_ns: began.elapsed().as_nanos() as u64, ..census })
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
    let (least, most) =
        (types.iter().min().copied().unwrap_or(0), types.iter().max().copied().unwrap_or(0));
    let mut buffer = vec![0; PIECE_BYTES as usize];
    for run in runs {
        let mut start = run.start;
        while start < run.end {
            let piece = &mut buffer[..(run.end - start).min(PIECE_BYTES) as usize];
            if python.memory.read(start, piece) {
                for (at, word) in piece.as_chunks::<8>().0.iter().enumerate() {
                    let word = u64::from_le_bytes(*word);
                    if (least..=most).contains(&word) && types.contains(&word) {
                        // The type is an object's second word.
                        let object = (start + 8 * at as u64).wrapping_sub(8);
                        tallies.examine(python, facts, object, word);
                    }
                }
            }
            start += piece.len() as u64;
        }
    }
}
