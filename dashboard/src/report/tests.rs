//! The report keeps its schema, agrees with the session to the unit, and knows what it does not know.

use super::schema::ThreadGil;
use super::*;
use crate::batch::{Batch, Target as Watched};
use crate::collect::generate::Scenario;
use crate::plot::Plot;
use crate::store::Store;
use serde_json::Value;

const SECOND: u64 = 1_000_000_000;

fn store(scenario: &Scenario) -> Store {
    let mut store = Store::new(scenario.target());
    scenario.batches().for_each(|batch| store.apply(&batch));
    store
}

fn text(store: &Store, format: Format) -> String {
    let snapshot = store.snapshot();
    let mut out = vec![];
    write(&snapshot, snapshot.range(), format, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// The fields of the first object that is opened at `begin`, as they stand in the text.
fn fields(json: &str, begin: &str, indent: usize) -> String {
    let at = json.find(begin).unwrap_or_else(|| panic!("no {begin}"));
    let lines = json[at + begin.len()..].lines().skip(1);
    let own = lines.take_while(|line| line.len() - line.trim_start().len() >= indent);
    let prefix = format!("{}\"", " ".repeat(indent));
    let names = own.filter_map(|line| line.strip_prefix(&prefix)?.split('"').next());
    names.collect::<Vec<_>>().join(" ")
}

#[test]
fn the_schema_is_the_documented_one() {
    let store = store(&Scenario { duration_ns: 5 * SECOND, ..Default::default() });
    let json = text(&store, Format::Json);
    assert!(json.starts_with("{\n  \"schema\": \"gilscope.report/1\""));
    let distribution = "count sum_ns p50_ns p95_ns p99_ns max_ns";
    let cases = [
        (
            "{",
            2,
            "schema target window ended marks loss experiments gil threads handoffs blame thread_states \
             frames imports process notes",
        ),
        (
            "\n  \"target\": {",
            4,
            "pid python_version executable cmdline free_threaded method started_unix_ns",
        ),
        ("\n  \"window\": {", 4, "start_unix_ns duration_ns"),
        ("\n  \"marks\": [\n    {", 6, "name at_ns"),
        ("\n  \"loss\": {", 4, "events_lost by_cause"),
        (
            "\n  \"gil\": {",
            4,
            "enabled acquires acquires_contended drop_requests releases_voluntary \
             releases_forced handoffs held_ns free_ns utilization waiters_mean hold wait \
             drop_to_release wake",
        ),
        ("\n    \"hold\": {", 6, distribution),
        ("\n    \"wake\": {", 6, distribution),
        (
            "\n  \"threads\": [\n    {",
            6,
            "thread_id name is_main kind alive cpu_ns cpu_user_ns cpu_system_ns runqueue_ns \
             switches_voluntary switches_forced class gil",
        ),
        (
            "\n      \"gil\": {",
            8,
            "acquires acquires_contended hold_ns wait_ns wait_inflicted_ns \
             drop_requests_received releases_forced",
        ),
        ("\n  \"handoffs\": [\n    {", 6, "from_thread to_thread count wait_ns"),
        (
            "\n  \"blame\": [\n    {",
            6,
            "thread_id function file line waits wait_inflicted_ns native_module",
        ),
        ("\n  \"process\": [\n    {", 6, "at_ns rss_bytes uss_bytes threads cpu_ns"),
        ("\n  \"notes\": [\n    {", 6, "section reason"),
    ];
    for (begin, indent, wanted) in cases {
        assert_eq!(fields(&json, begin, indent), wanted, "after {begin:?}");
    }
}

#[test]
fn the_schema_of_thread_states_is_the_documented_one() {
    let json =
        text(&store(&Scenario { duration_ns: 5 * SECOND, ..Default::default() }), Format::Json);
    let cases = [
        (
            "\n  \"thread_states\": {",
            4,
            "created deleted live_temporary ensure_calls ensure_fresh ensure_kept ensure_nested \
             ensure_unseen cost_ns estimate_kept_ns kept_cycle_ns kept_cycle_from by_caller",
        ),
        (
            "\n    \"by_caller\": [\n      {",
            8,
            "module function calls fresh kept nested made threads maps unmaps cost kept_cost \
             estimate_kept_ns",
        ),
        (
            "\n        \"cost\": {",
            10,
            "cycles total_ns create_ns gil_wait_ns run_ns chunk_ns delete_ns",
        ),
        ("\n        \"kept_cost\": {", 10, "cycles enter_ns gil_wait_ns run_ns leave_ns"),
    ];
    for (begin, indent, wanted) in cases {
        assert_eq!(fields(&json, begin, indent), wanted, "after {begin:?}");
    }
}

#[test]
fn figures_add_up() {
    let scenario = Scenario { duration_ns: 8 * SECOND, ..Default::default() };
    let store = store(&scenario);
    let report = build_range(&store.snapshot(), store.snapshot().range());
    let gil = report.gil.as_ref().unwrap();
    assert_eq!(gil.held_ns + gil.free_ns, report.window.duration_ns);
    let sum = |of: fn(&ThreadGil) -> u64| -> u64 {
        report.threads.iter().map(|thread| thread.gil.as_ref().map_or(0, of)).sum()
    };
    assert_eq!(sum(|gil| gil.acquires), gil.acquires);
    assert_eq!(sum(|gil| gil.hold_ns), gil.held_ns);
    let handoffs = report.handoffs.as_ref().unwrap();
    assert_eq!(handoffs.iter().map(|row| row.count).sum::<u64>(), gil.handoffs);
    let cpu_ns: u64 = report.threads.iter().filter_map(|thread| thread.cpu_ns).sum();
    let points = report.process.as_ref().unwrap();
    assert_eq!(cpu_ns, points.last().unwrap().cpu_ns - points[0].cpu_ns);
    let last = scenario.batches().last().unwrap().gil.unwrap();
    assert_eq!((gil.acquires, gil.hold.max_ns), (last.acquires, Some(last.hold.max_ns)));
}

#[test]
fn what_is_not_known_is_null_with_a_reason() {
    let mut store = Store::new(Watched::default());
    let notes = [("gil".to_owned(), "this interpreter has no GIL".to_owned())];
    store.apply(&Batch { notes: notes.into(), ..Default::default() });
    let json: Value = serde_json::from_str(&text(&store, Format::Json)).unwrap();
    for section in ["gil", "handoffs", "blame", "thread_states", "frames", "imports", "process"] {
        assert_eq!(json[section], Value::Null, "{section}");
    }
    assert_eq!(json["target"]["python_version"], Value::Null);
    let notes = json["notes"].as_array().unwrap();
    let reason = |section: &str| {
        let note = notes.iter().find(|note| note["section"] == section);
        note.unwrap_or_else(|| panic!("no note on {section}"))["reason"].as_str().unwrap()
    };
    assert_eq!(reason("gil"), "this interpreter has no GIL");
    assert!(reason("frames").contains("the probe was off"));
    assert!(reason("imports").contains("the probe was off"));
    assert!(reason("thread_states").contains("gil probe"));
    assert!(!reason("process").is_empty());
    assert!(text(&store, Format::Html).contains("this interpreter has no GIL"));
}

#[test]
fn html_needs_nothing_else_and_cannot_be_injected() {
    let scenario = Scenario { duration_ns: 3 * SECOND, ..Default::default() };
    let mut target = scenario.target();
    target.cmdline = vec!["<script>alert('x')</script>".into()];
    let mut store = Store::new(target);
    for mut batch in scenario.batches() {
        batch.threads.iter_mut().for_each(|fact| fact.name = "<img src=x>|`*".into());
        store.apply(&batch);
    }
    let html = text(&store, Format::Html);
    // Every plot; of the two that show CPU per thread, one.
    assert_eq!(html.matches("<svg").count(), Plot::ALL.len() - 1);
    for forbidden in ["<script", "<img", "src=\"http", "href="] {
        assert!(!html.contains(forbidden), "{forbidden}");
    }
    let markdown = text(&store, Format::Markdown);
    assert!(markdown.contains("## GIL") && markdown.contains("\\<img src=x\\>\\|\\`\\*"));
}

#[test]
fn a_part_of_a_session_says_what_it_covers() {
    let store = store(&Scenario { duration_ns: 8 * SECOND, ..Default::default() });
    let snapshot = store.snapshot();
    let report = build_range(&snapshot, Range::new(3 * SECOND, 5 * SECOND));
    let gil = report.gil.unwrap();
    assert_eq!(gil.held_ns + gil.free_ns, report.window.duration_ns);
    assert!(report.window.duration_ns.abs_diff(2 * SECOND) < SECOND / 4);
    let marks: Vec<_> = report.marks.iter().map(|mark| mark.name.as_str()).collect();
    assert_eq!(marks, ["load doubled"]);
}
