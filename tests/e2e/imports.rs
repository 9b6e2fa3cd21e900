//! Imports: modules that keep a known number of bytes, the interpreter's own `-X importtime`, and programs
//! that look at their own imports, against the report.

use crate::harness::process::{Ended, Process};
use crate::harness::report::cell;
use crate::harness::session::{gilscope, plain};
use crate::harness::{Program, Python, Report, Session, scratch};
use crate::{on_every_python, on_every_python3, on_pythons};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// The probe is on where it is asked for.
const ON: [&str; 2] = ["--probes", "gil,cpu,imports"];

fn command(python: &Python, args: &[&str]) -> Command {
    let mut command = plain(python.path.as_os_str());
    command.args(args).env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// The same command with the probe on; how it ended, and the report.
fn watched(command: &Command) -> (Ended, Report) {
    let folder = scratch();
    let recording = folder.path().join("r.gilscope");
    let mut run = gilscope();
    run.args(["run", "--no-dashboard", "-q", "-o"]).arg(&recording).args(ON).arg("--");
    run.arg(command.get_program()).args(command.get_args());
    run.env("PYTHONDONTWRITEBYTECODE", "1");
    let ended = Process::start(&mut run).finish();
    (ended, Report::of(&recording))
}

fn program(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/programs").join(file);
    path.to_str().expect("a plain path").to_owned()
}

fn modules(report: &Report) -> &[Value] {
    report.rows("imports.modules")
}

fn module<'a>(report: &'a Report, name: &str) -> &'a Value {
    let found: Vec<_> = modules(report).iter().filter(|row| row["name"] == name).collect();
    assert_eq!(found.len(), 1, "{name} once: {found:?}");
    found[0]
}

fn signed(row: &Value, column: &str) -> i64 {
    row[column].as_i64().unwrap_or_else(|| panic!("{column} of {row}"))
}

/// Own parts of all rows add up to the totals, and those of a tree to its root.
fn check_sums(report: &Report) {
    let rows = modules(report);
    let own: i64 = rows.iter().map(|row| signed(row, "bytes_self")).sum();
    assert_eq!(own, report.at("imports.total_bytes").as_i64().expect("bytes are known"));
    assert_eq!(report.sum("imports.modules", "time_self_ns"), report.n("imports.total_ns"));
    for (at, row) in rows.iter().enumerate() {
        let inner: i64 = rows
            .iter()
            .filter(|inner| inner["parent"].as_u64() == Some(at as u64))
            .map(|inner| signed(inner, "bytes"))
            .sum();
        assert_eq!(signed(row, "bytes"), signed(row, "bytes_self") + inner, "{row}");
        assert!(cell(row, "time_ns") >= cell(row, "time_self_ns"), "{row}");
        assert!(cell(row, "peak_bytes") as i64 >= signed(row, "bytes"), "{row}");
    }
}

/// Lists, bytes, small and large blocks, C code, nested, circular, freed, in threads: within 1 %.
fn modules_keep_what_they_keep(python: &Python) {
    let folder = scratch();
    let path = folder.path().to_str().expect("a plain path");
    let (ended, report) = watched(&command(python, &[&program("imports_known.py"), path]));
    assert!(ended.status.success(), "{ended:?}");
    let truth: BTreeMap<String, i64> =
        serde_json::from_str(ended.stdout.lines().last().expect("a truth")).expect("JSON");
    for (name, truth) in &truth {
        let own = signed(module(&report, name), "bytes_self");
        let off = (own - truth).abs() as f64 / *truth as f64;
        assert!(off <= 0.01, "{name} kept {truth} bytes, the report says {own}");
    }
    check_sums(&report);
    assert!(cell(module(&report, "known_freed"), "peak_bytes") >= 30_000_000);
    let row = module(&report, "known_inner");
    assert_eq!((&row["importer"], cell(row, "importer_line")), (&"known_outer".into(), 1), "{row}");
    assert_eq!(cell(row, "depth"), cell(module(&report, "known_outer"), "depth") + 1);
    let row = module(&report, "known_late");
    let line = ended.stdout.lines().next().expect("a line").parse::<u64>().expect("a number");
    assert_eq!(
        (&row["importer"], &row["importer_function"], cell(row, "importer_line")),
        (&"__main__".into(), &"use_late".into(), line),
        "{row}"
    );
    for broken in ["known_broken", "known_nowhere"] {
        assert_eq!(module(&report, broken)["failed"], true);
    }
    let threads = ["known_thread_0", "known_thread_1"].map(|name| module(&report, name));
    assert_ne!(threads[0]["thread_id"], threads[1]["thread_id"]);
    assert_eq!(report.n("loss.events_lost"), 0);
}
on_every_python3!(bytes, modules_keep_what_they_keep);

