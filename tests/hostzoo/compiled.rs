//! C programs and libraries of this folder, compiled when a test needs one.

use crate::harness::tests_dir;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Compiles `hostzoo/NAME.c` and gives the result, a file of this test process alone.
pub(crate) fn compiled(name: &str, flags: &[&str]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let result = folder.join(format!("{name}-{}", std::process::id()));
    let source = tests_dir().join(format!("hostzoo/{name}.c"));
    let mut cc = Command::new("cc");
    cc.args(["-O2", "-Wall", "-Wextra", "-o"]).arg(&result).arg(source).args(flags);
    assert!(cc.status().expect("a C compiler").success(), "{name}.c does not build");
    result
}
