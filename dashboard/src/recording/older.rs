//! Batches as older formats wrote them.

use crate::batch::*;
use std::collections::BTreeMap;

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
