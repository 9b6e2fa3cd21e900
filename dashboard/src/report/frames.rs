//! The section `frames` of the report: what the interpreter held for frames at the end of the window.

use super::schema::Note;
use crate::batch::{Census, FramesModel, Held, Pinned, Tally};
use crate::store::{FramesAt, FramesFigures, Range, Snapshot, total};
use crate::units;
use serde::Serialize;

/// Rows of a table in the report; the counts beside it are of all.
const ROWS: usize = 100;

#[derive(Clone, Debug, Serialize)]
pub struct Frames {
    pub model: FramesModel,
    /// When the figures were taken; of the census see `census`.
    pub at_ns: i64,
    /// Held for frames that do not run: zombies and free list, or slack and cached chunks.
    pub idle_bytes: Option<u64>,
    pub resident_bytes: Option<u64>,
    pub zombies: Option<FramesHeld>,
    pub free_list: Option<Tally>,
    pub pinned: Option<Pinned>,
    pub chunks: Option<Chunks>,
    /// Thread states whose chunks could not be read at that moment; theirs are missing everywhere here.
    pub threads_unread: u32,
    /// By thread, most bytes first.
    pub threads: Vec<ThreadChunks>,
    /// Frames in generators and coroutines that wait to go on; in use, so no part of `idle_bytes`.
    pub suspended: Option<FramesHeld>,
    /// Of generators and coroutines that have ended and are still referred to.
    pub exhausted: Option<FramesHeld>,
    /// Frame objects that outlive their call.
    pub escaped: Option<FramesHeld>,
    /// How the counts above that are not of chunks were taken; null before the first.
    pub census: Option<FramesCensus>,
}

#[derive(Clone, Debug, Serialize)]
pub struct FramesHeld {
    pub count: u64,
    pub bytes: u64,
    /// Of them, of code that was called once; null where the interpreter does not count calls.
    pub called_once: Option<Tally>,
    pub by_module: Vec<ModuleRow>,
    pub top: Vec<FunctionRow>,
}

