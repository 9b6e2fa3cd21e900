//! The extensions of hosts with threads that Python does not know, built once for each interpreter.

use crate::harness::Python;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The folder that both extensions are in; none if this interpreter's headers are missing. A test process
/// looks at one interpreter.
pub(crate) fn folder(python: &Python) -> Option<PathBuf> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    BUILT.get_or_init(|| built(python)).clone()
}

fn built(python: &Python) -> Option<PathBuf> {
    let (major, minor) = python.version;
    let name = format!("foreign-{major}.{minor}-{}", std::process::id());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).expect("a folder of the test's own");
    let sources = [("programs/foreign.c", "foreign.so"), ("hostzoo/guests.c", "guests.so")];
    let results = sources.map(|(source, name)| python.extension(source, &folder, name));
    match results.iter().find_map(|result| result.as_ref().err()) {
        Some(missing) => assert!(missing.starts_with("no Python.h"), "{missing}"),
        None => return Some(folder),
    }
    None
}
