//! The single events of a recording, counted: its chunks unpacked to the batches that the store eats.

#[allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "the daemon's own file; a test reads a part of it"
)]
#[path = "../../../dashboard/src/batch.rs"]
mod batch;

use batch::Batch;
use rusqlite::{Connection, OpenFlags};
use std::collections::BTreeMap;
use std::path::Path;

/// No chunk of a test is larger when unpacked.
const CHUNK_BYTES: usize = 1 << 28;

/// Single events that reached the recording.
pub(crate) fn n_events(recording: &Path) -> u64 {
    events_by_thread(recording).values().sum()
}

/// Single events that reached the recording, by the kernel's id of their thread.
pub(crate) fn events_by_thread(recording: &Path) -> BTreeMap<u64, u64> {
    let read_only = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let file = Connection::open_with_flags(recording, read_only).expect("a recording is SQLite");
    let mut chunks = file.prepare("SELECT data FROM chunks ORDER BY id").expect("chunks");
    let data = chunks.query_map([], |row| row.get::<_, Vec<u8>>(0)).expect("chunks");
    let batches: Vec<Batch> = data.flat_map(|chunk| batches_of(&chunk.expect("a chunk"))).collect();
    let facts = batches.iter().flat_map(|batch| &batch.threads);
    let ids: BTreeMap<_, _> = facts.map(|fact| (fact.key, u64::from(fact.thread_id))).collect();
    let mut counts = BTreeMap::new();
    for event in batches.iter().flat_map(|batch| &batch.events) {
        let id = ids.get(&event.thread).expect("an event's thread is introduced");
        *counts.entry(*id).or_default() += 1;
    }
    counts
}

fn batches_of(chunk: &[u8]) -> Vec<Batch> {
    let plain = zstd::bulk::decompress(chunk, CHUNK_BYTES).expect("a chunk is zstd");
    postcard::from_bytes(&plain).expect("a chunk is a list of batches")
}
