//! Blame: whoever holds the GIL in a known function, at a known line, is found by those who wait.

use crate::harness::report::cell;
use crate::harness::{Program, Python, Report, Session};
use crate::on_every_python;
use serde_json::Value;
use std::time::Duration;

fn watch(python: &Python, kind: &str) -> (Value, Report) {
    let mut program = Program::start(python, "blame.py", &[kind]);
    program.wait_quiet();
    let session = Session::attach(&program, &[]);
    program.say("go");
    std::thread::sleep(Duration::from_millis(1500));
    program.say("stop");
    let truth = program.truth();
    let report = session.finish();
    program.end_well();
    (truth, report)
}

/// Nine tenths of what was inflicted go to the known thread, function, file and line; that row.
fn blamed<'a>(report: &'a Report, truth: &Value) -> &'a Value {
    let inflicted_ns = report.sum("blame", "wait_inflicted_ns");
    assert!(inflicted_ns > 100_000_000, "the waiters waited: {inflicted_ns} ns");
    let holder = &report.thread("holder")["thread_id"];
    let top =
        report.rows("blame").iter().max_by_key(|row| cell(row, "wait_inflicted_ns")).expect("rows");
    for key in ["function", "file", "line"] {
        assert_eq!(top[key], truth[key], "{top} should tell {truth}");
    }
    assert_eq!(&top["thread_id"], holder, "{top}");
    // A waiter of 2.7 looks once at most, one of 3.6 may find that nobody says who holds.
    let looked_at = report.rows("blame").iter().filter(|row| !row["function"].is_null());
    let looked_ns: u64 = looked_at.map(|row| cell(row, "wait_inflicted_ns")).sum();
    let version = report.at("target.python_version").as_str().unwrap_or_default();
    let (least_looked, least_right) = match version.starts_with("2.") || version.starts_with("3.6.")
    {
        true => (0.3, 0.75),
        false => (0.9, 0.9),
    };
    let looked = looked_ns as f64 / inflicted_ns as f64;
    assert!(looked >= least_looked, "{looked} rests on a look: {:?}", report.rows("blame"));
    let share = cell(top, "wait_inflicted_ns") as f64 / looked_ns as f64;
    assert!(share >= least_right, "{share} of it is right: {:?}", report.rows("blame"));
    top
}

fn bytecode(python: &Python) {
    let (truth, report) = watch(python, "python");
    blamed(&report, &truth);
}
on_every_python!(a_python_loop_is_blamed, bytecode);

fn operator(python: &Python) {
    let (truth, report) = watch(python, "operator");
    blamed(&report, &truth);
}
on_every_python!(a_long_operator_is_blamed, operator);

fn call(python: &Python) {
    let (truth, report) = watch(python, "call");
    blamed(&report, &truth);
}
on_every_python!(a_long_c_call_is_blamed, call);

/// The row that is blamed names libc, or what stands between it and Python.
fn blamed_with_libc(python: &Python, kind: &str) {
    let (truth, report) = watch(python, kind);
    let row = blamed(&report, &truth);
    let module =
        row["native_module"].as_str().unwrap_or_else(|| panic!("no native module in {row}"));
    let known = ["_ctypes", "libffi", "libc"];
    assert!(known.iter().any(|name| module.contains(name)), "{module}");
}

fn busy_native(python: &Python) {
    blamed_with_libc(python, "native");
}
on_every_python!(c_code_that_works_with_the_gil_is_blamed_with_its_module, busy_native);

fn blocked_native(python: &Python) {
    blamed_with_libc(python, "blocked");
}
on_every_python!(c_code_that_sleeps_with_the_gil_is_blamed_with_its_module, blocked_native);
