//! A program of `tests/overhead/programs`: does one round of its work when told, and says how long it took.
//!
//! One process does all rounds of all arms, so that address layout and history are the same for each.

use crate::harness::{Program, Python, tests_dir};
use serde_json::Value;
use std::process::Command;

/// A running workload.
pub(crate) struct Workload {
    pub(crate) program: Program,
}

impl Workload {
    pub(crate) fn start(python: &Python, file: &str, args: &[&str]) -> Self {
        Self { program: Program::from_command(&mut command(python, file, args)) }
    }

    /// Tells it something and returns its answer, with the program quiet again.
    pub(crate) fn ask(&mut self, line: &str) -> Value {
        self.program.say(line);
        self.program.truth()
    }

    /// One round of `size`; what one unit of it took, in ns.
    pub(crate) fn round(&mut self, size: usize) -> f64 {
        let answer = self.ask(&format!("round {size}"));
        answer["unit_ns"].as_f64().unwrap_or_else(|| panic!("no time in {answer}"))
    }
}

fn command(python: &Python, file: &str, args: &[&str]) -> Command {
    let mut command = Command::new(&python.path);
    command.arg(tests_dir().join("overhead/programs").join(file)).args(args);
    command.env("PYTHONPATH", tests_dir().join("programs")).env("PYTHONDONTWRITEBYTECODE", "1");
    command
}
