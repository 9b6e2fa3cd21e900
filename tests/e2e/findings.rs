//! What stands out in programs with one known fault each, and that nothing does in healthy ones.
//!
//! Read as a person reads it: the section of the Markdown report that `gilscope report` writes.

use crate::harness::session::run;
use crate::harness::{Program, Python, Session, scratch};
use crate::on_pythons;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

/// How long a program is watched; rules want a second, and shares need some more.
const WATCHED: Duration = Duration::from_secs(2);

/// The sentences of the report's first section.
fn sentences(recording: &Path) -> Vec<String> {
    let folder = scratch();
    let report = folder.path().join("r.md");
    let path = |path: &Path| path.to_str().expect("the paths of tests are text").to_owned();
    let ended = run(&["report", &path(recording), "-o", &path(&report)]);
    assert!(ended.status.success(), "report failed: {ended:?}");
    let text = std::fs::read_to_string(&report).expect("r.md").replace('\\', "");
    let Some((_, section)) = text.split_once("## What stands out\n") else { return Vec::new() };
    let lines = section.lines().take_while(|line| !line.starts_with("## "));
    lines.filter_map(|line| line.strip_prefix("- ")).map(String::from).collect()
}

/// Watches a program that works between "go" and "stop"; gives its truth and what stood out.
fn watch(
    python: &Python,
    file: &str,
    args: &[&str],
    options: &[(&str, &str)],
) -> (Value, Vec<String>) {
    let mut program = Program::start(python, file, args);
    program.wait_quiet();
    let session = Session::attach_with(&program, &[], options);
    program.say("go");
    std::thread::sleep(WATCHED);
    // What the end of the program does is not what is asked here.
    let (_, found) = session.finish_and(sentences);
    program.say("stop");
    let truth = program.answer();
    program.end_well();
    (truth, found)
}

/// The one sentence that has all of `parts`.
fn sentence<'a>(found: &'a [String], parts: &[&str]) -> &'a str {
    let fits: Vec<_> =
        found.iter().filter(|text| parts.iter().all(|part| text.contains(part))).collect();
    assert_eq!(fits.len(), 1, "one sentence with {parts:?} in {found:#?}");
    fits[0]
}

fn convoy(python: &Python) {
    let (_, found) = watch(python, "convoy.py", &[], &[]);
    if crowded_out(&found, "of that on cpu-0") {
        return;
    }
    let text = sentence(&found, &["waited for the GIL", "of that on cpu-0"]);
    assert!(text.contains("**io-"), "{text}");
    assert!(text.contains("spin.py:"), "the holder's line: {text}");
}
on_pythons!(a_convoy_is_found_with_its_holder, convoy, [
    python_3_8 "3.8", debian_3_11 "debian 3.11", python_3_13 "3.13",
]);

fn keeps_gil(python: &Python) {
    let (truth, found) = watch(python, "blame.py", &["call"], &[]);
    let function = truth["function"].as_str().expect("a name");
    let line = format!("blame.py:{}", truth["line"]);
    sentence(&found, &["**holder kept the GIL", function, &line]);
    let convoys = found.iter().filter(|text| text.contains("of that on holder"));
    assert_eq!(convoys.count(), 0, "said once: {found:#?}");
}
on_pythons!(a_call_that_keeps_the_gil_is_found_with_its_line, keeps_gil, [
    python_3_6 "3.6", debian_3_11 "debian 3.11", python_3_13 "3.13",
]);

/// As in a server with a thread for each request: no thread does it twice.
fn keeps_gil_by_request(python: &Python) {
    let (truth, found) = watch(python, "blame.py", &["call", "requests"], &[]);
    let line = format!("blame.py:{}", truth["line"]);
    sentence(&found, &["threads, one after the other, kept the GIL", &line]);
}
on_pythons!(a_call_that_keeps_the_gil_in_a_new_thread_each_time_is_found, keeps_gil_by_request, [
    python_3_6 "3.6", python_3_9 "3.9", python_3_12 "3.12",
]);

fn native(python: &Python) {
    let (truth, found) = watch(python, "blame.py", &["blocked"], &[]);
    let function = truth["function"].as_str().expect("a name");
    let text = sentence(&found, &["**holder kept the GIL", function]);
    assert!(text.contains("in C code of "), "the shared object is named: {text}");
}
on_pythons!(a_foreign_call_that_keeps_the_gil_is_found_with_its_module, native, [
    python_3_12 "3.12",
]);

