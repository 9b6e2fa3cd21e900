//! The store against a naive model that keeps every batch, and against the laws of its figures.

use super::*;
use crate::collect::generate::Scenario;
use proptest::prelude::*;
use std::collections::HashMap;

const SECOND: u64 = 1_000_000_000;

fn batches(scenario: &Scenario) -> Vec<Batch> {
    scenario.batches().collect()
}

fn store(batches: &[Batch], limits: Limits) -> Store {
    let mut store = Store::with_limits(Target::default(), limits);
    batches.iter().for_each(|batch| store.apply(batch));
    store
}

/// The newest value of something cumulative at `at_ns`, in all batches up to then.
fn gil_at(batches: &[Batch], at_ns: u64) -> GilCounters {
    let samples = batches.iter().filter_map(|batch| batch.gil.as_ref());
    let newest = samples.take_while(|gil| gil.at_ns <= at_ns).last();
    newest.map(GilCounters::from).unwrap_or_default()
}

fn thread_gil_at(batches: &[Batch], key: ThreadKey, at_ns: u64) -> ThreadGilTotals {
    let past = batches.iter().take_while(|batch| batch.at_ns <= at_ns);
    let rows = past.flat_map(|batch| &batch.thread_gil).filter(|row| row.key == key);
    rows.last().map(ThreadGilTotals::from).unwrap_or_default()
}

fn thread_cpu_at(batches: &[Batch], key: ThreadKey, at_ns: u64) -> u64 {
    let past = batches.iter().take_while(|batch| batch.at_ns <= at_ns);
    past.flat_map(|batch| &batch.cpu).filter(|row| row.key == key).last().map_or(0, |r| r.cpu_ns)
}

fn blame_at(batches: &[Batch], at_ns: u64) -> u64 {
    // A batch tells only the rows that changed.
    let told = batches.iter().filter(|batch| batch.at_ns <= at_ns).flat_map(|batch| &batch.blame);
    let rows: HashMap<_, u64> =
        told.map(|row| ((row.holder, row.code, row.line), row.wait_inflicted_ns)).collect();
    rows.values().sum()
}

fn sum_rows(rows: &[ThreadRow]) -> (ThreadGilTotals, u64) {
    let mut gil = ThreadGilTotals::default();
    rows.iter().for_each(|row| gil.add(&row.gil.unwrap_or_default()));
    (gil, rows.iter().map(|row| row.cpu.unwrap_or_default().cpu_ns).sum())
}

/// Everything that must hold whatever the range and the limits.
fn check_laws(snapshot: Snapshot<'_>, range: Range) {
    let totals = snapshot.totals(range).unwrap();
    assert_eq!(totals.held_ns + totals.free_ns, totals.range.length_ns(), "held + free = window");
    let rows = snapshot.thread_rows(range);
    let (gil, _) = sum_rows(&rows);
    assert_eq!(gil.acquires, totals.acquires);
    assert_eq!(gil.acquires_contended, totals.acquires_contended);
    assert_eq!(gil.hold_ns, totals.held_ns);
    assert_eq!(gil.wait_ns, totals.waited_ns);
    assert_eq!(gil.releases_voluntary, totals.releases_voluntary);
    assert_eq!(gil.releases_forced, totals.releases_forced);
    assert_eq!(gil.wait_inflicted_ns + gil.wait_free_ns, gil.wait_ns);
    let handoffs: u64 = snapshot.handoffs(range).iter().map(|row| row.count).sum();
    assert_eq!(handoffs, totals.handoffs);
    let blamed: u64 = snapshot.blame(range).iter().map(|row| row.wait_inflicted_ns).sum();
    assert_eq!(blamed, gil.wait_inflicted_ns);
    let hists = snapshot.histograms(range).unwrap();
    assert_eq!(hists.wait.count, totals.acquires_contended);
    assert_eq!(hists.hold.count, totals.releases_voluntary + totals.releases_forced);
}

