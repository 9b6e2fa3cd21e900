//! What of a process may not change: read from /proc while the host is quiet.

use crate::harness::Program;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// All of a host that has to be as it was.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct State {
    /// Blocked, ignored and caught signals, pending ones, seccomp, capabilities.
    status: Vec<String>,
    limits: String,
    environ: Vec<u8>,
    /// Descriptor and what it is open on.
    fds: BTreeMap<String, PathBuf>,
    n_threads: usize,
    /// Executable or writable-and-executable mappings of others than gilscope, by file.
    executable: Vec<String>,
    /// Protections of the interpreter's own mappings: a GOT page left writable shows here.
    protections: Vec<String>,
}

const STATUS: &[&str] = &[
    "SigBlk",
    "SigIgn",
    "SigCgt",
    "SigPnd",
    "ShdPnd",
    "Seccomp",
    "NoNewPrivs",
    "CapEff",
    "TracerPid",
];

impl State {
    pub(crate) fn of(program: &Program) -> Self {
        let folder = PathBuf::from(format!("/proc/{}", program.pid()));
        let text = |name: &str| std::fs::read_to_string(folder.join(name)).expect("the host lives");
        let status = text("status");
        let wanted = |line: &&str| STATUS.iter().any(|key| line.starts_with(key));
        let maps = program.maps();
        Self {
            status: status.lines().filter(wanted).map(String::from).collect(),
            limits: text("limits"),
            environ: std::fs::read(folder.join("environ")).expect("the host lives"),
            fds: descriptors(&folder.join("fd")),
            n_threads: program.n_threads(),
            executable: of_others(&maps)
                .filter(|m| m.1.contains('x'))
                .map(|m| m.2.to_owned())
                .collect(),
            protections: of_others(&maps)
                .filter(|m| m.2.contains("python"))
                .map(|(_, protection, file)| format!("{protection} {file}"))
                .collect(),
        }
    }
}

/// Address range, protection and file of each mapping that is a file's and not gilscope's.
fn of_others(maps: &[String]) -> impl Iterator<Item = (&str, &str, &str)> {
    let fields = maps.iter().filter_map(|line| {
        let mut fields = line.split_whitespace();
        Some((fields.next()?, fields.next()?, fields.nth(3)?))
    });
    fields.filter(|(_, _, file)| file.starts_with('/') && !file.contains("memfd:gilscope"))
}

fn descriptors(folder: &Path) -> BTreeMap<String, PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the host lives").flatten();
    let named = |entry: std::fs::DirEntry| {
        let target = std::fs::read_link(entry.path()).ok()?;
        Some((entry.file_name().into_string().ok()?, target))
    };
    entries.filter_map(named).collect()
}