#[derive(Clone, Debug, Serialize)]
pub struct ModuleRow {
    pub module: String,
    pub count: u64,
    pub bytes: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct FunctionRow {
    pub function: String,
    pub file: String,
    pub line: u32,
    pub count: u64,
    pub bytes: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Chunks {
    pub count: u64,
    pub bytes: u64,
    pub used_bytes: u64,
    pub idle_bytes: Option<u64>,
    pub cached_bytes: Option<u64>,
    pub resident_bytes: Option<u64>,
}

#[derive(Clone, Debug, Serialize)]
pub struct ThreadChunks {
    /// 0 for thread states of no thread that is known.
    pub thread_id: u32,
    pub name: String,
    pub chunks: u32,
    pub bytes: u64,
    pub used_bytes: u64,
    pub resident_bytes: Option<u64>,
}

#[derive(Clone, Debug, Serialize)]
pub struct FramesCensus {
    pub at_ns: i64,
    /// Of gilscope's own time. The target goes on meanwhile.
    pub took_ns: u64,
    pub looked_at_bytes: u64,
    /// What was left alone because it is swapped out.
    pub swapped_bytes: u64,
    /// How long the target's GIL was held for it: not at all, it is read from outside.
    pub gil_held_ns: u64,
}

/// The section; null when the probe has no figures.
pub fn build(snapshot: &Snapshot<'_>, range: Range, since: impl Fn(u64) -> i64) -> Option<Frames> {
    let frames = snapshot.frames(range)?;
    let figures = frames.figures();
    let census = frames.census;
    let held = |of: fn(&Census) -> &Option<Held>| census.and_then(|c| of(c).as_ref()).map(held);
    Some(Frames {
        model: frames.model,
        at_ns: since(frames.at_ns),
        idle_bytes: figures.idle_bytes,
        resident_bytes: figures.resident_bytes,
        zombies: held(|census| &census.zombies),
        free_list: census.and_then(|census| census.free_list),
        pinned: census.and_then(|census| census.pinned),
        chunks: (frames.model == FramesModel::Chunk).then(|| chunks(&frames, &figures)),
        threads_unread: frames.unread,
        threads: threads(snapshot, &frames),
        suspended: held(|census| &census.suspended),
        exhausted: held(|census| &census.exhausted),
        escaped: held(|census| &census.escaped),
        census: census.map(|census| FramesCensus {
            at_ns: since(census.at_ns),
            took_ns: census.took_ns,
            looked_at_bytes: census.looked_at_bytes,
            swapped_bytes: census.swapped_bytes,
            gil_held_ns: 0,
        }),
    })
}

fn held(held: &Held) -> FramesHeld {
    let modules = held.modules.iter().map(|row| ModuleRow {
        module: row.module.clone(),
        count: row.tally.count,
        bytes: row.tally.bytes,
    });
    let functions = held.functions.iter().take(ROWS).map(|row| FunctionRow {
        function: row.function.clone(),
        file: row.file.clone(),
        line: row.line,
        count: row.tally.count,
        bytes: row.tally.bytes,
    });
    FramesHeld {
        count: held.all.count,
        bytes: held.all.bytes,
        called_once: held.called_once,
        by_module: modules.collect(),
        top: functions.collect(),
    }
}

fn chunks(frames: &FramesAt<'_>, figures: &FramesFigures) -> Chunks {
    Chunks {
        count: total(frames.stacks.iter().map(|stack| stack.chunks.into())),
        bytes: total(frames.stacks.iter().map(|stack| stack.bytes)),
        used_bytes: figures.used_bytes.unwrap_or(0),
        idle_bytes: figures.idle_bytes,
        cached_bytes: figures.cached_bytes,
        resident_bytes: figures.resident_bytes,
    }
}

fn threads(snapshot: &Snapshot<'_>, frames: &FramesAt<'_>) -> Vec<ThreadChunks> {
    let row = |stack: &crate::batch::ThreadStack| ThreadChunks {
        thread_id: snapshot.thread(stack.key).map_or(0, |fact| fact.thread_id),
        name: snapshot.thread_name(stack.key),
        chunks: stack.chunks,
        bytes: stack.bytes,
        used_bytes: stack.used_bytes,
        resident_bytes: stack.resident_bytes,
    };
    let mut rows: Vec<ThreadChunks> = frames.stacks.iter().map(row).collect();
    rows.sort_by_key(|row| (std::cmp::Reverse(row.bytes), row.thread_id));
    rows
}

/// The section for a person: what, how many, how much memory.
pub fn rows(frames: &Frames) -> Vec<[String; 3]> {
    let row = |what: &str, tally: Option<(u64, u64)>| {
        tally.map(|(n, bytes)| [what.to_owned(), units::count(n), units::bytes(bytes)])
    };
    let held = |held: &Option<FramesHeld>| held.as_ref().map(|held| (held.count, held.bytes));
    let tally = |tally: Option<Tally>| tally.map(|tally| (tally.count, tally.bytes));
    let called_once = frames.zombies.as_ref().and_then(|held| held.called_once);
    let chunks = frames.chunks.as_ref();
    let parts = [
        row("frames that code objects keep (zombies)", held(&frames.zombies)),
        row("of them of code that was called once", tally(called_once)),
        row("frames on the free list", tally(frames.free_list)),
        row("chunks of data stacks", chunks.map(|chunks| (chunks.count, chunks.bytes))),
        row("frames in suspended generators and coroutines", held(&frames.suspended)),
        row("frames in ended generators and coroutines", held(&frames.exhausted)),
        row("frame objects that outlive their call", held(&frames.escaped)),
    ];
    parts.into_iter().flatten().collect()
}

/// The sums in a sentence.
pub fn sentence(frames: &Frames) -> String {
    let said = |of: Option<u64>| of.map_or(units::UNKNOWN.to_owned(), units::bytes);
    format!(
        "{} held for frames that do not run; {} in RAM of all memory held for frames.",
        said(frames.idle_bytes),
        said(frames.resident_bytes)
    )
}

/// Why parts of the section are null.
pub fn notes(frames: Option<&Frames>) -> Vec<Note> {
    let mut notes = Vec::new();
    let mut note = |missing: bool, section: &str, reason: &str| {
        if missing {
            notes.push(Note { section: section.into(), reason: reason.into() });
        }
    };
    let Some(frames) = frames else { return notes };
    let (counted, is_chunk) = (frames.census.is_some(), frames.model == FramesModel::Chunk);
    note(!counted, "frames.census", "no census was finished in this session");
    note(is_chunk, "frames.zombies", "this Python keeps no frames on code objects");
    note(is_chunk, "frames.free_list", "this Python has no free list of frames");
    note(!is_chunk, "frames.chunks", "this Python has no data stack");
    let missing = |part: bool| counted && !part;
    note(
        !is_chunk && missing(frames.free_list.is_some()),
        "frames.free_list",
        "where this interpreter keeps its list of frames was not found",
    );
    let unknown = "this patch release may keep an emptied chunk at a place that is not known";
    let cached = frames.chunks.as_ref().is_some_and(|chunks| chunks.cached_bytes.is_none());
    note(cached, "frames.chunks.cached_bytes", unknown);
    note(
        !is_chunk && counted,
        "frames.suspended",
        "generators of this Python have frame objects, which are not told apart",
    );
    let called_once = frames.zombies.as_ref().is_some_and(|held| held.called_once.is_none());
    note(called_once, "frames.zombies.called_once", "this Python does not count calls");
    notes
}
