//! The command that `gilscope run` starts: its streams are its own, signals reach it, its exit code is ours.
//!
//! Knows nothing of agents: whoever starts it hands over a ready `Command`.

use crate::errors::{Exit, Failure};
use anyhow::Context as _;
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::{Pid, getpgrp, tcgetpgrp};
use std::fs::{self, File};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// What a supervisor may send to gilscope meaning its command.
const FORWARDED: [Signal; 6] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
];

/// A command under way.
pub(crate) struct Running {
    child: Child,
    pid: Pid,
    signals: mpsc::UnboundedReceiver<Signal>,
}

impl Running {
    /// Starts `command`. Signals are caught before, so that none that comes in between ends gilscope alone.
    pub(crate) fn start(mut command: Command) -> anyhow::Result<Self> {
        let signals = catch().context("catching signals")?;
        let program = command.as_std().get_program().to_string_lossy().into_owned();
        let child = command.spawn().map_err(|error| cannot_start(&program, &error))?;
        let pid = child.id().context("the command has no pid")?;
        let pid = Pid::from_raw(pid as i32);
        Ok(Self { child, pid, signals })
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.pid.as_raw() as u32
    }

    /// Passes signals on until the command has ended. The kernel keeps how until [`Running::reap`].
    pub(crate) async fn exited(&mut self) -> io::Result<()> {
        let pid = self.pid;
        let mut ended = tokio::task::spawn_blocking(move || wait_unreaped(pid));
        loop {
            tokio::select! {
                ended = &mut ended => return ended?,
                Some(signal) = self.signals.recv() => {
                    // It may have ended just now; the other branch tells next.
                    let _ = kill(self.pid, signal);
                }
            }
        }
    }

    /// How the command ended; waits for it if it has not.
    pub(crate) async fn reap(mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }
}

fn wait_unreaped(pid: Pid) -> io::Result<()> {
    loop {
        match waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) {
            Ok(_) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// The code that gilscope ends with for its command: the command's own, or 128 + n for signal n.
pub(crate) fn exit_code(status: ExitStatus) -> u8 {
    match (status.code(), status.signal()) {
        (Some(code), _) => code as u8,
        (None, Some(signal)) => 128_u8.saturating_add(signal as u8),
        (None, None) => Exit::Failure as u8,
    }
}

fn cannot_start(program: &str, error: &io::Error) -> Failure {
    let (exit, remedy) = match error.kind() {
        io::ErrorKind::NotFound => (Exit::Target, "is it installed, and on PATH?"),
        io::ErrorKind::PermissionDenied => (Exit::Permission, "is it executable?"),
        _ => (Exit::Failure, "the system refused to start it"),
    };
    Failure::new(exit, format!("cannot start {program}: {error}")).remedy(remedy)
}

/// Collects the signals to forward. Ignored ones stay ignored, here and in the command, as under nohup(1).
fn catch() -> io::Result<mpsc::UnboundedReceiver<Signal>> {
    let ignored = ignored_signals();
    let (sender, receiver) = mpsc::unbounded_channel();
    for number in FORWARDED {
        if ignored >> ((number as i32) - 1) & 1 == 1 {
            continue;
        }
        let mut stream = signal(SignalKind::from_raw(number as i32))?;
        let sender = sender.clone();
        tokio::spawn(async move {
            while stream.recv().await.is_some() {
                let typed = matches!(number, Signal::SIGINT | Signal::SIGQUIT) && is_foreground();
                if !typed && sender.send(number).is_err() {
                    return;
                }
            }
        });
    }
    Ok(receiver)
}

/// In the foreground of a terminal the kernel itself gives Ctrl-C and Ctrl-\ to the command as well.
fn is_foreground() -> bool {
    File::open("/dev/tty").is_ok_and(|tty| tcgetpgrp(tty).is_ok_and(|group| group == getpgrp()))
}

/// Bit n-1 for signal n, see SigIgn in proc_pid_status(5).
fn ignored_signals() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Stdio;
    use tokio::io::{AsyncBufReadExt, BufReader};

    /// A signal to this process reaches the commands of all tests that run now.
    static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdout(Stdio::piped());
        command
    }

    #[tokio::test]
    async fn the_code_is_the_commands_own_or_128_and_the_signal() {
        let _alone = ALONE.lock().await;
        for (script, expected) in
            [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 143), ("kill -KILL $$", 137)]
        {
            let mut running = Running::start(shell(script)).unwrap();
            running.exited().await.unwrap();
            let stat = fs::read_to_string(format!("/proc/{}/stat", running.pid())).unwrap();
            assert!(stat.contains(") Z "), "it can still be looked at: {stat}");
            assert_eq!(exit_code(running.reap().await.unwrap()), expected, "{script}");
        }
    }

    #[tokio::test]
    async fn a_signal_to_us_reaches_the_command() {
        let _alone = ALONE.lock().await;
        let mut running =
            Running::start(shell("trap 'exit 9' USR1; echo ready; while :; do sleep 0.01; done"))
                .unwrap();
        let mut lines = BufReader::new(running.child.stdout.take().unwrap()).lines();
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("ready"));
        kill(Pid::this(), Signal::SIGUSR1).unwrap();
        running.exited().await.unwrap();
        assert_eq!(exit_code(running.reap().await.unwrap()), 9);
    }

    #[tokio::test]
    async fn a_command_that_does_not_start_says_why() {
        let error = Running::start(Command::new("/nonexistent/python")).err().unwrap().to_string();
        assert!(error.starts_with("cannot start /nonexistent/python: No such file"), "{error}");
    }
}
