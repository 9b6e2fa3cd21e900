//! Entries for hostile bytes: each takes any input and must come back, soon and in bounded memory.
//!
//! `tests/fuzz` calls them under libFuzzer; the test below feeds them the corpus kept in
//! `tests/fuzz/corpus` on every run of the tests. What an entry checks beyond "no panic" stands in it.

mod python;
mod recording;
mod segment;
mod text;

pub use python::{debug_offsets, threads};
pub use recording::{batches, recording};
pub use segment::{ring, segment};
pub use text::{access, config, query};

/// Takes an input apart; what is missing at its end reads as zero.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn take(&mut self, n: usize) -> &'a [u8] {
        let (head, rest) = self.0.split_at(n.min(self.0.len()));
        self.0 = rest;
        head
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        let head = self.take(N);
        bytes[..head.len()].copy_from_slice(head);
        bytes
    }

    fn u8(&mut self) -> u8 {
        u8::from_le_bytes(self.array())
    }

    fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.array())
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.array())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Entry = fn(&[u8]);

    const ENTRIES: &[(&str, Entry)] = &[
        ("ring", ring),
        ("segment", segment),
        ("batches", batches),
        ("recording", recording),
        ("debug_offsets", debug_offsets),
        ("threads", threads),
        ("config", config),
        ("query", query),
        ("access", access),
    ];

    /// Inputs of the corpus that belongs to an entry.
    fn corpus(name: &str) -> Vec<Vec<u8>> {
        let folder = format!("{}/../tests/fuzz/corpus/{name}", env!("CARGO_MANIFEST_DIR"));
        let files = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{folder}: {e}"));
        files.map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect()
    }

    #[test]
    fn every_entry_takes_its_corpus() {
        for (name, entry) in ENTRIES {
            let inputs = corpus(name);
            assert!(!inputs.is_empty(), "{name} has no corpus");
            inputs.iter().for_each(|input| entry(input));
        }
    }

    #[test]
    fn every_entry_takes_nothing_and_noise() {
        let mut state = 1u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        })
        .take(4096)
        .collect();
        for (_, entry) in ENTRIES {
            entry(&[]);
            (0..64).for_each(|n| entry(&noise[n * 64..]));
        }
    }
}