/// Where both know of an import they agree on its place in the tree, to the unit.
fn nesting_is_that_of_importtime(python: &Python) {
    let names = ["json", "decimal", "argparse", "logging.config", "xml.dom.minidom", "unittest"];
    let source = names.map(|name| format!("import {name}")).join("\n");
    let (ended, report) = watched(&command(python, &["-X", "importtime", "-c", &source]));
    assert!(ended.status.success(), "{ended:?}");
    let theirs: Vec<(String, u64, u64)> = ended.stderr.lines().filter_map(importtime).collect();
    // Ours in the order of their ends, as theirs are written.
    let mut ours: Vec<&Value> = modules(&report).iter().collect();
    ours.sort_by_key(|row| row["at_ns"].as_i64().unwrap_or(0) + cell(row, "time_ns") as i64);
    let tree = |all: &[(String, u64)], name: &str| -> Vec<(String, u64)> {
        let end = all.iter().position(|row| row.0 == name && row.1 == 0).expect("a tree");
        let inner = all[..end].iter().rev().take_while(|row| row.1 > 0).count();
        all[end - inner..=end].to_vec()
    };
    let mine: Vec<(String, u64)> = ours
        .iter()
        .map(|row| (row["name"].as_str().expect("a name").to_owned(), cell(row, "depth")))
        .collect();
    let other: Vec<(String, u64)> =
        theirs.iter().map(|(name, depth, _)| (name.clone(), *depth)).collect();
    for name in names {
        assert_eq!(tree(&mine, name), tree(&other, name), "imports of {name}");
        let us = theirs.iter().find(|row| row.0 == name && row.1 == 0).expect("a line").2;
        let ns = cell(ours.iter().find(|row| row["name"] == name).expect("a row"), "time_ns");
        println!("{name}: {} µs, importtime says {us} µs", ns / 1000);
    }
}
on_pythons!(importtime_agrees, nesting_is_that_of_importtime, [
    python_3_7 "3.7", python_3_8 "3.8", python_3_9 "3.9", python_3_10 "3.10", python_3_11 "3.11",
    python_3_12 "3.12", python_3_13 "3.13", debian_3_11 "debian 3.11",
]);

/// "import time: self | cumulative | name": the name, its depth and the cumulative time, µs.
fn importtime(line: &str) -> Option<(String, u64, u64)> {
    let mut parts = line.strip_prefix("import time:")?.splitn(3, '|');
    let (_, us, name) = (parts.next()?, parts.next()?, parts.next()?.strip_prefix(' ')?);
    let depth = name.len() - name.trim_start().len();
    Some((name.trim().to_owned(), depth as u64 / 2, us.trim().parse().ok()?))
}

/// Tracebacks, warnings, frames, failures, fork, threads, and being ended inside an import.
fn a_program_sees_no_difference(python: &Python) {
    let folders = [scratch(), scratch()];
    let [alone, with] = folders.each_ref().map(|folder| {
        let path = folder.path().to_str().expect("a plain path");
        command(python, &[&program("imports_same.py"), path])
    });
    let (alone, (with, report)) = (Process::start(&mut { alone }).finish(), watched(&with));
    assert_eq!(with.stdout, alone.stdout);
    assert_eq!(with.stderr, alone.stderr);
    assert_eq!(with.status.code(), alone.status.code());
    assert!(module_count(&report, "same_outer") == 2, "it fails twice, and is imported twice");
    assert_eq!(module_count(&report, "same_fork"), 1);
}
on_every_python!(same_as_without, a_program_sees_no_difference);

fn module_count(report: &Report, name: &str) -> usize {
    modules(report).iter().filter(|row| row["name"] == name).count()
}

/// Attached late: times and importers are known, bytes are not, and say why. The original is back after.
fn late_imports_are_timed(python: &Python) {
    let mut target = Program::start(python, "imports_late.py", &[]);
    target.wait_quiet();
    for round in ["wave", "colorsys"] {
        let session = Session::attach(&target, &ON);
        target.say(round);
        target.truth();
        let report = session.finish();
        let row = module(&report, round);
        assert!(cell(row, "time_ns") > 0);
        assert_eq!(row["importer_function"], "on_request", "{row}");
        assert_eq!(row["bytes"], Value::Null);
        assert_eq!(report.at("imports.total_bytes"), &Value::Null);
        let notes = report.rows("notes");
        assert!(notes.iter().any(|note| note["section"] == "imports.bytes"), "{notes:?}");
    }
    target.say("symtable"); // the next import puts the original back
    target.truth();
    target.say("who");
    assert_eq!(target.truth()["importer"], target.facts["importer"]);
    target.end_well();
}
on_every_python!(late, late_imports_are_timed);

/// gilscope leaves while an import goes on, comes again, and the import ends.
fn an_import_outlives_the_session(python: &Python) {
    let mut target = Program::start(python, "imports_late.py", &[]);
    target.wait_quiet();
    let session = Session::attach(&target, &ON);
    target.say("slow");
    target.wait_quiet(); // inside the import, in a read
    let report = session.finish();
    let row = module(&report, "slow_to_import");
    assert_eq!((&row["time_ns"], &row["failed"]), (&Value::Null, &Value::Bool(false)), "{row}");
    let session = Session::attach(&target, &ON);
    target.say("go on");
    assert_eq!(target.truth()["loaded"], "slow_to_import");
    let report = session.finish();
    assert_eq!(module_count(&report, "slow_to_import"), 0, "it began before this session");
    assert_eq!(report.n("loss.events_lost"), 0);
    target.end_well();
}
on_pythons!(outlived, an_import_outlives_the_session, [
    python_2_7 "2.7", python_3_6 "3.6", python_3_11 "3.11", python_3_13 "3.13",
]);
