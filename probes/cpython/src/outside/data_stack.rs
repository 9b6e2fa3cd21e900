//! A thread's data stack (3.11 and later): the chunks that Python frames lie on, and how far each is used.
//!
//! `_PyStackChunk` (`Include/cpython/pystate.h`) is: the older chunk, the chunk's bytes, the words that were in use when a
//! newer chunk was put on top, the data. Chunks come and go while the thread runs, so what was read must fit together:
//! else it is read again, and given up after a few times.

use alloc::vec::Vec;

use crate::Memory;
use crate::layout::Layout;
use crate::memory::{Block, is_object_address};

/// `offsetof(_PyStackChunk, data)`.
const HEADER_BYTES: u64 = 24;
/// `DATA_STACK_CHUNK_SIZE` (`Python/pystate.c`): the smallest chunk. Larger ones double it.
const CHUNK_BYTES: u64 = 16 * 1024;
/// No frame needs a larger one.
const LARGEST: u64 = 1 << 30;
/// Chunks that are walked at most: a recursion of a million calls has about 7,000.
const CHUNKS: usize = 1 << 16;
const TRIES: usize = 4;

/// One chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Where it starts.
    pub address: u64,
    /// All of it.
    pub bytes: u64,
    /// Its header and what frames take or took when a newer chunk was put on top.
    pub used_bytes: u64,
}

/// A thread's chunks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataStack {
    /// The newest first; none before the thread's first Python frame.
    pub chunks: Vec<Chunk>,
    /// Whether the thread keeps no emptied chunk beside these; not known of patch releases that may keep one.
    pub keeps_none: bool,
}

/// The data stack of the thread state at `tstate`.
///
/// `None` up to 3.10, which have none, and where what was read never fitted together: the thread ended meanwhile, went
/// on too fast, or the layout is not this interpreter's.
pub fn data_stack(memory: &impl Memory, layout: &Layout, tstate: u64) -> Option<DataStack> {
    let at = layout.thread.data_stack?;
    let head = tstate.checked_add(at.chunk)?;
    let keeps_none = at.keeps_none;
    (0..TRIES).find_map(|_| {
        let chunks = walk(memory, head)?;
        let newest = chunks.first().map_or(0, |chunk| chunk.address);
        // Chunks below the newest one only change together with it.
        (memory.word(head) == Some(newest)).then_some(DataStack { chunks, keeps_none })
    })
}

fn walk(memory: &impl Memory, head: u64) -> Option<Vec<Chunk>> {
    let state = Block::<24>::read(memory, head, 24)?;
    let (newest, top, limit) = (state.word(0)?, state.word(8)?, state.word(16)?);
    let mut chunks = Vec::new();
    let mut address = newest;
    while address != 0 {
        if !is_object_address(address) || chunks.len() == CHUNKS {
            return None;
        }
        let header = Block::<24>::read(memory, address, HEADER_BYTES)?;
        let bytes = header.word(8)?;
        let used_bytes = match address == newest {
            true => top.checked_sub(address)?,
            false => header.word(16)?.checked_mul(8)?.checked_add(HEADER_BYTES)?,
        };
        let is_chunk =
            bytes.is_multiple_of(CHUNK_BYTES) && (CHUNK_BYTES..=LARGEST).contains(&bytes);
        let ends = address != newest || address.checked_add(bytes) == Some(limit);
        if !is_chunk || !ends || !(HEADER_BYTES..=bytes).contains(&used_bytes) {
            return None;
        }
        chunks.push(Chunk { address, bytes, used_bytes });
        address = header.word(0)?;
    }
    // Without a chunk there is no place in one.
    (newest != 0 || (top == 0 && limit == 0)).then_some(chunks)
}