fn saturated(python: &Python) {
    let mut program = Program::start(python, "busy3.py", &[]);
    let session = Session::attach(&program, &[]);
    std::thread::sleep(WATCHED);
    let (_, found) = session.finish_and(sentences);
    program.say("stop");
    program.truth();
    program.end_well();
    sentence(
        &found,
        &["**The GIL was held", "threads waited for it on average", "and 2 more CPU threads"],
    );
}
on_pythons!(three_cpu_threads_on_one_gil_are_found, saturated, [
    debian_3_11 "debian 3.11", python_3_13 "3.13",
]);

fn switch_interval(python: &Python) {
    let (_, short) = watch(python, "switchinterval.py", &["0.1"], &[]);
    if !crowded_out(&short, "taken away by force") {
        sentence(&short, &["taken away by force", "setswitchinterval"]);
    }
    let (_, usual) = watch(python, "switchinterval.py", &["5"], &[]);
    assert!(!usual.iter().any(|text| text.contains("by force")), "{usual:#?}");
}
on_pythons!(too_short_a_switch_interval_is_found, switch_interval, [
    python_3_8 "3.8", python_3_13 "3.13",
]);

fn poller(python: &Python) {
    let (truth, found) = watch(python, "poller.py", &[], &[]);
    assert!(truth["polls"].as_u64().expect("a count") > 0);
    sentence(&found, &["**poller gave the GIL away and took it back"]);
}
on_pythons!(a_busy_poller_is_found, poller, [
    python_2_7 "2.7", debian_3_11 "debian 3.11", python_3_13 "3.13",
]);

fn cores(python: &Python) {
    let (_, found) = watch(python, "crowd.py", &["4"], &[]);
    sentence(&found, &["could run but waited for a core", "deflate-"]);
}
on_pythons!(threads_without_cores_are_found, cores, [
    debian_3_11 "debian 3.11", python_3_13 "3.13",
]);

fn lost(python: &Python) {
    let mut program = Program::start(python, "cycles.py", &["2", "50000"]);
    program.wait_quiet();
    let session = Session::attach_with(&program, &["--trace"], &[("GILSCOPE_RING_BYTES", "1KiB")]);
    program.say("go");
    program.truth();
    std::thread::sleep(WATCHED);
    let (report, found) = session.finish_and(sentences);
    program.end_well();
    // Groups of three digits are set apart by a space that does not break.
    let sentence = sentence(&found, &["single events were lost in this session"]);
    let digits: String = sentence
        .split("single")
        .next()
        .expect("text")
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    assert_eq!(digits.parse(), Ok(report.n("loss.events_lost")), "{sentence}");
}
on_pythons!(lost_events_are_found_with_their_number, lost, [debian_3_11 "debian 3.11"]);

/// The kernel's word that more wanted to run on this machine than it has cores: then threads of a
/// healthy program, too, wait for one, and a sentence that says so is right.
fn machine_is_crowded() -> bool {
    let load = std::fs::read_to_string("/proc/loadavg").expect("/proc/loadavg");
    let load: f64 = load.split(' ').next().and_then(|one| one.parse().ok()).expect("a load");
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    load > cores as f64
}

/// Whether others took the cores from the program to a degree that its fault, `expected`, hardly shows:
/// then that is what stands out, and must be said.
fn crowded_out(found: &[String], expected: &str) -> bool {
    if !machine_is_crowded() || found.iter().any(|text| text.contains(expected)) {
        return false;
    }
    assert!(found.iter().any(|text| text.contains("waited for a core")), "{found:#?}");
    true
}

fn healthy(python: &Python) {
    for kind in ["idle", "pool", "single"] {
        let mut program = Program::start(python, "healthy.py", &[kind]);
        let session = Session::attach(&program, &[]);
        std::thread::sleep(WATCHED);
        let (_, mut found) = session.finish_and(sentences);
        program.say("stop");
        program.truth();
        program.end_well();
        if machine_is_crowded() {
            found.retain(|text| !text.contains("waited for a core"));
        }
        assert!(found.is_empty(), "{kind}: {found:#?}");
    }
}
on_pythons!(healthy_programs_are_left_in_peace, healthy, [
    python_2_7 "2.7", debian_3_11 "debian 3.11", python_3_13 "3.13",
]);
