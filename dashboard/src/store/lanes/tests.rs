//! Lanes against the laws that make them honest, and against the simulation's own truth.

use super::*;
use crate::batch::{Batch, EventKind, Target};
use crate::collect::generate::Scenario;
use crate::store::{Limits, Store};
use proptest::prelude::*;

const SECOND: u64 = 1_000_000_000;

fn store(scenario: &Scenario, limits: Limits) -> Store {
    let mut store = Store::with_limits(Target::default(), limits);
    scenario.batches().for_each(|batch| store.apply(&batch));
    store
}

fn keys(snapshot: &Snapshot<'_>) -> Vec<ThreadKey> {
    snapshot.threads().map(|fact| fact.key).collect()
}

fn sums(lanes: &Lanes, state: usize) -> u64 {
    lanes.lanes.iter().flat_map(|lane| &lane.pixels).map(|parts| parts[state]).sum()
}

fn event(kind: EventKind, thread: u32, start_ns: u64, end_ns: u64, holder: u32) -> Event {
    Event {
        kind,
        thread: ThreadKey(thread),
        at_ns: end_ns,
        duration_ns: end_ns - start_ns,
        free_ns: 0,
        drop_requests: 0,
        holder_start: ThreadKey(holder),
        holder_end: ThreadKey(holder),
        code: 0,
        line: None,
        native_module: None,
        drop_to_release_ns: 0,
    }
}

#[test]
fn all_of_a_session_in_lanes_is_what_its_counters_say() {
    let scenario = Scenario { duration_ns: 20 * SECOND, churn_per_s: 0, ..Scenario::default() };
    let store = store(&scenario, Limits::default());
    let snapshot = store.snapshot();
    let whole = snapshot.range();
    let totals = snapshot.totals(whole).unwrap();
    // Wider and narrower than the bins, so without and with events.
    for px in [7, 100, 999, 4000] {
        let lanes = snapshot.lanes(whole, px, &keys(&snapshot), None);
        // Whole ns in each pixel: a ns may go to its neighbour, or to another state.
        let rounding_ns = (lanes.lanes.len() * lanes.pixels.count) as u64;
        let near = |sum: u64, truth: u64| sum.abs_diff(truth) <= rounding_ns;
        assert!(near(sums(&lanes, 0), totals.held_ns), "held, {px} pixels");
        assert!(near(sums(&lanes, 1), totals.waited_ns), "waited, {px} pixels");
        assert_eq!(lanes.spans.is_empty(), lanes.pixels.step_ns >= TIER_NS[0], "{px} pixels");
    }
}

/// Two stores of one session: one keeps all, one lets events go and bins grow coarse soon.
fn two_stores() -> &'static [Store; 2] {
    static STORES: std::sync::OnceLock<[Store; 2]> = std::sync::OnceLock::new();
    STORES.get_or_init(|| {
        let scenario = Scenario { duration_ns: 10 * SECOND, churn_per_s: 3, ..Scenario::default() };
        let coarse = Limits { events: 100, bins: [20, 4, 2, 2], ..Limits::default() };
        [Limits::default(), coarse].map(|limits| store(&scenario, limits))
    })
}

proptest! {
    #[test]
    fn the_parts_of_a_pixel_sum_to_the_pixel(
        from in 0..12 * SECOND, length in prop_oneof![1..2_000u64, 1..SECOND, 1..12 * SECOND],
        px in 1..900usize, which in 0..2usize,
    ) {
        let snapshot = two_stores()[which].snapshot();
        let wanted = Range::new(from, from + length);
        let lanes = snapshot.lanes(wanted, px, &keys(&snapshot), None);
        prop_assert!(lanes.pixels.count <= px + 1);
        for lane in &lanes.lanes {
            prop_assert_eq!(lane.pixels.len(), lanes.pixels.count);
            for parts in &lane.pixels {
                prop_assert_eq!(parts.iter().sum::<u64>(), lanes.pixels.step_ns);
            }
        }
    }
}

