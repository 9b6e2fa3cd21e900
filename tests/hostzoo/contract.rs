//! What of a process may not change: read from /proc while the host is quiet.

use crate::harness::Program;
use std::path::{Path, PathBuf};

/// All of a host that has to be as it would be without us, as lines that say what they are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct State(Vec<String>);

/// Masks of blocked, ignored and caught signals, pending ones, who traces, seccomp, capabilities.
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
    "Threads",
];

impl State {
    pub(crate) fn of(program: &Program) -> Self {
        let folder = PathBuf::from(format!("/proc/{}", program.pid()));
        let text = |name: &str| std::fs::read_to_string(folder.join(name)).expect("the host lives");
        let wanted = |line: &&str| STATUS.iter().any(|key| line.starts_with(key));
        let mut lines: Vec<String> =
            text("status").lines().filter(wanted).map(String::from).collect();
        lines.extend(text("limits").lines().map(String::from));
        let environ = std::fs::read(folder.join("environ")).expect("the host lives");
        lines.extend(environ.split(|b| *b == 0).map(|v| String::from_utf8_lossy(v).into_owned()));
        lines.extend(descriptors(&folder.join("fd")));
        lines.extend(mappings(&program.maps()));
        Self(lines)
    }

    /// The first difference, if there is any: ours, the other's.
    pub(crate) fn differs<'a>(
        &'a self,
        other: &'a Self,
    ) -> Option<(Option<&'a String>, Option<&'a String>)> {
        let longest = self.0.len().max(other.0.len());
        let pairs = (0..longest).map(|index| (self.0.get(index), other.0.get(index)));
        pairs.into_iter().find(|(ours, others)| ours != others)
    }
}

/// Files that the host has mapped, with their protections; a GOT page left writable shows here, and
/// so does executable memory that is not gilscope's text. In order, since addresses differ by run.
fn mappings(maps: &[String]) -> Vec<String> {
    let fields = maps.iter().filter_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let (protection, file) = (fields.next()?, fields.nth(3).unwrap_or("anonymous"));
        let ours = file.contains("memfd:gilscope");
        let tells = file.starts_with('/') || protection.contains('x');
        // Semaphores in shared memory have random names.
        let file = if file.starts_with("/dev/shm/") { "/dev/shm" } else { file };
        (tells && !ours).then(|| format!("mapping {file} {protection}"))
    });
    let mut fields: Vec<String> = fields.collect();
    fields.sort();
    fields
}

/// Descriptors and what they are open on, without the numbers that differ by run.
fn descriptors(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("the host lives").flatten();
    let named = |entry: std::fs::DirEntry| {
        let target = std::fs::read_link(entry.path()).ok()?.to_string_lossy().into_owned();
        let kind = target.split_once(":[").map_or(target.as_str(), |(kind, _)| kind);
        Some(format!("descriptor {} {kind}", entry.file_name().to_string_lossy()))
    };
    let mut lines: Vec<String> = entries.filter_map(named).collect();
    lines.sort();
    lines
}
