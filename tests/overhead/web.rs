//! A threaded web server (waitress) under wrk, watched by gilscope and by other tools in turn.
//!
//! The tools answer other questions: py-spy samples stacks from outside, gil_load samples whether the GIL is
//! held, viztracer records every call, memray every allocation. They stand here for scale. Those that go in
//! at the start have servers of their own, which are idle while another one is asked.

use crate::harness::process::Process;
use crate::harness::{Program, Python, Session, interpreters, scratch, tests_dir};
use crate::paired::{Estimate, LEAST};
use crate::results::{AtMost, Row, is_large, publish};
use std::path::PathBuf;
use std::process::Command;

/// The last CPython on which all of the tools run.
const VERSION: &str = "3.11";
const LOAD: &str = "waitress, 8 threads, 10 connections";
const UNIT: &str = "µs a request";
/// How long wrk asks, s.
const SECONDS: &str = "2";

/// Who watches while the server is asked.
#[derive(Clone, Copy, PartialEq)]
enum Watcher {
    Nobody,
    Gilscope(&'static [&'static str]),
    PySpy,
    /// A tool that starts the program: the words before it.
    Starter(&'static [&'static str]),
}

const ARMS: [(&str, Watcher); 7] = [
    ("without gilscope", Watcher::Nobody),
    ("exact", Watcher::Gilscope(&[])),
    ("`--light`", Watcher::Gilscope(&["--light"])),
    ("py-spy record, 100 Hz", Watcher::PySpy),
    ("gil_load", Watcher::Starter(&["-m", "gil_load"])),
    ("viztracer", Watcher::Starter(&["-m", "viztracer", "--quiet", "-o", "v.json"])),
    ("memray", Watcher::Starter(&["-m", "memray", "run", "-q", "-f", "-o", "m.bin"])),
];

#[test]
fn web_server() {
    let python = match Python::find(VERSION) {
        Ok(python) => python,
        Err(reason) => return interpreters::skip(&reason),
    };
    let Some(packages) = python.packages("overhead") else {
        return interpreters::skip(
            "the web server's packages are not installed (tests/run does it)",
        );
    };
    if Command::new("wrk").arg("--version").output().is_err() {
        return interpreters::skip("wrk is not installed");
    }
    let folder = scratch();
    let site = Site { python, packages, folder: folder.path().to_owned() };
    // The small form has what gilscope and its nearest rival cost.
    let arms = if is_large() { &ARMS[..] } else { &ARMS[..4] };
    let taken = site.measure(arms, if is_large() { 9 } else { LEAST });
    let row = |(name, watcher): (&str, Watcher), taken: &[f64], base: &[f64]| {
        let row = Row::new(LOAD, name, UNIT, Estimate::of(taken));
        match watcher {
            Watcher::Nobody => row,
            Watcher::Gilscope(_) => {
                row.ratio(Estimate::of_ratios(taken, base)).aim(AtMost::Ratio(1.01))
            }
            _ => row.ratio(Estimate::of_ratios(taken, base)),
        }
    };
    let rows = arms.iter().zip(&taken).map(|(arm, times)| row(*arm, times, &taken[0]));
    publish("8 web", "A web server under load", rows.collect());
}

/// Where servers run.
struct Site {
    python: Python,
    packages: PathBuf,
    folder: PathBuf,
}

impl Site {
    fn serve(&self, words: &[&str]) -> Program {
        let mut command = Command::new(&self.python.path);
        command.args(words).arg(tests_dir().join("overhead/programs/server.py"));
        let path = [self.packages.clone(), tests_dir().join("programs")];
        command.env("PYTHONPATH", std::env::join_paths(path).expect("no colon"));
        command.env("PYTHONDONTWRITEBYTECODE", "1").current_dir(&self.folder);
        Program::from_command(&mut command)
    }

    /// Time a request for each arm, arms in turn; the order is reversed every other time, so that a drift of
    /// the machine is nobody's advantage.
    fn measure(&self, arms: &[(&str, Watcher)], rounds: usize) -> Vec<Vec<f64>> {
        let plain = self.serve(&[]);
        let own = arms.iter().map(|(_, watcher)| match watcher {
            Watcher::Starter(words) => Some(self.serve(words)),
            _ => None,
        });
        let own: Vec<Option<Program>> = own.collect();
        let mut taken = vec![Vec::new(); arms.len()];
        let mut order: Vec<usize> = (0..arms.len()).collect();
        for round in 0..=rounds {
            for &arm in &order {
                let server = own[arm].as_ref().unwrap_or(&plain);
                let us = self.watched(server, arms[arm].1);
                if round > 0 {
                    taken[arm].push(us); // the first round warms up
                }
            }
            order.reverse();
        }
        taken
    }

    fn watched(&self, server: &Program, watcher: Watcher) -> f64 {
        match watcher {
            Watcher::Nobody | Watcher::Starter(_) => ask(server),
            Watcher::Gilscope(options) => {
                let session = Session::attach(server, options);
                let us = ask(server);
                session.finish();
                us
            }
            Watcher::PySpy => {
                let mut command = Command::new(self.packages.join("bin/py-spy"));
                command.args(["record", "-d", "60", "-f", "raw", "-o"]);
                command.arg(self.folder.join("p.raw")).args(["--pid", &server.pid().to_string()]);
                let spy = Process::start(&mut command);
                spy.stdout_line(); // "Sampling process …"
                let us = ask(server);
                spy.signal(libc::SIGINT);
                spy.finish();
                us
            }
        }
    }
}

/// One round of wrk; µs a request.
fn ask(server: &Program) -> f64 {
    let url = format!("http://127.0.0.1:{}/", server.facts["port"]);
    let output = Command::new("wrk")
        .args(["-t1", "-c10", &format!("-d{SECONDS}s"), &url])
        .output()
        .expect("wrk is there");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let rate = said.lines().find_map(|line| line.trim().strip_prefix("Requests/sec:"));
    let rate: f64 =
        rate.and_then(|text| text.trim().parse().ok()).unwrap_or_else(|| panic!("{said}"));
    1e6 / rate
}
