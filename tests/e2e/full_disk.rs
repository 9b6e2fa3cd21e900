//! The disk is full at every step of each writer: it is said, nothing half-written stays, nothing before is lost.

use crate::harness::process::{Ended, Process};
use crate::harness::session::{gilscope, run};
use crate::harness::{Program, Python, interpreters, scratch, sized, tests_dir};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The library that makes the disk full (programs/full_disk.c).
fn full_disk(folder: &Path) -> PathBuf {
    let library = folder.join("full_disk.so");
    let source = tests_dir().join("programs/full_disk.c");
    let mut cc = Command::new("cc");
    cc.args(["-O2", "-Wall", "-Wextra", "-shared", "-fPIC", "-o"]).arg(&library).arg(source);
    assert!(cc.status().expect("a C compiler").success(), "full_disk.c does not build");
    library
}

/// A writer's command, run anew in an empty folder for each step.
struct Writer {
    library: PathBuf,
    folder: tempfile::TempDir,
    args: Vec<String>,
}

impl Writer {
    fn out(&self) -> PathBuf {
        self.folder.path().join("out").join(self.args.last().expect("the output's name"))
    }

    /// Runs it on a disk that is full from `step` on, 0 for never; what it said, and how many steps there were.
    fn run(&self, step: usize) -> (Ended, usize) {
        let (out, count) = (self.folder.path().join("out"), self.folder.path().join("count"));
        let _ = std::fs::remove_dir_all(&out);
        std::fs::create_dir(&out).expect("a folder");
        let mut command = gilscope();
        command.args(&self.args[..self.args.len() - 1]).arg(self.out());
        command.env("LD_PRELOAD", &self.library).env("FULL_FOLDER", &out);
        command.env("FULL_AT", step.to_string()).env("FULL_COUNT", &count);
        let ended = Process::start(&mut command).finish();
        let steps = std::fs::read_to_string(count).ok().and_then(|text| text.parse().ok());
        (ended, steps.expect("a number of steps"))
    }

    /// Names of the files that there are now.
    fn files(&self) -> Vec<String> {
        let entries =
            std::fs::read_dir(self.folder.path().join("out")).expect("a folder").flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }
}

/// One line for a person: what happened, to which file.
fn is_told(ended: &Ended, out: &Path) -> bool {
    let name = out.file_name().expect("a name").to_string_lossy();
    // A sync that finds no room is an I/O error to SQLite.
    let is_said = |line: &&str| line.contains("disk is full") || line.contains("disk I/O error");
    let said = ended.stderr.lines().find(is_said);
    ended.status.code() == Some(1)
        && said.is_some_and(|line| line.contains(&*name))
        && !ended.stderr.contains("panicked")
}

/// Some steps out of all of them, the first and the last always.
fn chosen(steps: usize, n: usize) -> impl Iterator<Item = usize> {
    let every = steps.div_ceil(n.min(steps)).max(1);
    (1..=steps).filter(move |step| step % every == 1 % every || *step == steps)
}

fn a_recording(folder: &Path) -> Option<PathBuf> {
    let python = match Python::find("3.12") {
        Ok(python) => python,
        Err(why) => {
            interpreters::skip(&why);
            return None;
        }
    };
    let program = Program::start(&python, "busy3.py", &["2"]);
    let file = folder.join("r.gilscope");
    let pid = program.pid().to_string();
    let path = file.to_str().expect("text");
    let ended = run(&["attach", &pid, "-d", "1500ms", "--no-dashboard", "-o", path]);
    assert!(ended.status.success(), "{ended:?}");
    Some(file)
}

#[test]
fn results_are_whole_or_not_there() {
    let folder = scratch();
    let Some(recording) = a_recording(folder.path()) else { return };
    let library = full_disk(folder.path());
    let file = recording.to_str().expect("text");
    let results: [&[&str]; 7] = [
        &["report", file, "-o", "r.json"],
        &["report", file, "-o", "r.html"],
        &["report", file, "-o", "r.md"],
        &["export", file, "--plot", "cpu", "-o", "p.svg"],
        &["export", file, "--plot", "gil-timeline", "-o", "p.png"],
        &["export", file, "--plot", "gil-wait", "-o", "p.csv"],
        &["compare", file, file, "-o", "c.md"],
    ];
    for args in results {
        let args = args.iter().copied().map(String::from).collect();
        let writer = Writer { library: library.clone(), folder: scratch(), args };
        let (ended, steps) = writer.run(0);
        assert!(ended.status.success() && steps > 0, "{steps} steps: {ended:?}");
        for step in chosen(steps, sized(8, 10_000)) {
            let (ended, _) = writer.run(step);
            assert!(is_told(&ended, &writer.out()), "step {step} of {steps}: {ended:?}");
            assert_eq!(writer.files(), [""; 0], "step {step} of {steps}");
        }
        println!("{}: {steps} steps", writer.out().display());
    }
}

/// A recorder's command on a program of its own, on a disk that is full from `step` on; the program must not
/// notice. Gives the number of steps and what gilscope said.
fn record(python: &Python, writer: &mut Writer, step: usize) -> (Ended, usize) {
    let mut program = Program::start(python, "busy3.py", &["2"]);
    writer.args[1] = program.pid().to_string();
    let (ended, steps) = writer.run(step);
    assert!(program.lives(), "step {step}: {ended:?}");
    program.say("stop");
    program.truth();
    program.end_well();
    (ended, steps)
}

fn recordings_are_readable_up_to_then(python: &Python) {
    let folder = scratch();
    let args = ["attach", "PID", "-d", "1200ms", "--no-dashboard", "-o", "r.gilscope"];
    let args = args.map(String::from).to_vec();
    let mut writer = Writer { library: full_disk(folder.path()), folder: scratch(), args };
    let (ended, steps) = record(python, &mut writer, 0);
    assert!(ended.status.success() && steps > 10, "{steps} steps: {ended:?}");
    for step in chosen(steps, sized(16, 10_000)) {
        let (ended, reached) = record(python, &mut writer, step);
        if reached < step {
            continue; // fewer steps than the first time: it never was full
        }
        assert!(is_told(&ended, &writer.out()), "step {step} of {steps}: {ended:?}");
        if ended.stderr.contains("is saved in the file") {
            let path = writer.out();
            let report = run(&["report", path.to_str().expect("text"), "-o", "-"]);
            let is_empty = report.stderr.contains("before its first second was written");
            let told = format!("step {step} of {steps}: {ended:?} {report:?}");
            assert!(report.status.success() || is_empty, "{told}");
        }
    }
    println!("{steps} steps");
}

crate::on_pythons!(a_recording_is_kept_up_to_then, recordings_are_readable_up_to_then, [
    python_3_12 "3.12",
]);
