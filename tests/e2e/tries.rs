//! Remedies on running interpreters: the convoy and its cure, undone, left, outlived and refused.
//!
//! The program counts its own rounds. What is compared are stretches of one process within one run, and
//! with a wide margin, since the machine may be busy.

use crate::harness::process::wait_for;
use crate::harness::report::cell;
use crate::harness::{Program, Python, Session};
use crate::on_every_python3;
use std::cell::RefCell;
use std::time::Duration;

/// How long each stretch lasts.
const STRETCH: Duration = Duration::from_millis(1200);

/// Rounds of the I/O thread and loops of the CPU thread, a second.
fn rates(program: &mut Program) -> (f64, f64) {
    let mut look = || {
        program.say("?");
        program.answer()
    };
    let before = look();
    std::thread::sleep(STRETCH);
    let after = look();
    let seconds =
        after["at_s"].as_f64().expect("a time") - before["at_s"].as_f64().expect("a time");
    let rate = |name| (cell(&after, name) - cell(&before, name)) as f64 / seconds;
    (rate("rounds"), rate("loops"))
}

fn interval_s(program: &mut Program) -> f64 {
    program.say("?");
    program.answer()["interval_s"].as_f64().expect("3.2 and later tell it")
}

fn wait_for_interval(program: &mut Program, wanted_s: f64) {
    let program = RefCell::new(program);
    let look = || interval_s(&mut program.borrow_mut());
    wait_for("the switch interval", look, |s| (s - wanted_s).abs() < 1e-6);
}

fn cure(python: &Python) {
    let mut program = Program::start(python, "tries.py", &[]);
    let (stock, stock_cpu) = rates(&mut program);
    let session = Session::attach(&program, &["--try", "io-priority"]);
    let (tried, tried_cpu) = rates(&mut program);
    let report = session.finish();
    let (left, _) = rates(&mut program);
    program.end_well();
    let shown = format!(
        "{stock:.0} rounds/s, tried {tried:.0}, left {left:.0}; CPU {stock_cpu:.0}, {tried_cpu:.0}"
    );
    assert!(tried > 2.0 * stock, "no cure: {shown}");
    assert!(tried > 2.0 * left, "the remedy outlived its gilscope: {shown}");
    assert!(tried_cpu > stock_cpu / 4.0, "the CPU thread starves: {shown}");
    let experiment = &report.rows("experiments")[0];
    assert_eq!(experiment["remedy"], "io-priority");
    assert!(report.rows("marks").iter().any(|mark| mark["name"] == "try io-priority"));
    report.check_sums(false);
}
on_every_python3!(io_threads_go_first_and_only_while_it_is_tried, cure);

fn interval(python: &Python) {
    let mut program = Program::start(python, "tries.py", &[]);
    let own = interval_s(&mut program);
    let session = Session::attach(&program, &["--try", "switch-interval=1ms"]);
    wait_for_interval(&mut program, 0.001);
    session.finish();
    assert_eq!(interval_s(&mut program), own, "detach gives the interpreter its own interval back");
    program.end_well();
}
on_every_python3!(a_switch_interval_is_tried_and_given_back, interval);

/// The daemon is killed: its lease runs out, and the target is stock again by itself.
fn orphan(python: &Python) {
    let mut program = Program::start(python, "tries.py", &[]);
    let own = interval_s(&mut program);
    let options = ["--try", "io-priority", "--try", "switch-interval=1ms"];
    let session = Session::attach(&program, &options);
    wait_for_interval(&mut program, 0.001);
    session.kill();
    wait_for_interval(&mut program, own);
    program.end_well();
}
crate::on_pythons!(a_remedy_ends_with_a_daemon_that_is_killed, orphan, [
    python_3_6 "3.6", python_3_11 "3.11", python_3_13 "3.13",
]);
