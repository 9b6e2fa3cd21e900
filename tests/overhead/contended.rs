//! Contention: lock ping-pong, a CPU thread beside an I/O thread, and two CPU threads.
//!
//! The whole price is in the figure: hooks, looks at the holder under the GIL's mutex, and gilscope's own
//! CPU on the machine's other core. A second arm looks at no holder, so that the price of looks is seen.

use crate::harness::{Python, Session, interpreters};
use crate::paired::{Estimate, LEAST};
use crate::results::{AtMost, Row, is_large, publish};
use crate::workload::Workload;

/// A load, how much of it is a round, and what it may cost.
struct Load {
    name: &'static str,
    program: &'static str,
    unit: &'static str,
    small: usize,
    large: usize,
    aim: f64,
}

#[test]
fn ping_pong() {
    section(
        "2 ping-pong",
        &Load {
            name: "lock ping-pong",
            program: "pingpong.py",
            unit: "ns there and back",
            small: 4_000,
            large: 10_000,
            aim: 1.02,
        },
    );
}

#[test]
fn mix() {
    section(
        "3 mix",
        &Load {
            name: "a CPU thread beside an I/O thread",
            program: "mix.py",
            unit: "ns a round trip",
            small: 8,
            large: 20,
            aim: 1.02,
        },
    );
}

#[test]
fn cpu_threads() {
    section(
        "4 CPU",
        &Load {
            name: "two CPU threads",
            program: "cpu.py",
            unit: "ns a turn",
            small: 200_000,
            large: 1_000_000,
            aim: 1.01,
        },
    );
}

fn section(key: &str, load: &Load) {
    let versions: &[&str] = if is_large() { &["3.11", "3.13"] } else { &["3.13"] };
    let mut rows = Vec::new();
    for version in versions {
        match Python::find(version) {
            Ok(python) => rows.extend(measure(version, &python, load)),
            Err(why) => return interpreters::skip(&why),
        }
    }
    publish(key, &format!("Contended: {}", load.name), rows);
}

fn measure(version: &str, python: &Python, load: &Load) -> Vec<Row> {
    let (blocks, size) = if is_large() { (12, load.large) } else { (LEAST, load.small) };
    let mut work = Workload::start(python, load.program, &[]);
    let (mut plain, mut exact, mut blind) = (Vec::new(), Vec::new(), Vec::new());
    for block in 0..=blocks {
        let watched = |work: &mut Workload, options: &[&str]| {
            let session = Session::attach(&work.program, options);
            let ns = work.round(size);
            session.finish();
            ns
        };
        let no_looks = ["--set", "gil_blame=false"];
        // The order turns, so that a drift of the machine is nobody's advantage.
        let taken = match block % 2 {
            0 => {
                let first = work.round(size);
                let second = watched(&mut work, &[]);
                [first, second, watched(&mut work, &no_looks)]
            }
            _ => {
                let third = watched(&mut work, &no_looks);
                let second = watched(&mut work, &[]);
                [work.round(size), second, third]
            }
        };
        if block > 0 {
            let lists = [&mut plain, &mut exact, &mut blind];
            lists.into_iter().zip(taken).for_each(|(list, ns)| list.push(ns));
        }
    }
    work.program.end_well();
    let name = format!("CPython {version}");
    let row = |arm: &str, taken: &[f64]| {
        Row::new(&name, arm, load.unit, Estimate::of(taken))
            .ratio(Estimate::of_ratios(taken, &plain))
    };
    vec![
        Row::new(&name, "without gilscope", load.unit, Estimate::of(&plain)),
        row("exact", &exact).aim(AtMost::Ratio(load.aim)),
        row("exact, no looks at holders", &blind),
    ]
}
