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
use std::path::Path;

/// No chunk of a test is larger when unpacked.
const CHUNK_BYTES: usize = 1 << 28;

/// Single events that reached the recording.
pub(crate) fn n_events(recording: &Path) -> u64 {
    let read_only = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let file = Connection::open_with_flags(recording, read_only).expect("a recording is SQLite");
    let mut chunks = file.prepare("SELECT data FROM chunks").expect("a recording has chunks");
    let data = chunks.query_map([], |row| row.get::<_, Vec<u8>>(0)).expect("chunks");
    data.map(|chunk| n_events_of(&chunk.expect("a chunk"))).sum()
}

fn n_events_of(chunk: &[u8]) -> u64 {
    let plain = zstd::bulk::decompress(chunk, CHUNK_BYTES).expect("a chunk is zstd");
    let batches: Vec<Batch> = postcard::from_bytes(&plain).expect("a chunk is a list of batches");
    batches.iter().map(|batch| batch.events.len() as u64).sum()
}
