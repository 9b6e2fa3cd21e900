//! `gilscope run`: the command behaves as it would without us, Python or not.

use crate::harness::interpreters::run_on;
use crate::harness::process::{Ended, Process};
use crate::harness::report::cell;
use crate::harness::session::{gilscope, plain};
use crate::harness::{Program, Python, Report, scratch};
use crate::{on_every_python, on_every_python3, on_typical_pythons};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

fn under_gilscope(recording: &Path, command: &Command) -> Command {
    let mut run = gilscope();
    run.args(["run", "--no-dashboard", "-q", "-o"])
        .arg(recording)
        .arg("--")
        .arg(command.get_program());
    run.args(command.get_args());
    for (name, value) in command.get_envs() {
        run.env(name, value.expect("no test removes a variable"));
    }
    run
}

/// What `command` does alone, and under gilscope.
fn both(command: &Command) -> (Ended, Ended) {
    let folder = scratch();
    let mut alone = plain(command.get_program());
    alone.args(command.get_args());
    for (name, value) in command.get_envs() {
        alone.env(name, value.expect("no test removes a variable"));
    }
    let alone = Process::start(&mut alone).finish();
    let with =
        Process::start(&mut under_gilscope(&folder.path().join("r.gilscope"), command)).finish();
    (alone, with)
}

fn same_lines(what: &str, with: &str, alone: &str) {
    let mut pairs = with.lines().zip(alone.lines());
    let different = pairs.find(|(with, alone)| with != alone);
    assert_eq!(different, None, "the first line of {what} with gilscope, and without");
    assert_eq!(with.lines().count(), alone.lines().count(), "lines of {what}: {with}");
}

fn assert_same(command: &Command) {
    let (alone, with) = both(command);
    let code = alone.status.code().or(alone.status.signal().map(|n| 128 + n));
    assert_eq!(with.status.code(), code, "{with:?}");
    same_lines("stdout", &with.stdout, &alone.stdout);
    same_lines("stderr", &with.stderr, &alone.stderr);
}

/// Prints all that a child can see of how it was started. Signals 32 and 33 are libc's own: any
/// launcher that has a thread resets them.
const SURROUNDINGS: &str = "import os, sys, signal, threading\n\
    for item in sorted(os.environ.items()): print(item)\n\
    print(sorted(int(f) for f in os.listdir('/proc/self/fd')))\n\
    masks = [l.split() for l in open('/proc/self/status') if l[:3] == 'Sig' and l[:4] != 'SigQ']\n\
    print([(name, hex(int(mask, 16) & ~(3 << 31))) for name, mask in masks])\n\
    print(threading.active_count(), sys.argv, os.getcwd(), os.path.realpath(sys.executable))\n";

fn surroundings(python: &Python) {
    let mut command = Command::new(&python.path);
    command.args(["-c", SURROUNDINGS, "an argument"]);
    assert_same(&command);
}
on_every_python!(run_changes_nothing_that_a_program_can_see, surroundings);

fn exit_codes(python: &Python) {
    for statement in [
        "raise SystemExit(7)",
        "1/0",
        "import os; os.kill(os.getpid(), 15)",
        "import os; os._exit(3)",
    ] {
        let mut command = Command::new(&python.path);
        command.args(["-c", statement]);
        assert_same(&command);
    }
}
on_typical_pythons!(run_passes_on_exit_codes_signals_and_tracebacks, exit_codes);

fn counted(python: &Python) {
    let folder = scratch();
    let file = folder.path().join("r.gilscope");
    let command = Program::command(python, "cycles.py", &["2", "5000"]);
    let mut program = Program::from_process(Process::start(&mut under_gilscope(&file, &command)));
    program.say("go");
    let truth = program.truth();
    let ended = program.end();
    assert!(ended.status.success(), "{ended:?}");
    let report = Report::of(&file);
    let acquires = report.n("gil.acquires");
    assert!(
        acquires >= cell(&truth, "acquires"),
        "{acquires} include start and end besides {truth}"
    );
    report.check_sums(false);
    assert_eq!(report.at("target.method"), "preload");
}
on_every_python3!(run_counts_from_the_start_of_the_interpreter, counted);

#[test]
fn run_counts_on_2_7_from_when_the_gil_is_found() {
    run_on("2.7", |python| {
        let folder = scratch();
        let file = folder.path().join("r.gilscope");
        let command = Program::command(python, "switchinterval.py", &[]);
        let process = Process::start(&mut under_gilscope(&file, &command));
        let mut program = Program::from_process(process);
        program.say("go");
        std::thread::sleep(Duration::from_secs(1));
        program.say("stop");
        program.truth();
        let ended = program.end();
        assert!(ended.status.success(), "{ended:?}");
        let report = Report::of(&file);
        let utilization = report.ratio("gil.utilization");
        assert!(utilization > 0.5, "two busy threads for most of the time: {utilization}");
        report.check_sums(false);
    });
}

#[test]
fn run_of_a_shell_and_its_pipes_changes_nothing() {
    let mut command = Command::new("bash");
    command.args(["-c", "set -e; env | sort | md5sum; ls /proc/self/fd | wc -l; (exit 3) || echo $?; echo err >&2; exit 9"]);
    assert_same(&command);
}

fn shell_around_python(python: &Python) {
    let script =
        format!("{0} -c 'print(1)'; exec {0} -c 'raise SystemExit(5)'", python.path.display());
    let mut command = Command::new("bash");
    command.args(["-c", &script]);
    assert_same(&command);
}
on_typical_pythons!(run_of_a_shell_that_starts_python_changes_nothing, shell_around_python);

fn subprocess_tree(python: &Python) {
    let script = "import subprocess, sys, json\n\
        out = [subprocess.Popen([sys.executable, '-c', 'import os; print(sorted(os.environ)); raise SystemExit(%d)' % i],\n\
               stdout=subprocess.PIPE) for i in range(3)]\n\
        print([(p.communicate()[0], p.returncode) for p in out])\n\
        print(subprocess.Popen(['/bin/sh', '-c', 'ldd /bin/ls >/dev/null; echo $?'], stdout=subprocess.PIPE).communicate())\n";
    let mut command = Command::new(&python.path);
    command.args(["-c", script]);
    assert_same(&command);
}
on_typical_pythons!(run_of_a_tree_of_subprocesses_changes_nothing, subprocess_tree);

#[test]
fn run_of_a_missing_command_is_one_clear_line() {
    let folder = scratch();
    let command = Command::new("/nonexistent/program");
    let ended =
        Process::start(&mut under_gilscope(&folder.path().join("r.gilscope"), &command)).finish();
    assert_eq!(ended.status.code(), Some(3), "{ended:?}");
    assert!(ended.stderr.contains("/nonexistent/program"), "{ended:?}");
}
