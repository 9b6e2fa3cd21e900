//! Shares of time: utilization, forced releases against the switch interval, kinds of threads.
//!
//! Bands are broad on purpose: the machine is shared, and what is tested is the arithmetic.

use crate::harness::report::cell;
use crate::harness::{Program, Python, Report, Session};
use crate::{on_every_python, on_every_python3};
use serde_json::Value;
use std::time::Duration;

/// How long a load is watched; shares need some time to mean something.
const WATCHED: Duration = Duration::from_millis(1500);

/// Watches a program that is at work already.
fn watch_busy(mut program: Program) -> Report {
    let session = Session::attach(&program, &[]);
    std::thread::sleep(WATCHED);
    let report = session.finish();
    program.say("stop");
    program.truth();
    program.end_well();
    report
}

/// Watches a program from quiet to quiet.
fn watch_whole(python: &Python, file: &str, args: &[&str]) -> (Value, Report) {
    let mut program = Program::start(python, file, args);
    program.wait_quiet();
    let session = Session::attach(&program, &[]);
    program.say("go");
    std::thread::sleep(WATCHED);
    program.say("stop");
    let truth = program.truth();
    let report = session.finish();
    program.end_well();
    (truth, report)
}

fn busy(python: &Python) {
    let report = watch_busy(Program::start(python, "busy3.py", &[]));
    let utilization = report.ratio("gil.utilization");
    // A thread of 2.7 that has posted may lose its core before it waits: where others use the machine,
    // it neither holds nor waits for a while (on an idle one 0.98 and 1.9 were seen).
    let (least_held, least) = if python.has_switch_interval() { (0.95, 1.5) } else { (0.85, 0.8) };
    assert!((least_held..=1.0).contains(&utilization), "utilization {utilization}");
    report.check_sums(false);
    let waiters = report.ratio("gil.waiters_mean");
    assert!((least..=2.0).contains(&waiters), "of three busy threads two wait: {waiters}");
    for i in 0..3 {
        assert_eq!(report.thread(&format!("cpu-{i}"))["class"], "cpu");
    }
}
on_every_python!(three_busy_threads_use_the_gil_all_the_time, busy);

fn asleep(python: &Python) {
    let report = watch_busy(Program::start(python, "sleeper.py", &[]));
    let utilization = report.ratio("gil.utilization");
    assert!((0.0..=0.02).contains(&utilization), "utilization {utilization}");
    report.check_sums(false);
    assert!(report.n("gil.acquires") > 0, "it woke up now and then");
}
on_every_python!(a_sleeping_program_leaves_the_gil_free, asleep);

fn convoy(python: &Python) {
    let (truth, report) = watch_whole(python, "convoy.py", &[]);
    report.check_sums(true);
    assert_eq!(report.thread("cpu-0")["class"], "cpu");
    for (i, rounds) in truth["rounds"].as_array().expect("rounds").iter().enumerate() {
        let io = report.thread(&format!("io-{i}"));
        assert_eq!(io["class"], "io", "{io}");
        let cycles = 2 * rounds.as_u64().expect("rounds are counts");
        assert!(
            cell(io, "gil.acquires") >= cycles,
            "{} acquires in {rounds} rounds",
            cell(io, "gil.acquires")
        );
    }
}
on_every_python!(io_threads_and_cpu_threads_are_told_apart, convoy);

fn forced_releases(python: &Python) {
    for interval_ms in [2, 10] {
        let (truth, report) = watch_whole(python, "switchinterval.py", &[&interval_ms.to_string()]);
        report.check_sums(true);
        let forced = report.n("gil.releases_forced") as f64;
        let switches = cell(&truth, "switches") as f64;
        // Each change of hands that the threads saw was forced; the machine may add forced releases
        // after which the same thread went on.
        assert!(
            forced >= 0.95 * switches - 3.0,
            "{forced} forced releases, {switches} switches seen"
        );
        assert!(
            forced <= 1.5 * switches + 10.0,
            "{forced} forced releases, {switches} switches seen"
        );
        let busy_ms = 1000.0 * truth["busy_s"].as_f64().expect("seconds");
        let at_most = busy_ms / f64::from(interval_ms);
        assert!(forced <= 1.1 * at_most + 10.0, "{forced} forced, the interval allows {at_most}");
        assert!(forced >= 0.2 * at_most, "{forced} forced, the interval allows {at_most}");
        assert!(report.n("gil.drop_requests") >= report.n("gil.releases_forced"));
    }
}
on_every_python3!(forced_releases_follow_the_switch_interval, forced_releases);
