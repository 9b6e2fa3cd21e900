//! A second count of GIL acquires, made inside the program by `tests/programs/witness.c`.

use super::{Program, Python, tests_dir};
use std::path::{Path, PathBuf};
use std::process::Command;

const ENTRIES: usize = 512;
const WORDS: usize = 4;

/// A program that runs under the witness.
pub(crate) struct Witnessed {
    pub(crate) program: Program,
    file: tempfile::NamedTempFile,
    is_2: bool,
}

/// The witness's table at one moment: exact while the program is quiet.
#[derive(Debug)]
pub(crate) struct Table {
    words: Vec<u64>,
    is_2: bool,
}

/// What the witness counted between two moments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) acquires: u64,
    /// Unknown on 2.7, where no wait can be told apart.
    pub(crate) contended: Option<u64>,
}

impl Table {
    /// What was counted since `earlier`.
    pub(crate) fn since(&self, earlier: &Self) -> Counts {
        let grown = |index: usize| self.words[index] - earlier.words[index];
        if self.is_2 {
            let taken = (ENTRIES / 2..ENTRIES).map(|entry| grown(entry * WORDS + 1));
            return Counts { acquires: taken.max().expect("a table has entries"), contended: None };
        }
        Counts { acquires: grown(1), contended: Some(grown(2)) }
    }
}

impl Witnessed {
    /// Starts `file` of `tests/programs` under `python` with the witness loaded.
    pub(crate) fn start(python: &Python, file: &str, args: &[&str]) -> Self {
        let counts = tempfile::NamedTempFile::new().expect("temporary file");
        counts.as_file().set_len((ENTRIES * WORDS * 8) as u64).expect("size of the witness file");
        let mut command = Program::command(python, file, args);
        command.env("LD_PRELOAD", library()).env("WITNESS_FILE", counts.path());
        // An entry of the GOT that is still lazy when gilscope comes could be bound past the witness.
        command.env("LD_BIND_NOW", "1");
        let program = Program::from_command(&mut command);
        Self { program, file: counts, is_2: !python.has_switch_interval() }
    }

    /// The table as it is now.
    pub(crate) fn table(&self) -> Table {
        let bytes = std::fs::read(self.file.path()).expect("witness file");
        let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("8 bytes"));
        Table { words: bytes.chunks_exact(8).map(word).collect(), is_2: self.is_2 }
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
