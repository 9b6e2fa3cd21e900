//! Thread states of threads that Python does not know: the extension's own counts and times against the
//! report's.

use crate::harness::interpreters::skip;
use crate::harness::report::cell;
use crate::harness::{Program, Python, Report, Session, scratch};
use crate::{on_every_python, on_pythons};
use serde_json::Value;
use tempfile::TempDir;

/// The extension's answers to these lines, and the report. The program ends well.
fn watched(python: &Python, late: bool, lines: &[&str]) -> Option<(Vec<Value>, Report)> {
    watched_by(python, late, &[], lines)
}

/// The probe is on where it is asked for.
const ON: [&str; 2] = ["--probes", "gil,cpu,tstate"];

/// The program, quiet, and the folder that its extension is in; with `late` it has not imported it yet.
fn foreign(python: &Python, late: bool) -> Option<(TempDir, Program)> {
    let folder = scratch();
    if let Err(reason) = python.extension("programs/foreign.c", folder.path(), "foreign.so") {
        skip(&reason);
        return None;
    }
    let path = folder.path().to_str().expect("a plain path");
    let args = if late { vec![path, "late"] } else { vec![path] };
    let program = Program::start(python, "foreign.py", &args);
    program.wait_quiet();
    Some((folder, program))
}

fn watched_by(
    python: &Python,
    late: bool,
    options: &[&str],
    lines: &[&str],
) -> Option<(Vec<Value>, Report)> {
    let (_folder, mut program) = foreign(python, late)?;
    let session = Session::attach(&program, &[&ON[..], options].concat());
    let say = |line: &&str| {
        program.say(line);
        program.truth()
    };
    let truths = lines.iter().map(say).collect();
    let report = session.finish();
    program.end_well();
    Some((truths, report))
}

/// The extension's row.
fn row(report: &Report) -> &Value {
    let rows = report.rows("thread_states.by_caller");
    let found: Vec<_> = rows.iter().filter(|row| row["module"] == "foreign.so").collect();
    assert_eq!(found.len(), 1, "one row of the extension: {rows:?}");
    found[0]
}

/// Counts of the report are those of the extension, and parts add up.
fn agree(truths: &[Value], report: &Report) {
    let own = row(report);
    for kind in ["fresh", "kept", "nested", "made", "threads"] {
        let truth: u64 = truths.iter().map(|truth| cell(truth, kind)).sum();
        assert_eq!(cell(own, kind), truth, "{kind}: {own} of {truths:?}");
    }
    assert_eq!(cell(own, "calls"), cell(own, "fresh") + cell(own, "kept") + cell(own, "nested"));
    assert_eq!(cell(own, "cost.cycles"), cell(own, "fresh") + cell(own, "made"), "all are over");
    let parts =
        ["create_ns", "chunk_ns", "delete_ns"].map(|part| cell(own, &format!("cost.{part}")));
    assert_eq!(parts.iter().sum::<u64>(), cell(own, "cost.total_ns"));
    let states = "thread_states.";
    let sum = |name: &str| report.sum("thread_states.by_caller", name);
    assert_eq!(report.n(&format!("{states}ensure_calls")), sum("calls"));
    assert_eq!(report.n(&format!("{states}created")), sum("fresh") + sum("made"));
    assert_eq!(report.n(&format!("{states}deleted")), report.n(&format!("{states}created")));
    assert_eq!(report.at(&format!("{states}live_temporary")), 0);
    report.check_sums(false);
}

const ALL: [&str; 5] = [
    "fresh 3 3000 code",
    "kept 2 3000 code",
    "nested 2 500 none",
    "made 2 300 code",
    "once 2 400 none",
];

fn every_kind(python: &Python) {
    if let Some((truths, report)) = watched(python, false, &ALL) {
        agree(&truths, &report);
    }
}
on_every_python!(every_kind_of_call_is_counted_to_the_unit, every_kind);

fn loaded_later(python: &Python) {
    if let Some((truths, report)) = watched(python, true, &["fresh 2 2000 none", "kept 2 500 none"])
    {
        agree(&truths, &report);
    }
}
on_every_python!(a_module_that_is_loaded_later_is_seen, loaded_later);

fn light(python: &Python) {
    if let Some((truths, report)) = watched_by(python, false, &["--light"], &ALL) {
        agree(&truths, &report);
    }
}
on_pythons!(
    light_mode_counts_thread_states_to_the_unit,
    light,
    [python_3_8 "3.8", python_3_11 "3.11", python_3_13 "3.13"]
);

/// More threads than there are slots: what has none is counted all the same.
fn more_threads_than_slots(python: &Python) {
    let few = ["--set", "threads_max=16"];
    let Some((truths, report)) = watched_by(python, false, &few, &["once 4 4000 none"]) else {
        return;
    };
    let own = row(&report);
    let unseen = cell(own, "calls") - cell(own, "cost.cycles");
    assert!(unseen > 0, "sixteen slots do not last: {own}");
    let kind = if python.has_switch_interval() { "fresh" } else { "calls" };
    assert_eq!(cell(own, kind), cell(&truths[0], "fresh"));
    assert!(report.at("thread_states.live_temporary").is_null(), "not known, and said so");
}
on_pythons!(
    threads_without_a_slot_are_counted_to_the_unit,
    more_threads_than_slots,
    [python_2_7 "2.7", python_3_8 "3.8", python_3_11 "3.11", python_3_13 "3.13"]
);

/// Detach while threads are in the middle of it, again and again.
fn leaving(python: &Python) {
    let Some((_folder, mut program)) = foreign(python, false) else { return };
    let mut residue = None;
    for how in ["fresh", "kept", "made"] {
        program.say(&format!("{how} 4 100000 code"));
        for _ in 0..3 {
            Session::attach(&program, &ON).finish();
            let maps = program.n_residue_maps();
            assert_eq!(*residue.get_or_insert(maps), maps, "only the text stays");
        }
        program.answer();
    }
    program.wait_quiet();
    program.end_well();
}
on_pythons!(
    leaving_in_the_middle_of_cycles_harms_nobody,
    leaving,
    [python_2_7 "2.7", python_3_8 "3.8", python_3_11 "3.11", python_3_13 "3.13"]
);
