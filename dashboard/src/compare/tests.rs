//! Comparisons of generated sessions: differences are differences, and unknown stays unknown.

use super::*;
use crate::batch::{Batch, Target, ThreadFact, ThreadGil, ThreadKey};
use crate::collect::generate::Scenario;
use crate::store::Store;

const SECOND: u64 = 1_000_000_000;

fn store() -> Store {
    let scenario = Scenario { duration_ns: 20 * SECOND, ..Default::default() };
    let mut store = Store::new(scenario.target());
    scenario.batches().for_each(|batch| store.apply(&batch));
    store
}

fn figure<'a>(comparison: &'a Comparison, name: &str) -> &'a FigureChange {
    comparison.figures.iter().find(|figure| figure.name == name).unwrap()
}

#[test]
fn a_range_beside_itself_differs_in_nothing() {
    let store = store();
    let side = || Side::of(&store.snapshot(), Range::new(2 * SECOND, 6 * SECOND));
    let same = compare(side(), side());
    assert!(same.figures.iter().all(|row| row.difference.is_none_or(|d| d == 0.0)));
    assert!(same.threads.iter().all(|row| row.before == row.after));
}

/// From 15 s on two of the three crunchers rest.
#[test]
fn what_changed_is_told_with_its_sign() {
    let store = store();
    let snapshot = store.snapshot();
    let before = Side::of(&snapshot, Range::new(5 * SECOND, 14 * SECOND));
    let after = Side::of(&snapshot, Range::new(16 * SECOND, 20 * SECOND));
    let comparison = compare(before, after);
    let waiters = figure(&comparison, "gil.waiters");
    assert!(waiters.change.unwrap() < -0.3, "{waiters:?}");
    assert_eq!(waiters.difference.unwrap(), waiters.after.unwrap() - waiters.before.unwrap());
    let calmed = comparison.threads.iter().find(|row| row.name == "cruncher-3").unwrap();
    assert!(calmed.after.unwrap().cpu_cores < calmed.before.unwrap().cpu_cores, "{calmed:?}");
    let mut text = Vec::new();
    write_markdown(&comparison, &mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("| threads waiting for it |") && text.contains("| −"), "{text}");
}

#[test]
fn figures_agree_with_the_report() {
    let store = store();
    let snapshot = store.snapshot();
    let report = crate::report::build_range(&snapshot, snapshot.range());
    let gil = report.gil.unwrap();
    let all = figures(&snapshot, snapshot.range());
    let value = |name: &str| all.iter().find(|figure| figure.name == name).unwrap().value;
    assert_eq!(value("gil.held"), gil.utilization);
    assert_eq!(value("gil.wait.p99"), gil.wait.p99_ns.map(|ns| ns as f64));
    assert_eq!(value("gil.hold.max"), gil.hold.max_ns.map(|ns| ns as f64));
    let cpu_ns: u64 = report.threads.iter().filter_map(|thread| thread.cpu_ns).sum();
    let cores = cpu_ns as f64 / snapshot.range().length_ns() as f64;
    assert!((value("cpu.total").unwrap() / cores - 1.0).abs() < 0.01, "{cores}");
}

#[test]
fn what_is_not_known_is_null_and_a_dash() {
    let store = Store::new(Target::default());
    let side = || Side::of(&store.snapshot(), Range::default());
    let nothing = compare(side(), side());
    let unknown = nothing.figures.iter().filter(|row| row.name != "loss.events");
    for row in unknown {
        assert_eq!((row.before, row.difference, row.change), (None, None, None), "{row:?}");
        assert_eq!(text(row.unit, row.after), "–");
    }
    let idle = |value| text(Unit::Cores, value);
    assert_eq!((idle(Some(0.0)), idle(None)), ("0.00".to_owned(), "–".to_owned()));
    assert_eq!(catalogue().len(), nothing.figures.len());
}

/// Two threads of one name, of which one came and went between two samples of CPU.
#[test]
fn a_sum_is_made_of_what_is_known_and_says_what_is_not() {
    let mut store = store();
    let known = store.snapshot().threads().find(|fact| fact.name == "cruncher-1").unwrap().clone();
    let key = ThreadKey(9_999);
    let brief = ThreadFact { key, thread_id: 9_999, ..known };
    let gil = ThreadGil { key, acquires: 1, hold_ns: 5_000, ..Default::default() };
    let at_ns = store.snapshot().range().end_ns;
    let more = Batch { at_ns, threads: vec![brief], thread_gil: vec![gil], ..Default::default() };
    store.apply(&more);
    let side = || Side::of(&store.snapshot(), store.snapshot().range());
    let comparison = compare(side(), side());
    let row = comparison.threads.iter().find(|row| row.name == "cruncher-1").unwrap();
    let sum = row.before.unwrap();
    assert_eq!((sum.threads, sum.unsampled), (2, 1));
    assert!(sum.cpu_cores.unwrap() > 0.0, "{sum:?}");
    let mut text = Vec::new();
    write_markdown(&comparison, &mut text).unwrap();
    assert!(String::from_utf8(text).unwrap().contains("(without 1 unsampled)"));
}

#[test]
fn what_is_not_known_of_cpu_has_its_reason() {
    let mut store = Store::new(Target::default());
    let scenario = Scenario { duration_ns: 5 * SECOND, ..Default::default() };
    for batch in scenario.batches() {
        store.apply(&Batch { gil: None, thread_gil: vec![], ..batch });
    }
    let side = || Side::of(&store.snapshot(), store.snapshot().range());
    let comparison = compare(side(), side());
    let holding = figure(&comparison, "cpu.holding");
    assert_eq!((holding.before, holding.after), (None, None));
    assert_eq!(holding.after_note.as_deref(), Some("the GIL was not watched"));
}
