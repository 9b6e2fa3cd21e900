//! A second count of GIL acquires, made inside the program by `tests/programs/witness.c`.

use super::{Program, Python, tests_dir};
use std::path::{Path, PathBuf};
use std::process::Command;

const ENTRIES: usize = 64;
const WORDS: usize = 4;

/// A program that runs under the witness.
pub(crate) struct Witnessed {
    pub(crate) program: Program,
    file: tempfile::NamedTempFile,
    is_2: bool,
}

/// What the witness counted so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) acquires: u64,
    /// Unknown on 2.7, where no wait can be told apart.
    pub(crate) contended: Option<u64>,
}

impl Counts {
    /// What was counted since `earlier`.
    pub(crate) fn since(self, earlier: Self) -> Self {
        let contended = self.contended.zip(earlier.contended).map(|(now, then)| now - then);
        Self { acquires: self.acquires - earlier.acquires, contended }
    }
}

impl Witnessed {
    /// Starts `file` of `tests/programs` under `python` with the witness loaded.
    pub(crate) fn start(python: &Python, file: &str, args: &[&str]) -> Self {
        let counts = tempfile::NamedTempFile::new().expect("temporary file");
        counts.as_file().set_len((ENTRIES * WORDS * 8) as u64).expect("size of the witness file");
        let mut command = Program::command(python, file, args);
        command.env("LD_PRELOAD", library()).env("WITNESS_FILE", counts.path());
        let program = Program::from_command(&mut command);
        Self { program, file: counts, is_2: !python.has_switch_interval() }
    }

    /// The counts now; exact while the program is quiet.
    pub(crate) fn counts(&self) -> Counts {
        let bytes = std::fs::read(self.file.path()).expect("witness file");
        let words: Vec<u64> = bytes
            .chunks_exact(8)
            .map(|b| u64::from_le_bytes(b.try_into().expect("8 bytes")))
            .collect();
        let entry = |index: usize| &words[index * WORDS..][..WORDS];
        if self.is_2 {
            let busiest = (ENTRIES / 2..ENTRIES).map(|i| entry(i)[1]).max();
            return Counts { acquires: busiest.expect("a table has entries"), contended: None };
        }
        Counts { acquires: entry(0)[1], contended: Some(entry(0)[2]) }
    }
}

/// The compiled witness, made once; compiling twice at the same time does no harm.
fn library() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let library = folder.join("witness.so");
    let source = tests_dir().join("programs/witness.c");
    let changed = |path: &Path| std::fs::metadata(path).and_then(|m| m.modified()).ok();
    if changed(&library) > changed(&source) {
        return library;
    }
    let partial = folder.join(format!("witness-{}.so", std::process::id()));
    let flags = ["-O2", "-Wall", "-Wextra", "-shared", "-fPIC", "-o"];
    let compiled =
        Command::new("cc").args(flags).arg(&partial).arg(source).status().expect("a C compiler");
    assert!(compiled.success(), "witness.c does not build");
    std::fs::rename(&partial, &library).expect("witness library in place");
    library
}
