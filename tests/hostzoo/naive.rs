//! The failing control: the zoo must be seen to bite, or its silence says nothing.
//!
//! A careless injector (naive.c) and gilscope go at the same host, the same number of times.

use crate::compiled::compiled;
use crate::harness::process::Process;
use crate::harness::{Program, Python, scratch, sized};
use crate::{command, cycle, results};
use serde_json::json;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Hosts that each of the two gets at least.
const LEAST: usize = 8;
/// The careless one hangs about one host in five of these; this many give it chances enough.
const MOST: usize = 40;
/// A host that has not ended by then hangs; unharmed ones take a tenth of a second.
const PATIENCE: Duration = Duration::from_secs(4);

fn host(python: &Python, library: &Path) -> Program {
    let mut command = command(python, "native_malloc.py");
    Program::from_command(command.arg(library))
}

/// Whether the host ends as it would have; it is killed if it does not.
fn unharmed(mut program: Program) -> bool {
    program.say("go");
    let until = std::time::Instant::now() + PATIENCE;
    let truth = loop {
        match program.truth_if_said() {
            None if std::time::Instant::now() < until && program.lives() => {
                std::thread::sleep(Duration::from_millis(5));
            }
            truth => break truth,
        }
    };
    truth == Some(json!({ "wrong": 0 })) && program.end().status.success()
}

/// Lets the careless one loose on a thread of the host; it says itself how that went.
fn naive(program: &Program, injector: &Path, n: usize) {
    let folder = scratch();
    let library = folder.path().join("empty.so");
    let source = folder.path().join("empty.c");
    std::fs::write(&source, "int nothing;\n").expect("scratch");
    let done = Command::new("cc").args(["-shared", "-o"]).arg(&library).arg(&source).status();
    assert!(done.expect("a C compiler").success());
    let threads = program.thread_ids();
    let thread = threads[n % threads.len()].to_string();
    let mut command = Command::new(injector);
    command.args([&program.pid().to_string(), &thread]).arg(&library);
    let ended = Process::start(&mut command).finish();
    assert_ne!(ended.status.code(), Some(2), "the naive injector could not try: {ended:?}");
}

fn bites(python: &Python) {
    let (library, injector) = (compiled("churn", &["-shared", "-fPIC"]), compiled("naive", &[]));
    let (mut tried, mut harmed) = (0, 0);
    while tried < LEAST || (harmed == 0 && tried < MOST) {
        let program = host(python, &library);
        naive(&program, &injector, tried);
        harmed += usize::from(!unharmed(program));
        tried += 1;
    }
    println!("the naive injector harmed {harmed} of {tried} hosts");
    assert!(harmed > 0, "the host is too tame to prove anything: none of {tried} was harmed");
    let tries = tried.max(sized(LEAST, 200));
    for n in 0..tries {
        let program = host(python, &library);
        cycle(&program).unwrap_or_else(|said| panic!("host {n}: {said}"));
        assert!(unharmed(program), "gilscope harmed host {n}");
    }
    let subject = format!(
        "native malloc storm {:?} (a naive injector harmed {harmed} of {tried})",
        python.version
    );
    results::note("attached and detached where a naive injector kills", &subject, tries, 0);
    for file in [library, injector] {
        std::fs::remove_file(file).expect("ours");
    }
}

#[test]
fn a_host_that_a_naive_injector_kills_is_unharmed_by_gilscope() {
    crate::interpreters::run_on("3.12", bites);
}
