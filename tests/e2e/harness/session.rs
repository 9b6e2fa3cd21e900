//! One gilscope session on a running program, headless: attach, wait until it records, finish, report.

use super::process::{Ended, Process};
use super::{Program, Report, scratch};
use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

/// The binary under test.
pub(crate) fn gilscope() -> Command {
    plain(OsStr::new(env!("CARGO_BIN_EXE_gilscope")))
}

/// A program in the surroundings that [`gilscope`] has: what it and its children see must not differ.
pub(crate) fn plain(program: &OsStr) -> Command {
    let mut command = Command::new(program);
    // A user's own configuration must not decide a test.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GILSCOPE_") {
            command.env_remove(name);
        }
    }
    command.env("XDG_CONFIG_HOME", "/nonexistent").env("NO_COLOR", "1").current_dir("/");
    command
}

/// An attached gilscope that records.
pub(crate) struct Session {
    process: Process,
    folder: tempfile::TempDir,
}

impl Session {
    /// Attaches to `program`; returns once gilscope says that it records.
    pub(crate) fn attach(program: &Program, options: &[&str]) -> Self {
        Self::attach_with(program, options, &[])
    }

    /// [`Self::attach`] with `GILSCOPE_*` variables.
    pub(crate) fn attach_with(program: &Program, options: &[&str], env: &[(&str, &str)]) -> Self {
        let folder = scratch();
        let mut command = gilscope();
        command.arg("attach").arg(program.pid().to_string()).args(["--no-dashboard", "-o"]);
        command.arg(folder.path().join("r.gilscope")).args(options).envs(env.iter().copied());
        let process = Process::start(&mut command);
        process.stderr_line(says_attached);
        Self { process, folder }
    }

    /// gilscope's own process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Sends gilscope a signal.
    pub(crate) fn signal(&self, signal: i32) {
        self.process.signal(signal);
    }

    /// Ctrl-C, a clean end, and the report of the whole session.
    pub(crate) fn finish(self) -> Report {
        self.finish_and(|_| ()).0
    }

    /// [`Self::finish`], and what `look` finds in the recording before it is gone.
    pub(crate) fn finish_and<T>(self, look: impl FnOnce(&Path) -> T) -> (Report, T) {
        self.process.signal(libc::SIGINT);
        let Self { process, folder } = self;
        let ended = process.finish();
        assert!(ended.status.success(), "attach failed: {ended:?}");
        let recording = folder.path().join("r.gilscope");
        (Report::of(&recording), look(&recording))
    }

    /// Ctrl-C; returns once gilscope says that it has left. [`Self::wait`] gets the rest.
    pub(crate) fn leave(&self) {
        self.process.signal(libc::SIGINT);
        self.process.stderr_line(|line| line.contains("detached"));
    }

    /// Kills gilscope where it stands.
    pub(crate) fn kill(self) {
        self.process.signal(libc::SIGKILL);
        self.process.finish();
    }

    /// Waits for gilscope to end by itself, because the target is gone.
    pub(crate) fn wait(self) -> (Ended, Report) {
        let ended = self.process.finish();
        (ended, Report::of(&self.folder.path().join("r.gilscope")))
    }
}

fn says_attached(line: &str) -> bool {
    line.to_lowercase().contains("attached")
}

/// Runs gilscope to its end.
pub(crate) fn run(args: &[&str]) -> Ended {
    Process::start(gilscope().args(args)).finish()
}
