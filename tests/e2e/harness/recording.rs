//! The recording as any SQLite reader sees it: what a test wants to count there.

use rusqlite::{Connection, OpenFlags};
use std::path::Path;

/// Single events that reached the recording.
pub(crate) fn n_events(recording: &Path) -> u64 {
    let file = Connection::open_with_flags(recording, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .expect("a recording is SQLite");
    let sum = "SELECT COALESCE(SUM(n_events), 0) FROM windows";
    let n: i64 = file.query_row(sum, [], |row| row.get(0)).expect("events are counted");
    u64::try_from(n).expect("a count")
}
