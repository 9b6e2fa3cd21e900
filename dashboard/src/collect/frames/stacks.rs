//! The chunks of all threads (3.11 and later), read while they run.

use super::Interpreter;
use super::pages::Pages;
use crate::batch::ThreadStack;
use crate::collect::threads::Registry;
use cpython::outside::{Chunk, DataStack, data_stack, threads};

/// Chunks of all threads, and bytes of them whose pages are asked for, in one look: a target may say anything.
const CHUNKS: usize = 1 << 18;
const BYTES: u64 = 1 << 33;

/// All threads' stacks, by key, and the number of thread states that could not be read.
/// None if the interpreter's threads are not found (yet).
pub fn stacks(
    python: &Interpreter,
    pages: &Pages,
    registry: &Registry,
) -> Option<(Vec<ThreadStack>, u32)> {
    let found = threads(&python.memory, &python.layout, &python.roots)?;
    let (mut all, mut unread) = (Vec::<ThreadStack>::new(), u32::from(!found.complete));
    let (mut chunks_left, mut bytes_left) = (CHUNKS, BYTES);
    for thread in &found.threads {
        let stack = (chunks_left > 0)
            .then(|| data_stack(&python.memory, &python.layout, thread.tstate))
            .flatten();
        let Some(stack) = stack else {
            unread += 1;
            continue;
        };
        let key = thread.native_id.and_then(|id| registry.alive_inner(id)).unwrap_or_default();
        chunks_left = chunks_left.saturating_sub(stack.chunks.len());
        let more = ThreadStack { key, ..measured(&stack, pages, &mut bytes_left) };
        match all.iter_mut().find(|known| known.key == key) {
            Some(known) => add(known, &more),
            None => all.push(more),
        }
    }
    all.sort_by_key(|stack| stack.key);
    Some((all, unread))
}

fn measured(stack: &DataStack, pages: &Pages, bytes_left: &mut u64) -> ThreadStack {
    let chunks = &stack.chunks;
    let resident = |chunk: &Chunk| {
        *bytes_left = bytes_left.checked_sub(chunk.bytes)?;
        pages.resident_bytes(chunk.address..chunk.address + chunk.bytes).ok()
    };
    ThreadStack {
        chunks: chunks.len() as u32,
        bytes: chunks.iter().map(|chunk| chunk.bytes).sum(),
        used_bytes: chunks.iter().map(|chunk| chunk.used_bytes).sum(),
        cached_bytes: stack.keeps_none.then_some(0),
        resident_bytes: chunks.iter().map(resident).sum(),
        ..ThreadStack::default()
    }
}

fn add(sum: &mut ThreadStack, more: &ThreadStack) {
    let both = |a: Option<u64>, b: Option<u64>| a.zip(b).map(|(a, b)| a.saturating_add(b));
    sum.chunks = sum.chunks.saturating_add(more.chunks);
    sum.bytes = sum.bytes.saturating_add(more.bytes);
    sum.used_bytes = sum.used_bytes.saturating_add(more.used_bytes);
    sum.cached_bytes = both(sum.cached_bytes, more.cached_bytes);
    sum.resident_bytes = both(sum.resident_bytes, more.resident_bytes);
}
