//! Targets under rules that are in an injector's way: it gets in, or says why not; the target goes on.

use crate::harness::interpreters::skip;
use crate::harness::process::{Ended, Process};
use crate::harness::{Program, Python};
use crate::{command, results, try_cycle};
use serde_json::json;
use std::path::Path;
use std::process::Command;

/// Rule of hosts/hindered.py, and what gilscope says when it stays out; empty where it gets in.
const RULES: [(&str, &str); 9] = [
    ("none", ""),
    ("mdwe", ""),
    ("file_size", ""),
    ("nofile", "file descriptors are in use"),
    ("address_space", ""),
    ("processes", ""),
    ("seccomp_memfd_create", "seccomp filter forbids memfd_create"),
    ("seccomp_mprotect", "seccomp filter forbids mprotect"),
    ("seccomp_getppid", ""),
];

fn is_refusal(ended: &Ended, reason: &str) -> bool {
    [Some(1), Some(3)].contains(&ended.status.code()) && ended.stderr.contains(reason)
}

/// Starts a host by a command, and lets it work and end after an attempt that must go as said.
fn goes(mut program: Program, what: &str, reason: &str) {
    let (n_threads, n_fds) = (program.n_threads(), program.n_fds());
    let ended = try_cycle(&program, &[]);
    let expected = match reason {
        "" => ended.status.success(),
        reason => is_refusal(&ended, reason),
    };
    assert!(program.lives(), "{what}: the host is dead: {ended:?}");
    assert!(expected, "{what}: {ended:?}");
    assert!(!ended.stderr.contains("panicked"), "{what}: {ended:?}");
    assert_eq!((program.n_threads(), program.n_fds()), (n_threads, n_fds), "{what}");
    program.say("go");
    assert_eq!(program.answer(), json!({ "written": 20000 }), "{what}");
    program.end_well();
    results::note(
        "attached under a rule that is in the way",
        what,
        1,
        usize::from(!reason.is_empty()),
    );
}

fn host(mut command: Command, rule: &str) -> Program {
    let program = Program::from_command(command.arg(rule));
    assert_eq!(program.answer(), json!({ "obeys": rule }));
    program
}

fn rules(python: &Python) {
    for (rule, reason) in RULES {
        let program = host(command(python, "hindered.py"), rule);
        goes(program, &format!("{rule} {:?}", python.version), reason);
    }
}

crate::on_pythons!(rules_are_kept_and_the_target_goes_on, rules, [
    python_2_7 "2.7", python_3_12 "3.12",
]);

/// `inner` under `unshare OPTIONS`.
fn unshared(options: &[&str], inner: &Command) -> Command {
    let mut command = Command::new("unshare");
    command.args(options).arg(inner.get_program()).args(inner.get_args());
    for (name, value) in inner.get_envs() {
        command.env(name, value.expect("no host removes a variable"));
    }
    command
}

/// The process that `pid` has started.
fn only_child(pid: u32) -> Option<u32> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    children.split_whitespace().next()?.parse().ok()
}

fn namespaces(python: &Python) {
    for options in [
        &["--user", "--map-root-user"][..],
        &["--net", "--uts", "--ipc"],
        &["--time", "--fork", "--kill-child", "--monotonic", "1000000"],
        &["--pid", "--mount", "--fork", "--kill-child", "--mount-proc"],
    ] {
        let ready = Command::new("unshare").args(options).arg("true").output();
        if !ready.is_ok_and(|output| output.status.success()) {
            skip(&format!("unshare {} does not work here", options.join(" ")));
            continue;
        }
        let process =
            Process::start(unshared(options, &command(python, "hindered.py")).arg("none"));
        let outer = process.pid();
        let mut program = Program::from_process(process);
        assert_eq!(program.answer(), json!({ "obeys": "none" }));
        // The pid that the host says is its own; in a namespace of pids we see another.
        let pid = if options.contains(&"--fork") { only_child(outer) } else { Some(outer) };
        program.facts["pid"] = json!(pid.expect("unshare has a child"));
        goes(program, &format!("unshare {} {:?}", options.join(" "), python.version), "");
    }
}

crate::on_pythons!(namespaces_are_no_obstacle, namespaces, [
    python_2_7 "2.7", python_3_12 "3.12",
]);

/// A freezer cgroup of our own, version 1; removed when dropped.
struct Freezer(std::path::PathBuf);

impl Freezer {
    fn new() -> Option<Self> {
        let folder = format!("/sys/fs/cgroup/freezer/gilscope-test-{}", std::process::id());
        std::fs::create_dir(&folder).ok()?;
        let freezer = Self(folder.into());
        freezer.0.join("freezer.state").exists().then_some(freezer)
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.0.join(file), text).unwrap_or_else(|e| panic!("{file}: {e}"));
    }
}

impl Drop for Freezer {
    fn drop(&mut self) {
        let _ = std::fs::write(self.0.join("freezer.state"), "THAWED");
        let _ = std::fs::remove_dir(&self.0);
    }
}

fn frozen(python: &Python) {
    let Some(freezer) = Freezer::new() else {
        return skip("no cgroup freezer (version 1) that may be written to");
    };
    let mut program = host(command(python, "hindered.py"), "none");
    freezer.write("cgroup.procs", &program.pid().to_string());
    freezer.write("freezer.state", "FROZEN");
    let ended = try_cycle(&program, &[]);
    assert!(is_refusal(&ended, "frozen"), "{ended:?}");
    let state = std::fs::read_to_string(freezer.0.join("freezer.state")).expect("state");
    assert_eq!(state.trim(), "FROZEN", "it stays as it was");
    freezer.write("freezer.state", "THAWED");
    assert!(try_cycle(&program, &[]).status.success());
    program.say("go");
    program.answer();
    program.end_well();
    results::note("attached under a rule that is in the way", "cgroup freezer", 2, 1);
}

crate::on_pythons!(a_frozen_target_stays_frozen, frozen, [python_3_12 "3.12"]);

/// The same pid for another program, made by asking the kernel of a new pid namespace for it.
fn pid_reuse(python: &Python) {
    if !Path::new("/proc/sys/kernel/ns_last_pid").exists() {
        return skip("the kernel does not let a pid be chosen (ns_last_pid)");
    }
    let mut inner = command(python, "pid_reuse.py");
    inner.arg(env!("CARGO_BIN_EXE_gilscope"));
    let options = ["--pid", "--mount", "--fork", "--kill-child", "--mount-proc"];
    let ended = Process::start(&mut unshared(&options, &inner)).finish();
    assert!(ended.status.success(), "{ended:?}");
    let said: serde_json::Value = serde_json::from_str(ended.stdout.trim()).expect("JSON");
    assert_eq!(said["same_pid"], json!(true), "{said}");
    assert_eq!((&said["left_alone"], &said["gilscope"]), (&json!(true), &json!(0)), "{said}");
    results::note("another program under the same pid", "pid namespace", 1, 0);
}

crate::on_pythons!(another_program_under_the_same_pid_is_left_alone, pid_reuse, [python_3_12 "3.12"]);
