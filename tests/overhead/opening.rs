//! From `gilscope serve FILE` to the answers of every page, and the memory that it takes.
//!
//! The recordings are made by the generator (`dashboard/examples/generate.rs`): 64 and 300 threads, ten
//! samples a second. The same file without its saved state is the other arm: it is replayed.

use crate::harness::daemon::Daemon;
use crate::harness::process::{Process, status_kib};
use crate::harness::session::gilscope;
use crate::harness::{scratch, sized, tests_dir};
use crate::paired::{Estimate, LEAST};
use crate::results::{AtMost, Row, publish};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// What the pages ask for when they are first shown.
const ROUTES: [&str; 11] = [
    "",
    "/cpu",
    "/gil",
    "/process",
    "/totals",
    "/histograms",
    "/threads",
    "/blame",
    "/handoffs",
    "/findings",
    "/lanes?threads=1,2,3,4,5,6,7,8",
];

#[test]
fn opening() {
    let folder = scratch();
    let seconds = sized(32, 300);
    let mut rows = Vec::new();
    for &threads in &[64, 300][..sized(1, 2)] {
        let file = folder.path().join(format!("{threads}.gilscope"));
        generate(&file, seconds, threads);
        let (opened_ms, memory_mib) = visits(&file, folder.path(), LEAST);
        let stripped = rusqlite::Connection::open(&file).expect("a recording");
        assert_eq!(stripped.execute("DELETE FROM state", []).expect("a table"), 1);
        drop(stripped);
        let (replayed_ms, _) = visits(&file, folder.path(), LEAST);
        let load = format!("{threads} threads, {seconds} s");
        let opened = Row::new(&load, "open, all pages answered", "ms", Estimate::of(&opened_ms));
        let ratio = Estimate::of_ratios(&opened_ms, &replayed_ms);
        rows.push(Row::new(&load, "without the saved state", "ms", Estimate::of(&replayed_ms)));
        rows.push(opened.ratio(ratio).aim(AtMost::Figure(1000.0)));
        rows.push(Row::new(&load, "memory then", "MiB", Estimate::of(&memory_mib)));
    }
    publish("6 opening", "Opening a recording", rows);
}

/// Makes a recording of so many seconds and threads.
pub(crate) fn generate(file: &Path, seconds: usize, threads: usize) {
    let numbers = [seconds.to_string(), threads.to_string(), "100".into()];
    let status = Command::new(build_generator()).arg(file).args(numbers).status();
    let status = status.expect("the generator starts");
    assert!(status.success(), "the generator ended with {status}");
}

/// As the page tests build theirs, so that most of it is built already.
fn build_generator() -> PathBuf {
    let root = tests_dir().join("..");
    let args = ["build", "--quiet", "--locked", "-p", "dashboard", "--features", "generator"];
    let built = Command::new(env!("CARGO"))
        .args(args)
        .args(["--example", "generate"])
        .current_dir(&root)
        .stderr(Stdio::piped())
        .output()
        .expect("cargo starts");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    target.join("debug/examples/generate")
}

/// Times of `n` openings, ms, and the memory of each, MiB.
fn visits(file: &Path, folder: &Path, n: usize) -> (Vec<f64>, Vec<f64>) {
    (0..n).map(|_| visit(file, folder)).unzip()
}

fn visit(file: &Path, folder: &Path) -> (f64, f64) {
    let begin = Instant::now();
    let mut command = gilscope();
    command.arg("serve").arg(file).args(["--listen", "127.0.0.1:0"]);
    let process = Process::start(command.env("XDG_RUNTIME_DIR", folder));
    process.stderr_line(|line| line.contains("dashboard: http"));
    let daemon = Daemon::of(folder);
    for route in ROUTES {
        let (status, body) = daemon.get(&format!("/api/sessions/1{route}"));
        assert_eq!(status, 200, "{route}: {}", String::from_utf8_lossy(&body));
    }
    let opened_ms = begin.elapsed().as_secs_f64() * 1e3;
    let memory_mib = status_kib(process.pid(), "VmHWM") as f64 / 1024.0;
    process.signal(2);
    process.finish();
    (opened_ms, memory_mib)
}
