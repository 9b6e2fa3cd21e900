//! How a Rust test says that it cannot run here: in its output, and in the list that `tests/run` counts.
//!
//! Belongs to no crate; tests of several take it in with `#[path]`.

use std::fs::OpenOptions;
use std::io::Write;

/// Says that this test cannot run here, and why; the caller returns. Once a test.
pub(crate) fn skip(reason: &str) {
    println!("skipped: {reason}");
    if let Some(path) = std::env::var_os("GILSCOPE_SKIPPED") {
        let mut file =
            OpenOptions::new().create(true).append(true).open(path).expect("list of skipped tests");
        writeln!(file, "{reason}").expect("list of skipped tests");
    }
}
