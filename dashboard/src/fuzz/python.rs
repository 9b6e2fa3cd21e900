//! An interpreter whose memory says anything: published offsets, thread lists, names.

use super::Input;
use cpython::outside::{Roots, threads as walk};
use cpython::{Layout, Memory, Version, debug_offsets as published};
use std::cell::Cell;

/// Reads that a walk gets, so that an input is done soon; the walk's own ration is far larger.
const READS: u32 = 3_000;

/// Memory in which every address can be read: the input, over and over.
struct Tiled<'a> {
    bytes: &'a [u8],
    reads: Cell<u32>,
}

impl Memory for Tiled<'_> {
    fn read(&self, address: u64, into: &mut [u8]) -> bool {
        if self.bytes.is_empty() || self.reads.get() == 0 {
            return false;
        }
        self.reads.set(self.reads.get() - 1);
        let start = (address % self.bytes.len() as u64) as usize;
        let tiles = self.bytes[start..].iter().chain(self.bytes.iter().cycle());
        into.iter_mut().zip(tiles).for_each(|(byte, tile)| *byte = *tile);
        true
    }
}

/// `_Py_DebugOffsets` of the version that the table itself names: refused, or offsets with which
/// reading stays within its rules.
pub fn debug_offsets(data: &[u8]) {
    let mut input = Input(data);
    let version = Version::from_hex(u32::from_le_bytes(input.array()));
    let table = input.take(published::BYTES);
    if let Ok(layout) = published::parse(table, version) {
        walk_memory(&layout, input);
    }
}

/// The lists of threads of the version that the input names, with the tables that are built in.
pub fn threads(data: &[u8]) {
    let mut input = Input(data);
    let version = Version::from_hex(u32::from_le_bytes(input.array()));
    let memory = Tiled { bytes: input.0, reads: Cell::new(READS) };
    if let Ok(layout) = Layout::choose(&memory, version, Some(0x10_0000)) {
        walk_memory(&layout, input);
    }
}

fn walk_memory(layout: &Layout, mut input: Input<'_>) {
    let root = |word: u64| (word != 0).then_some(word);
    let roots = Roots { runtime: root(input.u64()), interpreter_head: root(input.u64()) };
    let memory = Tiled { bytes: input.0, reads: Cell::new(READS) };
    if let Some(found) = walk(&memory, layout, &roots) {
        assert!(found.threads.len() <= READS as usize);
        assert!(found.complete || found.threads.iter().all(|thread| !thread.is_main));
    }
}
