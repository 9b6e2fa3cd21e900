//! Thread states of threads that Python does not know: the extension's own counts and times against the
//! report's.

use crate::harness::interpreters::skip;
use crate::harness::report::cell;
use crate::harness::{Program, Python, Report, Session, scratch, sized};
use crate::{on_every_python, on_pythons};
use serde_json::Value;
use tempfile::TempDir;

/// The extension's answers to these lines, and the report. The program ends well.
fn watched(python: &Python, late: bool, lines: &[&str]) -> Option<(Vec<Value>, Report)> {
    watched_by(python, late, &[], lines)
}

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
    let session = Session::attach(&program, options);
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
    // Detached with chunks of it kept, in use, and on their way.
    let remedy: &[&str] = if python.version >= (3, 11) { &["--try", "keep-chunks"] } else { &[] };
    for how in ["fresh", "kept", "made"] {
        program.say(&format!("{how} 4 100000 code"));
        for _ in 0..3 {
            Session::attach(&program, remedy).finish();
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

/// Cycles in the large size; a tenth of them on the typical versions else.
fn very_many(python: &Python) {
    let cycles = sized(100_000, 1_000_000);
    let line = format!("fresh 2 {} code", cycles / 2);
    let Some((truths, report)) = watched(python, false, &[&line]) else { return };
    agree(&truths, &report);
    let own = row(&report);
    assert_eq!(cell(own, "fresh"), cycles as u64, "to the unit");
    // The extension times the same calls, its own clock included.
    let parts = ["total_ns", "gil_wait_ns", "run_ns"];
    let whole: u64 = parts.map(|part| cell(own, &format!("cost.{part}"))).iter().sum();
    let timed = cell(&truths[0], "inside_ns");
    println!(
        "{:?}: {cycles} cycles took {whole} ns, {timed} ns by the extension: ratio {:.3}",
        python.version,
        whole as f64 / timed as f64
    );
}
on_every_python!(very_many_cycles_are_counted_to_the_unit, very_many);

/// Chunks are kept while that is asked, and mapped as ever before and after.
fn chunks(python: &Python) {
    let Some((_folder, mut program)) = foreign(python, false) else { return };
    const LINE: &str = "fresh 3 3000 code";
    let mut mapped = |options: &[&str]| {
        let session = Session::attach(&program, options);
        program.say(LINE);
        let truths = [program.truth()];
        let report = session.finish();
        agree(&truths, &report);
        let own = row(&report);
        ["fresh", "maps", "unmaps", "cost.total_ns"].map(|name| cell(own, name))
    };
    let [fresh, stock, stock_unmaps, stock_ns] = mapped(&[]);
    let [_, kept, kept_unmaps, kept_ns] = mapped(&["--try", "keep-chunks"]);
    let [_, after, after_unmaps, _] = mapped(&[]);
    program.end_well();
    assert_eq!([stock, stock_unmaps, after, after_unmaps], [fresh; 4], "one a cycle");
    // gilscope says that it is attached a moment before it puts the remedy on.
    let few = fresh / 10;
    assert!(kept < few && kept_unmaps < few, "{kept} mapped and {kept_unmaps} unmapped");
    println!(
        "{:?}: a cycle's state cost {} ns, {} ns with chunks kept: × {:.2}",
        python.version,
        stock_ns / fresh,
        kept_ns / fresh,
        stock_ns as f64 / kept_ns as f64
    );
}
on_pythons!(
    chunks_are_kept_while_it_is_tried,
    chunks,
    [python_3_11 "3.11", debian_3_11 "debian 3.11", python_3_12 "3.12", python_3_13 "3.13"]
);

/// Where there are no chunks the remedy is refused with the reason, and nothing else is harmed.
fn no_chunks(python: &Python) {
    let Some((truths, report)) = watched_by(python, false, &["--try", "keep-chunks"], &ALL) else {
        return;
    };
    agree(&truths, &report);
    let note = report.at("notes").to_string();
    assert!(note.contains("no data-stack chunks"), "{note}");
}
on_pythons!(
    keeping_chunks_is_refused_where_there_are_none,
    no_chunks,
    [python_2_7 "2.7", python_3_9 "3.9"]
);
