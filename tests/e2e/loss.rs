//! Loss: a ring that is too small loses events, and every one of them is counted.

use crate::harness::recording::events_by_thread;
use crate::harness::report::cell;
use crate::harness::{Program, Python, Session, sized};
use crate::on_typical_pythons;

/// Room for 16 events of 64 bytes.
const TINY: &[(&str, &str)] = &[("GILSCOPE_RING_BYTES", "1KiB")];

/// Room for 65,536 events, for fewer threads than by default.
const LARGE: &[(&str, &str)] = &[("GILSCOPE_RING_BYTES", "4MiB"), ("GILSCOPE_THREADS_MAX", "32")];

fn tiny_ring(python: &Python) {
    let mut program = Program::start(python, "cycles.py", &["2", "20000"]);
    program.wait_quiet();
    let session = Session::attach_with(&program, &["--trace"], TINY);
    program.say("go");
    let truth = program.truth();
    let (report, delivered) = session.finish_and(crate::harness::recording::n_events);
    program.end_well();
    assert_eq!(
        report.n("gil.acquires"),
        cell(&truth, "acquires"),
        "counters never depend on the ring"
    );
    let lost = report.n("loss.events_lost");
    assert!(lost > 0, "a ring of 1 KiB is too small for this");
    let by_cause = report.at("loss.by_cause").as_object().expect("causes");
    assert_eq!(by_cause.values().filter_map(serde_json::Value::as_u64).sum::<u64>(), lost);
    // With --trace each release makes one event, and so does each contended acquire.
    let produced = report.n("gil.acquires") + report.n("gil.acquires_contended");
    assert_eq!(delivered + lost, produced, "{delivered} delivered, {lost} lost");
    report.check_sums(true);
}
on_typical_pythons!(delivered_and_lost_events_are_all_that_were_produced, tiny_ring);

fn large_ring(python: &Python) {
    let mut program = Program::start(python, "cycles.py", &["2", "2000"]);
    program.wait_quiet();
    let session = Session::attach_with(&program, &["--trace"], LARGE);
    program.say("go");
    program.truth();
    let (report, delivered) = session.finish_and(crate::harness::recording::n_events);
    program.end_well();
    assert_eq!(report.n("loss.events_lost"), 0);
    assert_eq!(delivered, report.n("gil.acquires") + report.n("gil.acquires_contended"));
}
on_typical_pythons!(a_ring_that_is_large_enough_loses_nothing, large_ring);

/// Four threads at full rate, rings of 16 events, and gilscope stopped for all of the second round: it
/// reads nothing while the rings are overrun a thousand times.
fn stopped_daemon(python: &Python) {
    let cycles = sized(20_000, 1_000_000).to_string();
    let mut program = Program::start(python, "cycles.py", &["4", &cycles]);
    program.wait_quiet();
    let session = Session::attach_with(&program, &["--trace"], TINY);
    program.say("go");
    program.truth();
    session.signal(libc::SIGSTOP);
    program.say("go");
    let truth = program.truth();
    session.signal(libc::SIGCONT);
    let (report, delivered) = session.finish_and(events_by_thread);
    program.end_well();
    assert_eq!(report.n("gil.acquires"), cell(&truth, "acquires"));
    let produced = |row| cell(row, "gil.acquires") + cell(row, "gil.acquires_contended");
    let mut lost = 0;
    for row in report.rows("threads").iter().filter(|row| row["gil"].is_object()) {
        let delivered = delivered.get(&cell(row, "thread_id")).copied().unwrap_or(0);
        let missing = produced(row).checked_sub(delivered);
        lost += missing.unwrap_or_else(|| panic!("{delivered} events of {row}"));
    }
    assert_eq!(lost, report.n("loss.events_lost"), "{}", report.at("loss"));
    assert_eq!(lost, report.n("loss.by_cause.ring_full"), "{}", report.at("loss"));
    let workers = report.rows("threads").iter().filter(|row| row["is_main"] == false);
    let at_work: Vec<u64> =
        workers.map(|row| cell(row, "gil.acquires")).filter(|n| *n > 2).collect();
    assert_eq!(at_work, [cell(&truth, "worker_acquires"); 4]);
}
on_typical_pythons!(nothing_is_miscounted_while_gilscope_stands_still, stopped_daemon);
