//! Counts to the unit: the program's own count of its GIL acquires against the report's.

use crate::harness::interpreters::skip;
use crate::harness::report::cell;
use crate::harness::{Program, Python, Session, scratch};
use crate::{on_every_python, on_pythons};
use serde_json::Value;

/// Lets a quiet program do one round under gilscope; its truth and the report.
fn one_round(mut program: Program, options: &[&str]) -> (Value, crate::harness::Report) {
    program.wait_quiet();
    let session = Session::attach(&program, options);
    program.say("go");
    let truth = program.truth();
    let report = session.finish();
    program.end_well();
    (truth, report)
}

fn one_thread(python: &Python) {
    let (truth, report) = one_round(Program::start(python, "cycles.py", &["1", "20000"]), &[]);
    assert_eq!(report.n("gil.acquires"), cell(&truth, "acquires"));
    report.check_sums(true);
}
on_every_python!(acquires_of_one_thread_equal_its_own_count, one_thread);

fn contending_threads(python: &Python) {
    let (truth, report) = one_round(Program::start(python, "cycles.py", &["4", "5000"]), &[]);
    assert_eq!(report.n("gil.acquires"), cell(&truth, "acquires"));
    let main: Vec<_> = report.rows("threads").iter().filter(|t| t["is_main"] == true).collect();
    assert_eq!(main.len(), 1, "one main thread");
    assert_eq!(cell(main[0], "gil.acquires"), cell(&truth, "main_acquires"));
    let workers =
        report.rows("threads").iter().filter(|t| t["is_main"] == false && !t["gil"].is_null());
    let acquires: Vec<_> = workers.map(|t| cell(t, "gil.acquires")).filter(|n| *n > 0).collect();
    assert_eq!(acquires, vec![cell(&truth, "worker_acquires"); 4]);
    report.check_sums(true);
    if python.has_switch_interval() {
        assert_eq!(report.n("gil.releases_forced"), 0, "nobody ever set a drop request");
    }
}
on_every_python!(acquires_of_contending_threads_equal_their_own_counts, contending_threads);

fn light(python: &Python) {
    let (truth, report) =
        one_round(Program::start(python, "cycles.py", &["2", "10000"]), &["--light"]);
    assert_eq!(report.n("gil.acquires"), cell(&truth, "acquires"));
}
on_every_python!(light_mode_counts_every_cycle, light);

fn traced(python: &Python) {
    let (truth, report) =
        one_round(Program::start(python, "cycles.py", &["2", "10000"]), &["--trace"]);
    assert_eq!(report.n("gil.acquires"), cell(&truth, "acquires"));
    report.check_sums(true);
}
on_every_python!(trace_mode_counts_every_cycle, traced);

fn three_sessions(python: &Python) {
    let mut program = Program::start(python, "cycles.py", &["1", "1000"]);
    let mut before = 0;
    for _ in 0..3 {
        program.wait_quiet();
        let session = Session::attach(&program, &[]);
        program.say("go");
        let total = cell(&program.truth(), "acquires");
        let report = session.finish();
        assert_eq!(report.n("gil.acquires"), total - before, "each session counts its own window");
        before = total;
    }
    program.end_well();
}
on_every_python!(a_later_session_starts_from_zero, three_sessions);

fn foreign_threads(python: &Python) {
    let folder = scratch();
    let embedding = match python.embedding("programs/embed.c", folder.path()) {
        Ok(embedding) => embedding,
        Err(reason) => return skip(&reason),
    };
    let program = Program::from_command(&mut std::process::Command::new(embedding));
    let (truth, report) = one_round(program, &[]);
    assert_eq!(report.n("gil.acquires"), cell(&truth, "acquires"));
    let foreign = report.rows("threads").iter().filter(|t| t["kind"] == "foreign");
    let acquires: Vec<_> = foreign.map(|t| cell(t, "gil.acquires")).collect();
    let share = cell(&truth, "acquires") / cell(&truth, "threads");
    assert_eq!(
        acquires,
        vec![share; 3],
        "each foreign thread's own count, although none lived long"
    );
    report.check_sums(true);
}
on_pythons!(
    acquires_of_foreign_threads_in_an_embedding_program_equal_its_own_count,
    foreign_threads,
    [python_3_8 "3.8", python_3_11 "3.11", python_3_13 "3.13"]
);

fn gil_comes_later(python: &Python) {
    let mut program = Program::start(python, "late_gil.py", &[]);
    program.wait_quiet();
    let session = Session::attach(&program, &[]);
    program.say("go");
    std::thread::sleep(std::time::Duration::from_millis(1500));
    program.say("stop");
    program.truth();
    let report = session.finish();
    program.end_well();
    report.check_sums(false);
    let utilization = report.ratio("gil.utilization");
    // On 2.7 two busy threads wake each other every 100 bytecodes: much of the time nobody has it.
    let at_least = if python.has_switch_interval() { 0.8 } else { 0.3 };
    assert!(utilization > at_least, "two busy threads were seen: {utilization}");
}
on_every_python!(a_gil_that_comes_with_the_first_thread_is_found, gil_comes_later);
