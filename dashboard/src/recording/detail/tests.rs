//! Events come back from a recording one for one, wherever in it they lie.

use super::*;
use crate::batch::{Batch, EventKind};
use crate::collect::generate::Scenario;
use crate::recording::write_all_of;
use crate::store::lanes::SpanKind;
use crate::store::{Limits, Store};
use std::path::Path;

const SECOND: u64 = 1_000_000_000;
const MS: u64 = 1_000_000;
const NAME: &str = "traced.gilscope";

/// A traced session of more than 200,000 events, its recording and a store that kept few of them.
struct Traced {
    events: Vec<Event>,
    folder: tempfile::TempDir,
    store: Store,
    end_ns: u64,
}

fn traced() -> Traced {
    let scenario = Scenario::traced();
    let batches: Vec<Batch> = scenario.batches().collect();
    let folder = tempfile::tempdir().unwrap();
    write_all_of(&folder.path().join(NAME), &scenario.target(), batches.iter().cloned()).unwrap();
    // Old bins are wide, as those of a long session: the recording must make up for that, too.
    let limits = Limits { events: 1_000, bins: [50, 2, 2, 2], ..Limits::default() };
    let mut store = Store::with_limits(scenario.target(), limits);
    batches.iter().for_each(|batch| store.apply(batch));
    let mut events: Vec<Event> = batches.into_iter().flat_map(|batch| batch.events).collect();
    events.sort_by_key(|event| event.at_ns);
    assert!(events.len() > 200_000, "{} events", events.len());
    let end_ns = store.snapshot().range().end_ns;
    Traced { events, folder, store, end_ns }
}

impl Traced {
    fn open(&self) -> Recording {
        Recording::open(&self.folder.path().join(NAME)).unwrap()
    }

    /// Narrow ranges at the start, in the middle, across a chunk's edge and at the end.
    fn ranges(&self) -> Vec<Range> {
        let starts =
            [0, 3 * MS, 999 * MS, self.end_ns / 2, self.end_ns - 200 * MS, self.end_ns - 7];
        starts.iter().map(|start| Range::new(*start, start + 150 * MS)).collect()
    }

    fn touching(&self, range: Range) -> Vec<Event> {
        self.events.iter().filter(|event| touches(event, range)).cloned().collect()
    }
}

/// Order among events of one moment means nothing.
fn sorted(mut events: Vec<Event>) -> Vec<Event> {
    events.sort_by_key(identity);
    events
}

#[test]
fn every_event_of_a_range_comes_back_as_it_was() {
    let (traced, mut compared) = (traced(), 0);
    let recording = traced.open();
    let whole = Range::new(0, traced.end_ns + SECOND);
    for range in traced.ranges().into_iter().chain([whole]) {
        let found = recording.events_in(range, usize::MAX).unwrap();
        assert_eq!(found.left_out, 0);
        assert_eq!(sorted(found.events), sorted(traced.touching(range)), "{range:?}");
        compared += traced.touching(range).len();
    }
    assert!(compared > traced.events.len());
}

#[test]
fn beyond_the_bound_the_longest_stay_and_all_others_are_counted() {
    let traced = traced();
    let range = Range::new(20 * SECOND, 40 * SECOND);
    let wanted = traced.touching(range);
    let found = traced.open().events_in(range, 5_000).unwrap();
    assert_eq!(found.events.len(), 5_000);
    assert_eq!(found.events.len() as u64 + found.left_out, wanted.len() as u64);
    let shortest = found.events.iter().map(|event| event.duration_ns).min().unwrap();
    let longer = wanted.iter().filter(|event| event.duration_ns > shortest).count();
    assert!(longer < 5_000, "{longer} are longer than one that was kept");
}