fn check_against_model(batches: &[Batch], snapshot: Snapshot<'_>, range: Range) {
    let totals = snapshot.totals(range).unwrap();
    let (from, to) = (totals.range.start_ns, totals.range.end_ns);
    let expected = gil_at(batches, to).since(&gil_at(batches, from)).over(totals.range);
    assert_eq!(totals, expected);
    for row in snapshot.thread_rows(range).iter().filter(|row| row.key != EXITED) {
        let now = thread_gil_at(batches, row.key, to);
        assert_eq!(row.gil.unwrap(), now.since(&thread_gil_at(batches, row.key, from)), "{row:?}");
        let cpu = |at_ns| thread_cpu_at(batches, row.key, at_ns);
        // The first bin of CPU begins with the first batch, before the GIL's window.
        let cpu_from = if from == totals_start(batches) { 0 } else { from };
        assert_eq!(row.cpu.map_or(0, |cpu| cpu.cpu_ns), cpu(to) - cpu(cpu_from), "{row:?}");
    }
    let blamed: u64 = snapshot.blame(range).iter().map(|row| row.wait_inflicted_ns).sum();
    assert_eq!(blamed, blame_at(batches, to) - blame_at(batches, from));
}

fn totals_start(batches: &[Batch]) -> u64 {
    batches.iter().find_map(|batch| batch.gil.as_ref()).unwrap().window_start_ns
}

fn check_stack(snapshot: Snapshot<'_>, range: Range, px: usize) {
    let series = snapshot.cpu(range, px);
    for series in [series.clone(), series.busiest(3)] {
        assert_eq!(series.total_mean.len(), series.pixels.count);
        for pixel in 0..series.pixels.count {
            let stack: f32 = series.bands.iter().map(|band| band.mean[pixel]).sum();
            let total = series.total_mean[pixel];
            assert!((stack - total).abs() < 1e-3, "pixel {pixel}: {stack} is not {total}");
        }
    }
}

/// The parts of each band are the band, in figures and in every pixel; and those of each thread's row.
fn check_parts(snapshot: Snapshot<'_>, range: Range, px: usize) {
    let (plain, split) = (snapshot.cpu(range, px), snapshot.cpu_in_parts(range, px));
    assert_eq!(plain.bands.len(), split.bands.len());
    for (series, n) in [(&plain, 999), (&split, 999), (&split, 3)] {
        for band in series.clone().busiest(n).bands {
            let Some(parts) = &band.parts else { continue };
            assert_eq!(parts.holding_ns + parts.running_ns + parts.unknown_ns, band.cpu_ns);
            for (at, mean) in band.mean.iter().enumerate() {
                let sum = parts.holding[at] + parts.running[at] + parts.unknown[at];
                assert!(
                    (sum - mean).abs() <= 1e-4 * mean.max(1.0),
                    "{sum} of {mean} in {}",
                    band.name
                );
            }
        }
    }
    for row in snapshot.thread_rows(range) {
        let (cpu, parts) = (row.cpu.unwrap_or_default(), row.cpu_parts.unwrap_or_default());
        assert!(parts.holding_ns + parts.unknown_ns <= cpu.cpu_ns, "{row:?}");
    }
}

