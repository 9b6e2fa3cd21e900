//! One call of `PyGILState_Ensure` and `Release` with a kept thread state: nothing, gilscope without its
//! thread state probe, gilscope as it is by default.
//!
//! The calls are timed by the extension that makes them (`programs/foreign.c`), on one thread that Python
//! did not start, with nothing in between.

use crate::harness::report::cell;
use crate::harness::{Program, Python, Session, interpreters, scratch};
use crate::paired::{Estimate, LEAST};
use crate::results::{AtMost, Row, is_large, publish};

/// Over gilscope without the probe.
const AIM_NS: f64 = 30.0;
const UNIT: &str = "ns a pair more";
/// Without the probe, and with it.
const OPTIONS: [&[&str]; 2] = [&["--probes", "gil"], &["--probes", "gil,tstate"]];

#[test]
fn foreign() {
    let versions: &[&str] = match is_large() {
        true => &["3.8", "3.11", "3.12", "3.13"],
        false => &["3.13"],
    };
    let (blocks, cycles) = if is_large() { (16, 400_000) } else { (LEAST, 100_000) };
    let mut rows = Vec::new();
    for version in versions {
        let measured = Python::find(version).and_then(|python| measure(&python, blocks, cycles));
        match measured {
            Ok(measured) => rows.extend(rows_of(version, &measured)),
            Err(why) => return interpreters::skip(&why),
        }
    }
    publish(
        "9 foreign",
        "One Ensure and Release of a foreign thread, with a kept thread state",
        rows,
    );
}

/// ns a pair by arm, block by block: without gilscope, then as [`OPTIONS`].
fn measure(python: &Python, blocks: usize, cycles: usize) -> Result<[Vec<f64>; 3], String> {
    let folder = scratch();
    python.extension("programs/foreign.c", folder.path(), "foreign.so")?;
    let path = folder.path().to_str().expect("a plain path");
    let mut program = Program::start(python, "foreign.py", &[path]);
    let mut measured = [const { Vec::new() }; 3];
    for block in 0..=blocks {
        for step in 0..3 {
            let arm = (step + block) % 3;
            let options = arm.checked_sub(1).map(|at| OPTIONS[at]);
            let ns = pair(&mut program, options, cycles);
            // The first block warms up.
            if block > 0 {
                measured[arm].push(ns);
            }
        }
    }
    program.end_well();
    Ok(measured)
}

fn pair(program: &mut Program, options: Option<&[&str]>, cycles: usize) -> f64 {
    let session = options.map(|options| Session::attach(program, options));
    program.say(&format!("kept 1 {cycles} none"));
    let truth = program.answer();
    if let Some(report) = session.map(Session::finish) {
        assert!(report.n("gil.acquires") >= cycles as u64, "cycles that gilscope counted");
    }
    cell(&truth, "inside_ns") as f64 / cycles as f64
}

fn rows_of(version: &str, [plain, without, with]: &[Vec<f64>; 3]) -> Vec<Row> {
    let load = format!("CPython {version}");
    let row = |arm: &str, taken: &[f64]| {
        Row::new(&load, arm, UNIT, Estimate::of_differences(taken, plain))
            .ratio(Estimate::of_ratios(taken, plain))
    };
    let over = Estimate::of_differences(with, without);
    vec![
        Row::new(&load, "without gilscope", "ns a pair", Estimate::of(plain)),
        row("without the probe", without),
        row("with the probe", with),
        Row::new(&load, "with, over without the probe", UNIT, over).aim(AtMost::Figure(AIM_NS)),
    ]
}
