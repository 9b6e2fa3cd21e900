//! A program of `tests/programs` under some interpreter: started, ready, spoken to, asked for its truth.

use super::process::{Ended, Process, wait_for};
use super::{Python, tests_dir};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// A running test program that has said it is ready.
pub(crate) struct Program {
    process: Process,
    /// What it said with "ready".
    pub(crate) facts: Value,
}

impl Program {
    /// Starts `file` of `tests/programs` under `python` and waits for "ready".
    pub(crate) fn start(python: &Python, file: &str, args: &[&str]) -> Self {
        Self::from_command(&mut Self::command(python, file, args))
    }

    /// The command that [`Self::start`] runs, for a test that wants to add to it.
    pub(crate) fn command(python: &Python, file: &str, args: &[&str]) -> Command {
        let mut command = Command::new(&python.path);
        command.arg(tests_dir().join("programs").join(file)).args(args);
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }

    /// Starts any command that speaks as `tests/programs/handshake.py` does.
    pub(crate) fn from_command(command: &mut Command) -> Self {
        Self::from_process(Process::start(command))
    }

    /// Waits for "ready" of a process that runs such a program, itself or as a child.
    pub(crate) fn from_process(process: Process) -> Self {
        let facts = parse(&process.stdout_line());
        assert_eq!(facts["ready"], Value::Bool(true), "not ready: {facts}");
        Self { process, facts }
    }

    /// The program's own pid, as it says itself.
    pub(crate) fn pid(&self) -> u32 {
        u32::try_from(self.facts["pid"].as_u64().expect("ready tells the pid")).expect("a pid fits")
    }

    /// Tells it to go on.
    pub(crate) fn say(&mut self, line: &str) {
        self.process.say(line);
    }

    /// Its next truth, and the program blocked in `read` again, without the GIL.
    pub(crate) fn truth(&self) -> Value {
        let truth = self.answer();
        self.wait_quiet();
        truth
    }

    /// Its next answer, while it goes on working.
    pub(crate) fn answer(&self) -> Value {
        parse(&self.process.stdout_line())
    }

    /// Its next truth, if it has been said by now.
    pub(crate) fn truth_if_said(&self) -> Option<Value> {
        self.process.stdout_line_if_any().map(|line| parse(&line))
    }

    /// Waits until every thread sleeps in `read`: the GIL is free and nobody wants it.
    pub(crate) fn wait_quiet(&self) {
        let quiet = |calls: &Vec<String>| calls.iter().all(|call| call.starts_with("0 0x"));
        wait_for("the program to be quiet", || self.system_calls(), quiet);
    }

    /// What each thread is doing in the kernel, as /proc tells it: number of the call, arguments.
    fn system_calls(&self) -> Vec<String> {
        let tasks =
            std::fs::read_dir(format!("/proc/{}/task", self.pid())).expect("the program lives");
        // A thread that ended meanwhile is nobody.
        tasks
            .flatten()
            .filter_map(|task| std::fs::read_to_string(task.path().join("syscall")).ok())
            .collect()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: i32) {
        self.process.signal(signal);
    }

    /// Says nothing more and waits for its end.
    pub(crate) fn end(self) -> Ended {
        self.process.finish()
    }

    /// [`Self::end`], which has to be exit status 0 with nothing on stderr.
    pub(crate) fn end_well(self) {
        let ended = self.end();
        assert!(
            ended.status.success() && ended.stderr.is_empty(),
            "the program was disturbed: {ended:?}"
        );
    }

    /// Whether it has not ended.
    pub(crate) fn lives(&self) -> bool {
        std::fs::read_to_string(format!("/proc/{}/stat", self.pid()))
            .is_ok_and(|stat| !stat.contains(") Z"))
    }

    /// Ids of the threads it has now, the main thread first.
    pub(crate) fn thread_ids(&self) -> Vec<u32> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid())).expect("it lives");
        let id = |task: std::fs::DirEntry| task.file_name().to_str()?.parse().ok();
        let mut ids: Vec<u32> = tasks.flatten().filter_map(id).collect();
        ids.sort_unstable();
        ids
    }

    /// Threads it has now.
    pub(crate) fn n_threads(&self) -> usize {
        entries(Path::new(&format!("/proc/{}/task", self.pid())))
    }

    /// File descriptors it has now.
    pub(crate) fn n_fds(&self) -> usize {
        entries(Path::new(&format!("/proc/{}/fd", self.pid())))
    }

    /// Lines of its memory map.
    pub(crate) fn maps(&self) -> Vec<String> {
        let path = format!("/proc/{}/maps", self.pid());
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
        text.lines().map(String::from).collect()
    }

    /// Mappings that gilscope put there.
    pub(crate) fn n_residue_maps(&self) -> usize {
        self.maps().iter().filter(|line| line.contains("memfd:gilscope")).count()
    }
}

fn entries(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())).count()
}

fn parse(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|e| panic!("not JSON ({e}): {line:?}"))
}
