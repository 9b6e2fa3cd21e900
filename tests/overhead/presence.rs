//! Coming, being there, and leaving: times of attach and detach, the stall they make, CPU and memory.

use crate::harness::process::status_kib;
use crate::harness::{Program, Python, Session, interpreters};
use crate::paired::{Estimate, LEAST, percentile};
use crate::results::{AtMost, Row, is_large, publish};
use crate::workload::Workload;
use std::time::{Duration, Instant};

/// USER_HZ: what /proc counts CPU time in.
const TICKS_A_SECOND: f64 = 100.0;

/// Parked threads in the target.
const THREADS: &str = "200";
const LOAD: &str = "CPython 3.12, 200 parked threads";
/// How long the program watches the clock, s; an attach and a detach fall into it.
const WATCH_S: f64 = 0.6;

/// One coming and leaving.
struct Visit {
    attach_ms: f64,
    detach_ms: f64,
    gap_ms: f64,
}

#[test]
fn presence() {
    let python = match Python::find("3.12") {
        Ok(python) => python,
        Err(why) => return interpreters::skip(&why),
    };
    let mut work = Workload::start(&python, "parked.py", &[THREADS]);
    let n = if is_large() { 40 } else { LEAST };
    let mut rows = coming_and_leaving(&mut work, n);
    rows.extend(being_there(&work.program, if is_large() { 20 } else { 2 }));
    drop(work);
    publish("5 presence", "Coming, being there, leaving", rows);
}

fn coming_and_leaving(work: &mut Workload, n: usize) -> Vec<Row> {
    let (mut visits, mut alone) = (Vec::new(), Vec::new());
    for _ in 0..n {
        alone.push(while_watching(work, |_| ()).1);
        let ((attach_ms, detach_ms), gap_ms) = while_watching(work, visit);
        visits.push(Visit { attach_ms, detach_ms, gap_ms });
    }
    let column = |of: fn(&Visit) -> f64| visits.iter().map(of).collect::<Vec<_>>();
    let gaps = column(|visit| visit.gap_ms);
    let row = |arm: &str, values: &[f64], aim: f64| {
        Row::new(LOAD, arm, "ms", Estimate::of(values)).aim(AtMost::Figure(aim))
    };
    let last = Estimate::once(percentile(&gaps, 0.99));
    vec![
        row(
            "attach: from the command to the word that it records",
            &column(|v| v.attach_ms),
            150.0,
        ),
        row("detach: from Ctrl-C to the word that it has left", &column(|v| v.detach_ms), 10.0),
        Row::new(LOAD, "longest gap in 0.6 s, without gilscope", "ms", Estimate::of(&alone)),
        row("longest gap, with an attach and a detach", &gaps, 2.0),
        Row::new(LOAD, "the same, 99th percentile", "ms", last).aim(AtMost::Figure(10.0)),
    ]
}

/// Lets the program watch the clock while `act` runs; the longest gap that it saw, ms.
fn while_watching<T>(work: &mut Workload, act: impl FnOnce(&Program) -> T) -> (T, f64) {
    work.program.say(&format!("watch {WATCH_S}"));
    let result = act(&work.program);
    let gap = work.program.answer();
    (result, gap["gap_ns"].as_f64().expect("a gap") / 1e6)
}

/// Attaches and leaves again; how long each took, ms.
fn visit(program: &Program) -> (f64, f64) {
    let begin = Instant::now();
    let session = Session::attach(program, &[]);
    let attach_ms = begin.elapsed().as_secs_f64() * 1e3;
    let begin = Instant::now();
    session.leave();
    let detach_ms = begin.elapsed().as_secs_f64() * 1e3;
    session.wait();
    (attach_ms, detach_ms)
}

/// gilscope's own CPU and memory, and the target's memory, while the target does nothing.
fn being_there(program: &Program, seconds: u64) -> Vec<Row> {
    let target_before = resident_mib(program.pid());
    let session = Session::attach(program, &[]);
    let before = cpu_s(session.pid());
    std::thread::sleep(Duration::from_secs(seconds));
    let percent = 100.0 * (cpu_s(session.pid()) - before) / seconds as f64;
    let (own, target) = (resident_mib(session.pid()), resident_mib(program.pid()));
    session.finish();
    let row = |arm: &str, unit: &str, value: f64, aim: f64| {
        Row::new(LOAD, arm, unit, Estimate::once(value)).aim(AtMost::Figure(aim))
    };
    vec![
        row("gilscope's CPU, the target idle", "% of a core", percent, 1.0),
        row("gilscope's memory, just attached", "MiB resident", own, 64.0),
        row("the target's memory", "MiB resident more", target - target_before, 1.0),
    ]
}

fn cpu_s(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it lives");
    let fields = stat.rsplit_once(')').expect("name in parentheses").1.split_whitespace();
    // Fields 14 and 15 of proc(5), counted from the state, field 3.
    let ticks = fields.skip(11).take(2).map(|field| field.parse::<f64>().expect("ticks"));
    ticks.sum::<f64>() / TICKS_A_SECOND
}

fn resident_mib(pid: u32) -> f64 {
    status_kib(pid, "VmRSS") as f64 / 1024.0
}