/// One thread that always holds the GIL, one that never does, on a clock that lags by a tick.
#[test]
fn cpu_is_split_by_who_held_the_gil() {
    let mut store = Store::new(Target::default());
    let fact = |key: u32| ThreadFact {
        key: ThreadKey(key),
        thread_id: key,
        name: format!("t{key}"),
        is_main: key == 1,
        kind: ThreadKind::Python,
        alive: true,
        first_seen_ns: 0,
        ended_ns: None,
    };
    for tick in 0..=20_u64 {
        let at_ns = tick * SECOND / 10;
        let lag_ns = if tick % 2 == 1 { 4_000_000 } else { 0 };
        let cpu = |key: u32, lag_ns: u64| ThreadCpu {
            key: ThreadKey(key),
            cpu_ns: at_ns - lag_ns,
            runqueue_ns: at_ns / 10,
            ..Default::default()
        };
        let gil = GilSample {
            at_ns,
            held_ns: at_ns,
            acquires: 1,
            acquires_timed: 1,
            ..Default::default()
        };
        let hold =
            ThreadGil { key: ThreadKey(1), acquires: 1, hold_ns: at_ns, ..Default::default() };
        store.apply(&Batch {
            at_ns,
            threads: if tick == 0 { vec![fact(1), fact(2)] } else { vec![] },
            cpu: vec![cpu(1, lag_ns), cpu(2, 0)],
            // Watched from 1 s on.
            gil: (tick >= 10).then(|| GilSample {
                window_start_ns: SECOND,
                held_ns: at_ns - SECOND,
                ..gil
            }),
            thread_gil: if tick >= 10 {
                vec![ThreadGil { hold_ns: at_ns - SECOND, ..hold }]
            } else {
                vec![]
            },
            ..Default::default()
        });
    }
    let snapshot = store.snapshot();
    let rows = snapshot.thread_rows(snapshot.range());
    let of = |at: usize| (rows[at].cpu.unwrap().cpu_ns, rows[at].cpu_parts.unwrap());
    assert_eq!(of(0), (2 * SECOND, CpuParts { holding_ns: SECOND, unknown_ns: SECOND }));
    assert_eq!(of(1), (2 * SECOND, CpuParts { holding_ns: 0, unknown_ns: SECOND }));
    let late = snapshot.cpu_in_parts(Range::new(SECOND, 2 * SECOND), 10);
    let parts: Vec<_> = late.bands.iter().map(|band| band.parts.clone().unwrap()).collect();
    assert_eq!((parts[0].running_ns, parts[0].unknown_ns, parts[1].holding_ns), (0, 0, 0));
    assert_eq!((parts[1].running_ns, parts[1].runnable_ns), (SECOND, Some(SECOND / 10)));
    check_parts(snapshot, snapshot.range(), 7);
}

#[test]
fn a_whole_session_is_exact_to_the_unit() {
    let batches = batches(&Scenario { duration_ns: 20 * SECOND, ..Default::default() });
    let store = store(&batches, Limits::default());
    let snapshot = store.snapshot();
    let range = snapshot.range();
    let last = batches.last().unwrap().gil.as_ref().unwrap();
    let totals = snapshot.totals(range).unwrap();
    assert_eq!(totals.acquires, last.acquires);
    assert_eq!(totals.range, Range::new(last.window_start_ns, last.at_ns));
    check_laws(snapshot, range);
    check_stack(snapshot, range, 300);
    check_parts(snapshot, range, 300);
    let process = |batch: &Batch| batch.process.unwrap().cpu_ns;
    let (_, cpu_ns) = sum_rows(&snapshot.thread_rows(range));
    assert_eq!(cpu_ns, process(batches.last().unwrap()) - process(&batches[0]));
    assert_eq!(snapshot.histograms(range).unwrap().hold.max_ns, Some(last.hold.max_ns));
    assert_eq!(snapshot.marks().len(), 3);
    assert_eq!(snapshot.ended().unwrap().reason, "exited with status 0");
}

#[test]
fn the_simulated_threads_fall_into_their_classes() {
    let batches = batches(&Scenario { marks: false, ..Default::default() });
    let store = store(&batches, Limits::default());
    let rows = store.snapshot().thread_rows(store.snapshot().range());
    let classes: Vec<_> = rows.iter().map(|row| (row.name.as_str(), row.class)).collect();
    for (name, class) in classes {
        match name.split('-').next() {
            Some("cruncher" | "blas") => assert_eq!(class, Some(Class::Cpu), "{name}"),
            Some("fetcher") => assert_eq!(class, Some(Class::Io), "{name}"),
            _ => {}
        }
    }
}

#[test]
fn churn_folds_the_dead_and_keeps_the_sums() {
    let scenario = Scenario { churn_per_s: 60, duration_ns: 10 * SECOND, ..Default::default() };
    let batches = batches(&scenario);
    let store = store(&batches, Limits { threads: 40, ..Default::default() });
    let snapshot = store.snapshot();
    assert!(snapshot.threads().count() <= 50, "{} threads kept", snapshot.threads().count());
    assert!(store.threads.folded().threads > 400);
    let range = snapshot.range();
    check_laws(snapshot, range);
    check_laws(snapshot, Range::new(2 * SECOND, 7 * SECOND));
    check_stack(snapshot, range, 100);
    let exited = snapshot.thread_rows(range).pop().unwrap();
    assert_eq!((exited.key, exited.name.as_str()), (EXITED, "exited threads"));
}

