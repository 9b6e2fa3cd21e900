//! One uncontended GIL cycle: nothing, two bare stamps, `--light`, exact, kernel uprobes.
//!
//! The floor is measured in place: a hook that reads the time stamp counter and does nothing else
//! (`stamp.c`), in the very GOT entry that gilscope uses.

use crate::harness::{Python, Session, interpreters, scratch, tests_dir};
use crate::paired::{Estimate, LEAST};
use crate::results::{AtMost, Row, is_large, publish};
use crate::rivals::Uprobe;
use crate::workload::Workload;
use std::path::{Path, PathBuf};
use std::process::Command;

const UNIT: &str = "ns a cycle more";
/// Over the floor, for the default mode.
const EXACT_AIM_NS: f64 = 15.0;
/// In all, for `--light`.
const LIGHT_AIM_NS: f64 = 12.0;

/// ns a cycle, block by block; values of one index were measured next to each other.
#[derive(Default)]
struct Measured {
    plain: Vec<f64>,
    stamps: Vec<f64>,
    exact: Vec<f64>,
    light: Vec<f64>,
    uprobes: Vec<f64>,
    no_uprobes: Option<String>,
}

#[test]
fn cycle() {
    let folder = scratch();
    let floor = compile(folder.path());
    let versions: &[&str] = match is_large() {
        true => &["3.8", "3.11", "3.12", "3.13"],
        false => &["3.8", "3.13"],
    };
    let (blocks, cycles) = if is_large() { (16, 100_000) } else { (LEAST, 40_000) };
    let mut rows = Vec::new();
    for version in versions {
        match Python::find(version) {
            Ok(python) => rows.extend(rows_of(version, &measure(&python, &floor, blocks, cycles))),
            Err(why) => return interpreters::skip(&why),
        }
    }
    publish("1 cycle", "One uncontended GIL cycle: os.write to the null device", rows);
}

fn measure(python: &Python, floor: &Path, blocks: usize, cycles: usize) -> Measured {
    let mut work = Workload::start(python, "cycle.py", &[]);
    let mut measured = Measured::default();
    for block in 0..=blocks {
        let arms: [fn(&mut Workload, &Path, usize) -> f64; 4] = [plain, stamps, exact, light];
        let mut taken = [0.0; 4];
        let mut order = [0, 1, 2, 3];
        order.rotate_left(block % 4);
        order.iter().for_each(|arm| taken[*arm] = arms[*arm](&mut work, floor, cycles));
        // The first block warms up: the agent is loaded once and for all.
        if block > 0 {
            let lists = [
                &mut measured.plain,
                &mut measured.stamps,
                &mut measured.exact,
                &mut measured.light,
            ];
            lists.into_iter().zip(taken).for_each(|(list, ns)| list.push(ns));
        }
    }
    match uprobes(&mut work, blocks.min(10), cycles / 10) {
        Ok(taken) => measured.uprobes = taken,
        Err(why) => measured.no_uprobes = Some(format!("skipped: {why}")),
    }
    work.program.end_well();
    measured
}

fn plain(work: &mut Workload, _floor: &Path, cycles: usize) -> f64 {
    work.round(cycles)
}

fn stamps(work: &mut Workload, floor: &Path, cycles: usize) -> f64 {
    let entries = work.ask(&format!("stamp {}", floor.display()));
    assert!(entries["entries"].as_u64() > Some(0), "the floor's hook is in no entry");
    let ns = work.round(cycles);
    work.ask("plain");
    ns
}

fn exact(work: &mut Workload, _floor: &Path, cycles: usize) -> f64 {
    watched(work, &[], cycles)
}

fn light(work: &mut Workload, _floor: &Path, cycles: usize) -> f64 {
    watched(work, &["--light"], cycles)
}

fn watched(work: &mut Workload, options: &[&str], cycles: usize) -> f64 {
    let session = Session::attach(&work.program, options);
    let ns = work.round(cycles);
    let report = session.finish();
    // The round, its command and its answer: that every cycle was seen is part of the figure.
    let acquires = report.n("gil.acquires");
    assert_eq!(acquires, cycles as u64 + 2, "cycles that gilscope counted");
    ns
}

/// The rival's cost over the same work done just before: an event a condition signalled.
fn uprobes(work: &mut Workload, blocks: usize, cycles: usize) -> Result<Vec<f64>, String> {
    let probe = Uprobe::set(work.program.pid())?;
    let mut more = Vec::new();
    for _ in 0..blocks.max(LEAST) {
        let plain = work.round(cycles);
        let perf = probe.count(work.program.pid());
        let traced = work.round(cycles);
        let events = Uprobe::counted(perf)?;
        if events < 2 * cycles as u64 {
            return Err(format!("perf saw {events} events of {} signals", 2 * cycles));
        }
        more.push(traced - plain);
    }
    Ok(more)
}

fn rows_of(version: &str, m: &Measured) -> Vec<Row> {
    let load = format!("CPython {version}");
    let row = |arm: &str, taken: &[f64]| {
        Row::new(&load, arm, UNIT, Estimate::of_differences(taken, &m.plain))
            .ratio(Estimate::of_ratios(taken, &m.plain))
    };
    let over = Estimate::of_differences(&m.exact, &m.stamps);
    vec![
        Row::new(&load, "without gilscope", "ns a cycle", Estimate::of(&m.plain)),
        row("two stamps, nothing else", &m.stamps),
        row("exact", &m.exact),
        Row::new(&load, "exact, over the two stamps", UNIT, over).aim(AtMost::Figure(EXACT_AIM_NS)),
        row("`--light`", &m.light).aim(AtMost::Figure(LIGHT_AIM_NS)),
        match &m.no_uprobes {
            None => Row::new(&load, "kernel uprobes (perf)", UNIT, Estimate::of(&m.uprobes)),
            Some(why) => Row::skipped(&load, "kernel uprobes (perf)", UNIT, Some(why.clone())),
        },
    ]
}

fn compile(folder: &Path) -> PathBuf {
    let library = folder.join("stamp.so");
    let source = tests_dir().join("overhead/stamp.c");
    let flags = ["-O2", "-Wall", "-Wextra", "-shared", "-fPIC", "-o"];
    let compiled =
        Command::new("cc").args(flags).arg(&library).arg(source).status().expect("a C compiler");
    assert!(compiled.success(), "stamp.c does not build");
    library
}
