//! Recordings that somebody else made: the file as a whole, and the batches inside it.

use super::Input;
use crate::batch::Target;
use crate::collect::generate::Scenario;
use crate::collect::replay::replay;
use crate::compare::{Side, compare, write_markdown};
use crate::hub::SessionId;
use crate::plot::{self, Plot};
use crate::recording::{FORMAT_VERSION, Recorder, decode_chunk, unpack_chunk};
use crate::report;
use crate::store::{Limits, Store};
use crate::view::{self, Page, SessionView, View, Wish};
use std::sync::LazyLock;

/// Batches as they stand in a chunk, packed or plain: what decodes can be stored, shown and drawn.
pub fn batches(data: &[u8]) {
    let (how, rest) = data.split_first().unwrap_or((&0, &[]));
    let batches = match how % 2 {
        0 => unpack_chunk(rest, FORMAT_VERSION),
        _ => decode_chunk(rest, FORMAT_VERSION),
    };
    let Ok(batches) = batches else { return };
    let limits =
        Limits { threads: 8, events: 64, marks: 8, table: 64, rows: 200, bins: [20, 20, 20, 20] };
    let mut store = Store::with_limits(Target::default(), limits);
    batches.iter().for_each(|batch| store.apply(batch));
    look_at_everything(&store);
}

/// Everything that a page or a report can ask of a store.
pub(super) fn look_at_everything(store: &Store) {
    let snapshot = store.snapshot();
    let view = View { px: Some(16), ..View::default() };
    for page in [Page::Overview, Page::Cpu, Page::Gil] {
        let select = Some(snapshot.range());
        let wish = Wish { page, view, select, split: page == Page::Cpu };
        view::parts(wish, SessionId(1), &snapshot, true);
    }
    let _ = serde_json::to_vec(&SessionView::of(SessionId(1), &snapshot));
    let side = || Side::of(&snapshot, snapshot.range());
    let mut out = Vec::new();
    write_markdown(&compare(side(), side()), &mut out).expect("memory");
    out.clear();
    report::write(&snapshot, snapshot.range(), report::Format::Json, &mut out)
        .expect("a report can be written to memory");
    serde_json::from_slice::<serde_json::Value>(&out).expect("a report is JSON");
    for plot in Plot::ALL {
        // A plot without data is an error of its own.
        let _ = plot::write(&snapshot, plot, snapshot.range(), None, plot::Format::Csv, &mut out);
    }
}

/// A short recording as gilscope writes it.
static WHOLE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("whole.gilscope");
    let scenario = Scenario { duration_ns: 300_000_000, ..Scenario::default() };
    let mut recorder = Recorder::create(&path, &scenario.target(), false).expect("a new file");
    scenario.batches().for_each(|batch| recorder.append(&batch).expect("room"));
    recorder.finish().expect("room");
    std::fs::read(path).expect("it was just written")
});

/// A recording with pieces overwritten and its end cut off, or any other file: it is replayed, or
/// refused with a reason.
pub fn recording(data: &[u8]) {
    let mut input = Input(data);
    let mut file = match input.u8() % 4 {
        0 => input.take(usize::MAX).to_vec(),
        _ => WHOLE.clone(),
    };
    while !input.is_empty() {
        let (at, n) = (usize::from(input.u16()) * 4, input.u8());
        let piece = input.take(usize::from(n % 16));
        match n >= 240 {
            true => file.truncate(at),
            false => file.iter_mut().skip(at).zip(piece).for_each(|(byte, new)| *byte = *new),
        }
    }
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    let path = folder.as_ref().expect("a temporary folder").path().join("a.gilscope");
    std::fs::write(&path, file).expect("room");
    match replay(&path) {
        Ok(replayed) => look_at_everything(&replayed.store),
        Err(error) => assert!(!error.to_string().contains('\n'), "an error is one line: {error}"),
    }
}
