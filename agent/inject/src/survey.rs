//! The Python processes of this machine, as far as they may be looked at. Nothing is stopped or written.

use crate::identity::Identity;
use crate::python::{self, Found, Interpreter};
use crate::resident::{self, Live};
use std::fs;

/// A process that runs CPython, or that seems to and may not be looked at.
#[derive(Clone, Debug)]
pub struct Process {
    /// Its pid.
    pub pid: u32,
    /// The interpreter; `None` if the process may not be looked at.
    pub interpreter: Option<Interpreter>,
    /// Threads.
    pub threads: u32,
    /// Arguments.
    pub command_line: Vec<String>,
    /// Effective user.
    pub user_id: u32,
    /// The segment in it, if a gilscope records there.
    pub live: Option<Live>,
}

/// Looks at every process but ourselves, in the order of pids.
pub fn processes() -> Vec<Process> {
    let mut pids: Vec<u32> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| *pid != std::process::id())
        .collect();
    pids.sort_unstable();
    pids.into_iter().filter_map(look).collect()
}

/// The interpreter that `target` runs; `None` if it runs none, or may not be looked at.
pub fn interpreter(target: &Identity) -> Option<Interpreter> {
    let (memory, maps) = (target.memory(false).ok()?, target.maps().ok()?);
    match python::find(&memory, &maps, &target.program()) {
        Found::CPython(interpreter) => Some(interpreter),
        _ => None,
    }
}

/// Addresses of variables and functions that `target`'s interpreter exports; `None` for those that it does not.
pub fn symbols<const N: usize>(target: &Identity, names: [&str; N]) -> [Option<u64>; N] {
    let image = || {
        let (memory, maps) = (target.memory(false).ok()?, target.maps().ok()?);
        let module = python::image(&memory, &maps, &target.program())?;
        Some((memory, module))
    };
    match image() {
        Some((memory, module)) => names.map(|name| module.find(&memory, name)),
        None => [None; N],
    }
}

/// The segment that a gilscope records into in `target`, if one does.
pub fn live(target: &Identity) -> Option<Live> {
    resident::live(&target.memory(false).ok()?, &target.maps().ok()?)
}

fn look(pid: u32) -> Option<Process> {
    let Ok(target) = Identity::of(pid) else { return look_from_afar(pid) };
    let interpreter = interpreter(&target);
    let status = target.status().ok()?;
    let hidden = target.memory(false).is_err() && status.name.starts_with("python");
    (interpreter.is_some() || hidden).then(|| Process {
        pid,
        interpreter,
        threads: status.threads,
        command_line: target.command_line(),
        user_id: status.uids[1],
        live: live(&target),
    })
}

/// Another user's process: only what everybody may read, and only if it is called python.
fn look_from_afar(pid: u32) -> Option<Process> {
    let folder = crate::procdir::ProcDir::open(pid).ok()?;
    let status = crate::status::Status::parse(&folder.text("status").ok()?);
    let shown = status.name.starts_with("python") && status.state != 'Z';
    shown.then(|| Process {
        pid,
        interpreter: None,
        threads: status.threads,
        command_line: crate::identity::strings(&folder.read("cmdline").unwrap_or_default()),
        user_id: status.uids[1],
        live: None,
    })
}
