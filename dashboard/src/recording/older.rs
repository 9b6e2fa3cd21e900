//! What older formats and other builds wrote: whether it can be read, and batches as they wrote them.

use super::schema::{FORMAT_WITH_FRAMES, FORMAT_WITH_LAYOUT, LAYOUT};
use crate::batch::*;
use rusqlite::{Connection, OptionalExtension as _};
use std::collections::BTreeMap;

/// Whether a file of this version looks as this build knows it. Builds between two versions may have written
/// others: of what followed the frames in version 4 the imports came last.
pub fn is_known(db: &Connection, version: i64) -> rusqlite::Result<bool> {
    if version >= FORMAT_WITH_LAYOUT {
        let sql = "SELECT value FROM meta WHERE key = 'layout'";
        let found = db.query_row(sql, [], |row| row.get::<_, String>(0)).optional()?;
        return Ok(found.as_deref() == Some(LAYOUT));
    }
    let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'imports')";
    Ok(version < FORMAT_WITH_FRAMES || db.query_row(sql, [], |row| row.get(0))?)
}

/// The fields of a [`Batch`] before it had frames, in their order. Fields of a tuple in a tuple follow each other, so this
/// is one row of seventeen.
type BeforeFrames = (
    (
        u64,
        Vec<ThreadFact>,
        Vec<ThreadCpu>,
        Option<ProcessSample>,
        Option<GilSample>,
        Vec<ThreadGil>,
        Vec<CodeFact>,
        Vec<BlameTotal>,
        Vec<HandoffTotal>,
    ),
    (
        Vec<Event>,
        Vec<(u32, String)>,
        BTreeMap<String, u64>,
        Vec<Mark>,
        Vec<u32>,
        BTreeMap<String, String>,
        Option<Ended>,
        Vec<Change>,
    ),
);

/// A batch of a format before [`FORMAT_WITH_FRAMES`](super::schema::FORMAT_WITH_FRAMES), and what follows it.
pub fn before_frames(bytes: &[u8]) -> postcard::Result<(Batch, &[u8])> {
    let (fields, rest) = postcard::take_from_bytes::<BeforeFrames>(bytes)?;
    let (at_ns, threads, cpu, process, gil, thread_gil, codes, blame, handoffs) = fields.0;
    let (events, native_modules, lost, marks, marks_removed, notes, ended, changes) = fields.1;
    let batch = Batch {
        at_ns,
        threads,
        cpu,
        process,
        gil,
        thread_gil,
        codes,
        blame,
        handoffs,
        events,
        native_modules,
        lost,
        marks,
        marks_removed,
        notes,
        ended,
        changes,
        ..Batch::default()
    };
    Ok((batch, rest))
}
