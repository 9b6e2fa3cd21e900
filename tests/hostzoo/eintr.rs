//! Blocking system calls, made so that no Python hides an EINTR: each ends as it would have by itself.
//!
//! The host has one thread, which is always in the call when gilscope wants to borrow it.

use crate::harness::{Program, Python, sized};
use crate::{command, cycle, end, results};
use serde_json::json;

/// The calls of hosts/blocking.py, and whether the wait there may end by a time-out.
const CALLS: [(&str, bool); 13] = [
    ("epoll", true),
    ("poll", true),
    ("select", true),
    ("nanosleep", true),
    ("recv", true),
    ("read", true),
    ("accept", true),
    ("sem", true),
    ("sigtimedwait", true),
    ("semtimedop", true),
    ("io_getevents", true),
    ("flock", false),
    ("msgrcv", false),
];

fn sees_nothing(python: &Python) {
    for (call, times_out) in CALLS {
        let (mut cycles, mut runs) = (0, 0);
        while runs == 0 || cycles < sized(0, 1000) {
            cycles += disturbed(python, call, times_out);
            runs += 1;
        }
        let subject = format!("{call} {:?}", python.path);
        results::note("attached and detached in a blocking call", &subject, cycles, 0);
    }
}

/// Runs the host once, attaching and detaching until it is done; gives how often.
fn disturbed(python: &Python, call: &str, times_out: bool) -> usize {
    let mut command = command(python, "blocking.py");
    let mut program = Program::from_command(command.arg(call));
    program.wait_quiet();
    program.say("go");
    let mut cycles = 0;
    let truth = loop {
        cycle(&program).unwrap_or_else(|said| panic!("cycle {cycles} in {call}: {said}"));
        cycles += 1;
        if let Some(truth) = program.truth_if_said() {
            break truth;
        }
    };
    assert_eq!(truth["odd"], json!([]), "{call} ended as it would not have by itself");
    assert_eq!((&truth["timed_out"], &truth["status"]), (&json!(times_out), &json!(0)), "{call}");
    let seen = end(program, truth);
    assert_eq!((seen.exit, seen.stderr.as_str()), (Some(0), ""), "{call}");
    cycles
}

crate::on_pythons!(blocking_calls_end_as_ever, sees_nothing, [
    python_2_7 "2.7", python_3_6 "3.6", python_3_12 "3.12",
]);
