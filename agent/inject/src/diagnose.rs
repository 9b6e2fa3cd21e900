//! What would stop an attach, each with its cause and the least powerful remedy.
//!
//! Nothing is written, and nothing is stopped; only a process with seccomp filters has its main thread
//! stopped for a moment, to fetch them.

use crate::clib::CLibrary;
use crate::error::Error;
use crate::identity::Identity;
use crate::procdir::ProcDir;
use crate::python::{self, Found};
use crate::resident;
use crate::seccomp::{self, Filtered};
use crate::status::Status;
use std::fs;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing in the way.
    Ok,
    /// May be in the way, or makes something weaker.
    Warn,
    /// An attach will be refused.
    Fail,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was looked at, a word or two.
    pub name: &'static str,
    /// How it stands.
    pub level: Level,
    /// What was seen, in one line; on failure with the remedy.
    pub cause: String,
}

fn check(name: &'static str, level: Level, cause: impl Into<String>) -> Check {
    Check { name, level, cause: cause.into() }
}

fn ok(name: &'static str, cause: impl Into<String>) -> Check {
    check(name, Level::Ok, cause)
}

fn fail(name: &'static str, cause: impl ToString) -> Check {
    check(name, Level::Fail, cause.to_string())
}

/// Looks at process `pid`. The order is that in which an attach would meet the obstacles; a check that
/// an earlier failure makes impossible is left out.
pub fn diagnose(pid: u32) -> Vec<Check> {
    let target = match Identity::of(pid) {
        Ok(target) => target,
        Err(error) => return vec![fail("process", error)],
    };
    let mut checks = vec![ok("process", target.program())];
    let Ok(status) = target.status() else {
        return vec![fail("process", Error::Exited(pid))];
    };
    checks.push(state(&target, &status));
    checks.push(tracer(pid, &status));
    let (memory, maps) = match (target.memory(true), target.maps()) {
        (Ok(memory), Ok(maps)) => (memory, maps),
        (Err(error), _) | (_, Err(error)) => {
            checks.push(fail("permission", error));
            return checks;
        }
    };
    checks.push(ok("permission", "its memory can be read and written"));
    let program = target.program();
    checks.push(match python::find(&memory, &maps, &program) {
        Found::CPython(interpreter) => {
            ok("interpreter", format!("CPython {}", interpreter.version.as_deref().unwrap_or("?")))
        }
        other => fail("interpreter", other.refusal(pid, program)),
    });
    checks.push(match CLibrary::find(&target, &memory, &maps) {
        Ok(_) => ok("C library", "glibc"),
        Err(error) => fail("C library", error),
    });
    checks.push(match resident::live(&memory, &maps) {
        None => ok("attached", "no"),
        Some(live) if live.daemon_alive => {
            fail("attached", Error::AlreadyAttached { pid, by: live.daemon_pid, alive: true })
        }
        Some(live) => check(
            "attached",
            Level::Warn,
            format!("by process {}, which is gone: an attach takes over", live.daemon_pid),
        ),
    });
    checks.push(filters(&target, &status));
    checks.push(match status.shadow_stack {
        true => fail("shadow stack", "CET shadow stacks are on: start it with `gilscope run`"),
        false => ok("shadow stack", "off"),
    });
    checks.push(match target.folder().metadata("root/proc/self") {
        Ok(_) => ok("its /proc", "there"),
        Err(_) => fail("its /proc", "none in its root folder: mount one, or use `gilscope run`"),
    });
    checks.push(match crate::memfd::check_limit(&target) {
        Ok(()) => ok("descriptors", "one is free"),
        Err(error) => fail("descriptors", error),
    });
    checks
}

fn state(target: &Identity, status: &Status) -> Check {
    match status.state {
        'T' => fail("state", Error::Stopped(target.pid())),
        _ if is_frozen(target.folder()) => {
            fail("state", "its cgroup is frozen: thaw it first (cgroup.freeze, `docker unpause`)")
        }
        'D' => check(
            "state",
            Level::Warn,
            "its main thread is in an uninterruptible wait (disk, NFS, vfork)",
        ),
        state => ok("state", format!("{state}, {} threads", status.threads)),
    }
}

fn tracer(pid: u32, status: &Status) -> Check {
    match status.tracer_pid {
        0 => ok("tracer", "none"),
        by => fail("tracer", Error::Traced { pid, by }),
    }
}

fn filters(target: &Identity, status: &Status) -> Check {
    match seccomp::judge(target, status) {
        Ok(Filtered::No) => ok("seccomp", "no filter"),
        Ok(Filtered::Passes) => ok("seccomp", "its filters let the agent through"),
        Err(error) => fail("seccomp", error),
    }
}

/// Whether the process stands in a frozen cgroup, of either version (cgroups(7)).
pub(crate) fn is_frozen(folder: &ProcDir) -> bool {
    let text = folder.text("cgroup").unwrap_or_default();
    text.lines().any(|line| {
        let mut fields = line.splitn(3, ':');
        let (controllers, path) = (fields.nth(1).unwrap_or(""), fields.next().unwrap_or(""));
        // The path is the kernel's, but a namespace may have made it relative: no stepping outside.
        if path.split('/').any(|part| part == "..") {
            return false;
        }
        let says = |file: String, what: &str| {
            fs::read_to_string(file).is_ok_and(|text| text.lines().any(|line| line == what))
        };
        match controllers {
            "" => says(format!("/sys/fs/cgroup{path}/cgroup.events"), "frozen 1"),
            "freezer" => says(format!("/sys/fs/cgroup/freezer{path}/freezer.state"), "FROZEN"),
            _ => false,
        }
    })
}
