//! Real interpreters for tests: finding them, starting a program in one, reading it from outside.

#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};

use cpython::outside::Roots;
use cpython::{Layout, Memory, Version};

/// The families whose layouts this crate claims to know.
const FAMILIES: [(u8, u8); 9] =
    [(2, 7), (3, 6), (3, 7), (3, 8), (3, 9), (3, 10), (3, 11), (3, 12), (3, 13)];

/// An interpreter on this machine.
#[derive(Clone, Debug)]
pub(crate) struct Python {
    pub(crate) path: PathBuf,
    pub(crate) version: Version,
}

/// All interpreters of the families above; says which are missing.
pub(crate) fn pythons() -> Vec<Python> {
    let pyenv =
        std::env::var_os("PYENV_ROOT").map_or_else(|| PathBuf::from("/root/.pyenv"), PathBuf::from);
    let installed = std::fs::read_dir(pyenv.join("versions")).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = installed.map(|entry| entry.path().join("bin/python")).collect();
    paths.extend((6..20).map(|minor| PathBuf::from(format!("/usr/bin/python3.{minor}"))));
    paths.sort();
    let found: Vec<Python> = paths.into_iter().filter_map(python).collect();
    for (major, minor) in FAMILIES {
        if !found
            .iter()
            .any(|python| (python.version.major(), python.version.minor()) == (major, minor))
        {
            println!("skipped: no CPython {major}.{minor} on this machine");
        }
    }
    found
}

fn python(path: PathBuf) -> Option<Python> {
    let output =
        Command::new(&path).args(["-c", "import sys; print(sys.version)"]).output().ok()?;
    let version = Version::parse(&output.stdout)?;
    FAMILIES.contains(&(version.major(), version.minor())).then_some(Python { path, version })
}

pub(crate) fn program(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/programs").join(name)
}

/// A running program that said "ready"; killed at the end.
pub(crate) struct Target {
    child: Child,
    _input: ChildStdin,
    pub(crate) python: Python,
    pub(crate) symbols: HashMap<String, u64>,
    /// The words of each `thread` line.
    pub(crate) threads: Vec<Vec<String>>,
}

impl Target {
    pub(crate) fn start(python: &Python, name: &str) -> Self {
        let mut child = Command::new(&python.path)
            .args(["-W", "ignore"])
            .arg(program(name))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the interpreter ran a moment ago");
        let input = child.stdin.take().expect("piped above");
        let output = child.stdout.take().expect("piped above");
        let mut target = Self {
            child,
            _input: input,
            python: python.clone(),
            symbols: HashMap::new(),
            threads: Vec::new(),
        };
        for line in BufReader::new(output).lines() {
            let line = line.unwrap();
            let words: Vec<&str> = line.split(' ').collect();
            match words.as_slice() {
                ["symbol", name, address] => {
                    target.symbols.insert((*name).into(), address.parse().unwrap());
                }
                ["thread", rest @ ..] => {
                    target.threads.push(rest.iter().map(ToString::to_string).collect())
                }
                ["ready"] => return target,
                _ => panic!("{name} said {line:?}"),
            }
        }
        panic!("{name} ended before it was ready on {python:?}");
    }

    pub(crate) fn memory(&self) -> Process {
        Process(self.child.id().cast_signed())
    }

    pub(crate) fn layout(&self) -> Layout {
        Layout::choose(&self.memory(), self.python.version, self.roots().runtime)
            .expect("a supported version")
    }

    pub(crate) fn roots(&self) -> Roots {
        let symbol = |name: &str| self.symbols.get(name).copied();
        Roots { runtime: symbol("_PyRuntime"), interpreter_head: symbol("PyInterpreterState_Head") }
    }

    pub(crate) fn code_type(&self) -> u64 {
        self.symbols["PyCode_Type"]
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Another process's memory, as the daemon reads it.
#[derive(Clone, Copy)]
pub(crate) struct Process(i32);

impl Memory for Process {
    fn read(&self, address: u64, into: &mut [u8]) -> bool {
        let local = libc::iovec { iov_base: into.as_mut_ptr().cast(), iov_len: into.len() };
        let remote = libc::iovec { iov_base: address as *mut libc::c_void, iov_len: into.len() };
        // SAFETY: `local` is the whole of `into`, which lives on; the kernel checks the remote range itself.
        let read =
            unsafe { libc::process_vm_readv(self.0, &raw const local, 1, &raw const remote, 1, 0) };
        usize::try_from(read) == Ok(into.len())
    }
}

/// Counts reads, for the promise of few.
pub(crate) struct Counting<'a>(pub(crate) &'a Process, pub(crate) std::cell::Cell<u32>);

impl Memory for Counting<'_> {
    fn read(&self, address: u64, into: &mut [u8]) -> bool {
        self.1.set(self.1.get() + 1);
        self.0.read(address, into)
    }
}

/// UTF-8 from hex, `""` being the empty text.
pub(crate) fn text(hex: &str) -> String {
    let digits = hex.trim_matches('"');
    let bytes =
        (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap());
    String::from_utf8(bytes.collect()).unwrap()
}
