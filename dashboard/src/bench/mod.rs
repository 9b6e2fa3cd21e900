//! `gilscope bench`: the thread tests of the PythonPlus post, for any interpreters and remedies.
//!
//! One measurement is one process that runs one test, watched from its start, so that each number comes
//! with what the probes saw. Measurements are interleaved: a round does every test on every arm once, in
//! an order that turns from round to round, so that what the machine does meanwhile hits all arms alike.
//! Ratios are made within a round and only then summarised.

pub mod compare;
mod load;
pub mod run;
pub mod summary;
pub mod write;

use crate::remedy::Remedy;
use std::path::PathBuf;

/// A test of `assets/bench.py`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Test {
    /// Its name there; "+cpu" is the same beside a CPU thread.
    pub name: &'static str,
    /// For a table.
    pub title: &'static str,
    /// Requests in flight, for the web server.
    pub in_flight: usize,
}

const fn test(name: &'static str, title: &'static str, in_flight: usize) -> Test {
    Test { name, title, in_flight }
}

/// All tests, in the order of the post's tables.
pub const TESTS: [Test; 12] = [
    test("cpu1", "one CPU thread", 0),
    test("cpu2", "two CPU threads", 0),
    test("lock", "producer/consumer, Lock", 0),
    test("lock+cpu", "producer/consumer, Lock, beside a CPU thread", 0),
    test("condition", "producer/consumer, Condition", 0),
    test("condition+cpu", "producer/consumer, Condition, beside a CPU thread", 0),
    test("http1", "web server, 1 request in flight", 1),
    test("http1+cpu", "web server, 1 in flight, beside a CPU thread", 1),
    test("http10", "web server, 10 requests in flight", 10),
    test("http10+cpu", "web server, 10 in flight, beside a CPU thread", 10),
    test("foreign-fresh", "foreign thread calls in, fresh thread state", 0),
    test("foreign-kept", "foreign thread calls in, kept thread state", 0),
];

/// What is compared: an interpreter with a remedy, or as it is.
#[derive(Clone, Debug)]
pub struct Arm {
    pub executable: PathBuf,
    pub version: String,
    pub remedy: Option<Remedy>,
}

impl Arm {
    /// For a table's head.
    pub fn name(&self) -> String {
        match &self.remedy {
            None => self.version.clone(),
            Some(Remedy::KeepChunks) => format!("{} keep-chunks", self.version),
            Some(remedy @ Remedy::SwitchInterval(_)) => {
                format!("{} switch-interval {}", self.version, remedy.setting())
            }
            Some(Remedy::IoPriority(io)) => {
                format!("{} io-priority {}", self.version, humantime::format_duration(io.wait))
            }
        }
    }
}
