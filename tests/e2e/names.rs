//! Thread names: Python's own where they can be read, whatever they contain.

use crate::harness::{Program, Python, Session};
use crate::on_every_python;
use serde_json::Value;
use std::time::Duration;

fn names(python: &Python) {
    let mut program = Program::start(python, "names.py", &[]);
    let session = Session::attach(&program, &[]);
    std::thread::sleep(Duration::from_millis(700));
    let report = session.finish();
    let told = program.facts["names"].as_array().expect("names").clone();
    program.say("stop");
    program.truth();
    program.end_well();
    let seen: Vec<&Value> = report.rows("threads").iter().map(|t| &t["name"]).collect();
    for name in &told {
        assert!(seen.contains(&name), "{name} is not among {seen:?}");
    }
}
on_every_python!(every_thread_has_the_name_that_python_gave_it, names);
