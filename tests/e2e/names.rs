//! Thread names: Python's own where they can be read, whatever they contain, and of the right thread.

use crate::harness::{Program, Python, Session};
use crate::on_every_python;
use serde_json::Value;
use std::collections::BTreeMap;
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

/// Thread ids of pthreads go round: a name must not stick to all that ever had the id.
fn short_lived(python: &Python) {
    let mut program = Program::start(python, "short_lived.py", &[]);
    let session = Session::attach(&program, &[]);
    program.say("go");
    std::thread::sleep(Duration::from_millis(2500)); // names are read every 2 s
    program.say("stop");
    let truth = program.answer();
    let report = session.finish();
    program.end_well();
    let mut named = BTreeMap::<&str, usize>::new();
    for name in report.rows("threads").iter().filter_map(|thread| thread["name"].as_str()) {
        *named.entry(name).or_default() += usize::from(name.starts_with("short-"));
    }
    assert!(truth["threads"].as_u64() > Some(20), "{truth}");
    assert!(named.values().all(|n| *n <= 1), "one thread's name on several: {named:?}");
    assert_eq!(report.rows("threads").iter().filter(|t| t["name"] == "maker").count(), 1);
}
on_every_python!(a_name_is_that_of_one_thread, short_lived);
