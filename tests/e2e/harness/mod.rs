//! What every test of a real process needs: interpreters, programs, sessions, reports, a witness.
//!
//! A test reads as situation, act, expected; whatever waits, kills or parses stands here. Nothing
//! here sleeps for a time to pass: it waits for a line or a state, with a bound.

#![allow(dead_code, reason = "two suites share this, each uses a part")]

pub(crate) mod daemon;
pub(crate) mod interpreters;
pub(crate) mod process;
pub(crate) mod program;
pub(crate) mod recording;
pub(crate) mod report;
pub(crate) mod session;
#[path = "../../skipped.rs"]
mod skipped;
pub(crate) mod witness;

pub(crate) use interpreters::Python;
pub(crate) use program::Program;
pub(crate) use report::Report;
pub(crate) use session::Session;

use std::path::PathBuf;

/// How often a test does its work: `ci` as a rule, `release` under `tests/run --release`.
pub(crate) fn sized(ci: usize, release: usize) -> usize {
    if std::env::var_os("GILSCOPE_LARGE").is_some_and(|v| v == "1") { release } else { ci }
}

/// The `tests` folder of the repository.
pub(crate) fn tests_dir() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests"))
        .canonicalize()
        .expect("tests folder")
}

/// A new folder for one test's files, removed with the returned guard.
pub(crate) fn scratch() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("gilscope-test-").tempdir().expect("temporary folder")
}
