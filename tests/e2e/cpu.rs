//! CPU: what is told per thread adds up to what the process itself says it used.

use crate::harness::report::cell;
use crate::harness::session::run;
use crate::harness::{Program, Python, Session, scratch};
use crate::on_typical_pythons;
use std::path::Path;
use std::time::Duration;

/// Relative error allowed, plus two ticks of the kernel's clock (10 ms) for what falls between two samples.
fn same_cpu(seen_ns: f64, truth_ns: f64) -> bool {
    (seen_ns - truth_ns).abs() <= 0.02 * truth_ns + 20e6
}

/// CPU under the stacked bands of the exported figures, in ns: cores times seconds. The first column
/// is the time, the last the process as a whole, which the bands between must add up to.
fn stacked_ns(recording: &Path) -> f64 {
    let folder = scratch();
    let file = folder.path().join("cpu.csv");
    let (recording, out) = (recording.to_str().expect("UTF-8"), file.to_str().expect("UTF-8"));
    let ended = run(&["export", recording, "--plot", "cpu", "-o", out]);
    assert!(ended.status.success(), "export failed: {ended:?}");
    let number = |field: &str| field.parse().unwrap_or_else(|_| panic!("{field:?} is no number"));
    let row = |r: Result<csv::StringRecord, csv::Error>| -> Vec<f64> {
        r.expect("CSV").iter().map(number).collect()
    };
    let rows: Vec<_> =
        csv::Reader::from_path(&file).expect("exported").into_records().map(row).collect();
    let bands = |row: &[f64]| row[1..row.len() - 1].iter().sum::<f64>();
    for row in &rows {
        let process = row[row.len() - 1];
        assert!((bands(row) - process).abs() <= 0.02 * process + 1e-6, "bands of {row:?}");
    }
    let steps = rows.windows(2).map(|pair| (pair[1][0] - pair[0][0]) * bands(&pair[0]));
    steps.sum::<f64>() * 1e9
}

fn short_lived(python: &Python) {
    let mut program = Program::start(python, "churn.py", &["200"]);
    program.wait_quiet();
    let session = Session::attach(&program, &[]);
    program.say("go");
    let truth = program.truth();
    // Some samples of the quiet program, so that the last step with work in it has an end.
    std::thread::sleep(Duration::from_millis(500));
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
    let before = program.answer()["cpu_s"].as_f64().expect("seconds");
    std::thread::sleep(Duration::from_millis(2000));
    program.say("cpu");
    let after = program.answer()["cpu_s"].as_f64().expect("seconds");
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
        assert!(cell(thread, "cpu_ns") > 0 && cell(thread, "switches_forced") > 0, "{thread}");
    }
}
on_typical_pythons!(cpu_of_busy_threads_is_the_processs_own, long_lived);
