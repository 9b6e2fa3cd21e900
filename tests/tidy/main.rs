//! The rules of this repository that a compiler does not check: who may use whom, sizes, words,
//! where unsafe code and Python's version numbers may stand, what the agent asks of its host.
//!
//! Each failure says what to do. Knows nothing of what the code does.

mod agent;
mod layering;
mod repository;
mod rust_source;
mod sources;

use std::path::PathBuf;
use std::process::Command;

/// The repository.
fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).canonicalize().expect("repository")
}

/// What a command of the developer's own tools prints.
fn output_of(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(root()).output();
    let output = output.unwrap_or_else(|e| panic!("{program}: {e}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// A file of the repository: its path from the root, and its text.
struct Source {
    path: String,
    text: String,
}

/// All files under version control, or about to be, that are UTF-8 text.
fn sources() -> Vec<Source> {
    let listed = output_of("git", &["ls-files", "--cached", "--others", "--exclude-standard"]);
    let read = |path: &str| {
        let text = std::fs::read_to_string(root().join(path)).ok()?;
        Some(Source { path: path.to_owned(), text })
    };
    listed.lines().filter_map(read).collect()
}

/// Fails with one line for each thing that is wrong.
fn none(rule: &str, wrong: &[String]) {
    assert!(wrong.is_empty(), "{rule}\n  {}", wrong.join("\n  "));
}