#[test]
fn a_part_of_a_bin_shows_what_the_whole_bin_shows_there() {
    let store = &two_stores()[0];
    let snapshot = store.snapshot();
    let keys = keys(&snapshot);
    let wide = snapshot.lanes(Range::new(8 * SECOND, 9 * SECOND), 1000, &keys, None);
    let part = Range::new(8 * SECOND + 330_000_000, 8 * SECOND + 350_000_000);
    let narrow = snapshot.lanes(part, 20, &keys, None);
    assert_eq!((wide.pixels.step_ns, narrow.pixels.step_ns), (1_000_000, 1_000_000));
    for (wide, narrow) in wide.lanes.iter().zip(&narrow.lanes) {
        assert_eq!(wide.pixels[330..350], narrow.pixels[..]);
    }
}

#[test]
fn a_wait_stands_where_its_event_says_and_the_rest_is_spread() {
    let ranges = |spans: &[Span]| spans.iter().map(|s| (s.kind, s.range)).collect::<Vec<_>>();
    let wait = event(EventKind::Wait, 1, 400, 600, 2);
    let spans = spans([&wait]);
    assert_eq!(ranges(&spans[&ThreadKey(1)]), [(SpanKind::Wait, Range::new(400, 600))]);
    assert_eq!(ranges(&spans[&ThreadKey(2)]), [(SpanKind::HoldSeen, Range::new(400, 600))]);
    let pixels = Pixels { start_ns: 0, step_ns: 100, count: 10 };
    let bin = || std::iter::once(LaneBin { range: Range::new(0, 1000), counted: [80, 200, 160] });
    let life = Range::new(0, 1000);
    let waiter = measure(pixels, life, bin(), &spans[&ThreadKey(1)]);
    assert_eq!(waiter[4], [0, 100, 0, 0, 0]);
    assert_eq!(waiter[0], [10, 0, 10, 80, 0], "80 held and 80 of other CPU over 8 free pixels");
    assert_eq!(waiter.iter().map(|parts| parts[1]).sum::<u64>(), 200);
    assert_eq!(waiter.iter().map(|parts| parts[0]).sum::<u64>(), 80);
}

#[test]
fn a_recorded_hold_goes_before_a_seen_one_and_takes_its_code() {
    let forced = event(EventKind::ForcedRelease, 2, 100, 500, 0);
    let wait = Event { code: 7, line: Some(88), ..event(EventKind::Wait, 1, 200, 500, 2) };
    let early = event(EventKind::Wait, 3, 50, 300, 2);
    let spans = spans([&wait, &forced, &early]);
    let holds = &spans[&ThreadKey(2)];
    let shape: Vec<_> = holds.iter().map(|s| (s.kind, s.range.start_ns, s.range.end_ns)).collect();
    assert_eq!(shape, [(SpanKind::HoldSeen, 50, 100), (SpanKind::HoldForced, 100, 500)]);
    assert_eq!((holds[1].code, holds[1].line), (7, Some(88)));
}

#[test]
fn a_thread_that_is_gone_has_no_time() {
    let pixels = Pixels { start_ns: 0, step_ns: 10, count: 4 };
    let bin = LaneBin { range: Range::new(0, 40), counted: [0, 0, 0] };
    let parts = measure(pixels, Range::new(15, 25), std::iter::once(bin), &[]);
    assert_eq!(parts, [[0, 0, 0, 0, 10], [0, 0, 0, 5, 5], [0, 0, 0, 5, 5], [0, 0, 0, 0, 10]]);
}

#[test]
fn beyond_a_limit_the_longest_spans_stay_and_the_others_are_counted() {
    let batch = |n: u64| Batch {
        at_ns: SECOND,
        events: (0..n)
            .map(|i| event(EventKind::Wait, 1, 20_000 * i, 20_000 * i + 10 + i, 0))
            .collect(),
        ..Batch::default()
    };
    let n = SPANS_MAX as u64 + 50;
    let spans = spans(&batch(n).events);
    let (kept, left_out) = pick(&spans, &[ThreadKey(1)], Range::new(0, SECOND));
    assert_eq!((kept.len(), left_out), (SPANS_MAX, 50));
    assert!(kept.iter().all(|span| span.range.length_ns() >= 60));
    assert!(kept.is_sorted_by_key(|span| span.range.start_ns));
}