#[test]
fn age_costs_resolution_but_no_totals() {
    let batches = batches(&Scenario { duration_ns: 60 * SECOND, ..Default::default() });
    let limits = Limits { bins: [10, 5, 2, 1], events: 100, ..Default::default() };
    let store = store(&batches, limits);
    let snapshot = store.snapshot();
    assert!(store.gil.bins().count() <= 18);
    check_laws(snapshot, snapshot.range());
    check_laws(snapshot, Range::new(30 * SECOND, 50 * SECOND));
    let last = batches.last().unwrap().gil.as_ref().unwrap();
    assert_eq!(snapshot.totals(snapshot.range()).unwrap().acquires, last.acquires);
    let events = snapshot.events(snapshot.range(), 10);
    let all: usize = batches.iter().map(|batch| batch.events.len()).sum();
    assert_eq!(events.events.len(), 10);
    assert_eq!(snapshot.events_let_go(), all as u64 - 100);
}

#[test]
fn rows_stay_within_their_limit() {
    let scenario = Scenario { io_threads: 60, duration_ns: 20 * SECOND, ..Default::default() };
    let batches = batches(&scenario);
    let store = store(&batches, Limits { rows: 3_000, threads: 64, ..Default::default() });
    let rows: usize = store.gil.bins().map(timeline::Bin::rows).sum();
    assert!(rows <= 3_000, "{rows}");
    check_laws(store.snapshot(), Range::new(5 * SECOND, 15 * SECOND));
}

#[test]
fn an_empty_store_answers_everything() {
    let store = Store::new(Target::default());
    let snapshot = store.snapshot();
    let range = snapshot.range();
    assert!(range.is_empty() && snapshot.totals(range).is_none());
    assert!(snapshot.gil(range, 100).is_none() && snapshot.histograms(range).is_none());
    assert!(snapshot.cpu(range, 100).bands.is_empty());
    assert!(snapshot.process(Range::new(0, SECOND), 10).rss_bytes.is_empty());
    assert!(snapshot.thread_rows(range).is_empty() && snapshot.blame(range).is_empty());
}

#[test]
fn a_mark_can_be_taken_away() {
    let mark = |id, at_ns| Mark { id, name: id.to_string(), at_ns };
    let mut store = Store::new(Target::default());
    store.apply(&Batch { marks: vec![mark(1, 50), mark(2, 20)], ..Default::default() });
    store.apply(&Batch { marks_removed: vec![1], ..Default::default() });
    assert_eq!(store.snapshot().marks(), [mark(2, 20)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_range_agrees_with_a_model_that_forgets_nothing(
        seed in 0u64..1000,
        tick_ms in prop_oneof![Just(13u64), Just(100), Just(250), Just(1700)],
        churn_per_s in 0u32..8,
        bins in prop_oneof![Just([3000usize, 1800, 1440, 2880]), Just([5, 6, 4, 3])],
        from_ms in 0u64..9_000,
        length_ms in 1u64..9_000,
        px in 1usize..400,
    ) {
        let tick_ns = tick_ms * 1_000_000;
        let scenario = Scenario { seed, tick_ns, churn_per_s, duration_ns: 9 * SECOND, ..Default::default() };
        let batches = batches(&scenario);
        let store = store(&batches, Limits { bins, ..Default::default() });
        let snapshot = store.snapshot();
        let range = Range::new(from_ms * 1_000_000, (from_ms + length_ms) * 1_000_000);
        for range in [range, snapshot.range()] {
            check_laws(snapshot, range);
            check_against_model(&batches, snapshot, range);
            check_stack(snapshot, range, px);
            check_parts(snapshot, range, px);
        }
        let gil = snapshot.gil(range, px).unwrap();
        prop_assert!(gil.pixels.count <= px + 1);
        prop_assert!(gil.utilization_mean.iter().all(|share| (0.0..=1.0001).contains(share)));
    }
}