#[test]
fn the_newest_events_of_an_old_range_come_with_the_exact_count_of_the_others() {
    let traced = traced();
    for range in traced.ranges().into_iter().chain([Range::new(SECOND, 60 * SECOND)]) {
        let ended = |event: &&Event| range.start_ns <= event.at_ns && event.at_ns < range.end_ns;
        let wanted: Vec<&Event> = traced.events.iter().filter(ended).collect();
        let found = traced.open().newest_events(range, 2_000).unwrap();
        assert_eq!(found.events.len(), wanted.len().min(2_000), "{range:?}");
        assert_eq!(found.events.len() as u64 + found.left_out, wanted.len() as u64, "{range:?}");
        assert!(
            found.events.iter().eq(wanted[wanted.len() - found.events.len()..].iter().copied())
        );
    }
}

#[test]
fn lanes_of_an_old_range_show_every_single_wait_and_hold() {
    let traced = traced();
    let snapshot = traced.store.snapshot();
    let keys: Vec<ThreadKey> = snapshot.threads().map(|fact| fact.key).collect();
    for range in traced.ranges().into_iter().filter(|range| range.end_ns < 90 * SECOND) {
        let missing = snapshot.missing(range, 1_000).expect("the store has let go of it");
        let detail = traced.open().detail(&missing).unwrap().unwrap();
        let range = range.intersection(&snapshot.range());
        let lanes = snapshot.lanes(range, 1_000, &keys, Some(&detail));
        assert!(lanes.bin_ns < 3 * SECOND / 2, "counters of {} ns", lanes.bin_ns);
        assert_eq!((lanes.spans_left_out, lanes.detail_from_ns <= range.start_ns), (0, true));
        let mut shown: Vec<_> = lanes
            .spans
            .iter()
            .filter(|span| span.kind != SpanKind::HoldSeen)
            .map(|span| (span.thread, span.range.start_ns, span.range.end_ns))
            .collect();
        let span = |event: &Event| (event.thread, event.at_ns - event.duration_ns, event.at_ns);
        let single = |event: &&Event| event.kind != EventKind::ForcedSwitchWait;
        let events = traced.touching(range);
        let mut wanted: Vec<_> = events.iter().filter(single).map(span).collect();
        shown.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(shown, wanted, "{range:?}");
        // With every hold at hand the lanes hold the GIL for as long as the events say.
        let clipped = |event: &Event| {
            Range::new(event.at_ns - event.duration_ns, event.at_ns)
                .intersection(&range)
                .length_ns()
        };
        let is_hold = |event: &&Event| event.kind != EventKind::Wait;
        let truth_ns: u64 = events.iter().filter(is_hold).map(clipped).sum();
        let held_ns: u64 =
            lanes.lanes.iter().flat_map(|lane| &lane.pixels).map(|parts| parts[0]).sum();
        let rounding_ns = (keys.len() * lanes.pixels.count) as u64;
        assert!(
            held_ns.abs_diff(truth_ns) <= rounding_ns + 2 * lanes.pixels.step_ns,
            "{held_ns} {truth_ns}"
        );
    }
}

#[test]
fn what_the_file_has_not_yet_comes_from_the_store() {
    let scenario = Scenario { duration_ns: SECOND, ..Scenario::traced() };
    let wanted = sorted(scenario.batches().flat_map(|batch| batch.events).collect());
    assert!(wanted.len() > 100);
    let half = Found { events: wanted[..wanted.len() / 2].to_vec(), left_out: 0 };
    let all = half.with_later(&wanted[wanted.len() / 4..], usize::MAX);
    assert_eq!((sorted(all.events), all.left_out), (wanted, 0));
}

#[test]
fn an_older_recording_has_no_detail() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.gilscope");
    let scenario = Scenario { duration_ns: 3 * SECOND, ..Scenario::default() };
    write_all_of(&path, &scenario.target(), scenario.batches()).unwrap();
    set_version(&path, FORMAT_WITH_EVENT_TIMES - 1);
    let missing = Missing { range: Range::new(0, SECOND), later: Vec::new() };
    assert_eq!(Recording::open(&path).unwrap().detail(&missing).unwrap(), None);
}

fn set_version(path: &Path, version: i64) {
    let db = rusqlite::Connection::open(path).unwrap();
    db.pragma_update(None, "user_version", version).unwrap();
}
