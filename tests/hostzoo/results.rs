//! What the zoo has seen, as lines in the file that `GILSCOPE_ZOO` names; `tests/hostzoo/table` adds them up.

use std::fs::OpenOptions;
use std::io::Write;

/// Notes that `subject` was exposed to `what` `times` times, of which `refused` were refused with a reason.
/// Only what went well is noted: harm is a failed test.
pub(crate) fn note(what: &str, subject: &str, times: usize, refused: usize) {
    println!("{what}: {subject}: {times} times, {refused} refused");
    if let Some(path) = std::env::var_os("GILSCOPE_ZOO") {
        let mut file = OpenOptions::new().create(true).append(true).open(path).expect("results");
        // One write, since several tests may append at the same time.
        let line = format!("{what}\t{subject}\t{times}\t{refused}\n");
        file.write_all(line.as_bytes()).expect("results");
    }
}
