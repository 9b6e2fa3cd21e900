//! CPU: what is told per thread adds up to what the process itself says it used.

use crate::harness::report::cell;
use crate::harness::session::run;
use crate::harness::{Program, Python, Session};
use crate::on_typical_pythons;
use std::path::Path;

/// Relative error allowed, plus two ticks of the kernel's clock (10 ms) for what falls between two samples.
fn same_cpu(seen_ns: f64, truth_ns: f64) -> bool {
    (seen_ns - truth_ns).abs() <= 0.02 * truth_ns + 20e6
}

/// CPU under the stacked bands of the exported picture's figures, in ns: cores times seconds, all columns.
fn stacked_ns(recording: &Path) -> f64 {
    let out = run(&[
        "export",
        recording.to_str().expect("UTF-8"),
        "--plot",
        "cpu",
        "-o",
        "-",
        "--format",
        "csv",
    ]);
    assert!(out.status.success(), "export failed: {out:?}");
    let mut reader = csv::Reader::from_reader(out.stdout.as_bytes());
    let rows: Vec<Vec<f64>> = reader
        .records()
        .map(|r| r.expect("CSV").iter().map(|f| f.parse().unwrap_or(0.0)).collect())
        .collect();
    let steps =
        rows.windows(2).map(|pair| (pair[1][0] - pair[0][0]) * pair[0][1..].iter().sum::<f64>());
    steps.sum::<f64>() * 1e9
}

fn short_lived(python: &Python) {
    let mut program = Program::start(python, "churn.py", &["200"]);
    program.wait_quiet();
    let session = Session::attach(&program, &[]);
    program.say("go");
    let truth = program.truth();
    let (report, stacked_ns) = session.finish_and(stacked_ns);
    program.end_well();
    let work_ns = truth["work_cpu_s"].as_f64().expect("seconds") * 1e9;
    assert!(same_cpu(stacked_ns, work_ns), "bands {stacked_ns} ns, the process {work_ns} ns");
    let last = report.rows("process").last().expect("samples of the process");
    let all_ns = truth["cpu_s"].as_f64().expect("seconds") * 1e9;
    assert!(
        same_cpu(cell(last, "cpu_ns") as f64, all_ns),
        "last sample {last}, the process {all_ns} ns"
    );
}
on_typical_pythons!(cpu_of_threads_too_short_to_be_sampled_is_in_the_stack, short_lived);

fn long_lived(python: &Python) {
    let mut program = Program::start(python, "busy3.py", &[]);
    let session = Session::attach(&program, &[]);
    program.say("cpu");
    let before = program.truth()["cpu_s"].as_f64().expect("seconds");
    std::thread::sleep(std::time::Duration::from_millis(2000));
    program.say("cpu");
    let after = program.truth()["cpu_s"].as_f64().expect("seconds");
    let report = session.finish();
    program.say("stop");
    program.truth();
    program.end_well();
    let samples = report.rows("process");
    let (first, last) = (&samples[0], samples.last().expect("samples of the process"));
    let seen_ns = (cell(last, "cpu_ns") - cell(first, "cpu_ns")) as f64;
    let share = seen_ns / ((cell(last, "at_ns") - cell(first, "at_ns")) as f64);
    let own_share = (after - before) / 2.0;
    assert!(
        (share / own_share - 1.0).abs() < 0.15,
        "{share} cores seen, {own_share} by its own count"
    );
    for i in 0..3 {
        let thread = report.thread(&format!("cpu-{i}"));
        assert_eq!(
            cell(thread, "cpu_user_ns").abs_diff(cell(thread, "cpu_ns")) < cell(thread, "cpu_ns"),
            true
        );
    }
}
on_typical_pythons!(cpu_of_busy_threads_is_the_processs_own, long_lived);
