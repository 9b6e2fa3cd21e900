//! A child process with its output read in the background: wait for a line, for the end, or kill it.
//!
//! Every wait is bounded, and a test that panics leaves no process behind.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Longest wait for anything that should come at once; generous, since the machine is shared.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// How a process ended and all that it wrote.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A running child. Dropping it kills it by its own id and waits for it.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Lines,
    stderr: Lines,
}

#[derive(Debug)]
struct Lines {
    arriving: Receiver<String>,
    all: Arc<Mutex<String>>,
}

impl Lines {
    fn of(stream: impl Read + Send + 'static) -> Self {
        let (sender, arriving) = channel();
        let all = Arc::new(Mutex::new(String::new()));
        let collected = Arc::clone(&all);
        std::thread::spawn(move || {
            let mut reader = BufReader::new(stream);
            let mut line = Vec::new();
            while reader.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
                let text = String::from_utf8_lossy(&line).into_owned();
                collected.lock().expect("no reader panics").push_str(&text);
                let _ = sender.send(text);
                line.clear();
            }
        });
        Self { arriving, all }
    }

    fn so_far(&self) -> String {
        self.all.lock().expect("no reader panics").clone()
    }

    /// All there ever was: the reader thread has ended, or `PATIENCE` is over (a grandchild holds the pipe).
    fn whole(&self) -> String {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Err(RecvTimeoutError::Disconnected) =
                self.arriving.recv_timeout(Duration::from_millis(100))
            {
                break;
            }
        }
        self.so_far()
    }
}

impl Process {
    /// Starts `command` with all three streams piped.
    pub(crate) fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|e| panic!("{command:?}: {e}"));
        let stdin = child.stdin.take();
        let stdout = Lines::of(child.stdout.take().expect("piped"));
        let stderr = Lines::of(child.stderr.take().expect("piped"));
        Self { child, stdin, stdout, stderr }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Writes a line to its stdin.
    pub(crate) fn say(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("stdin is open until `finish`");
        // One write, so that the program's one read gets the whole line.
        stdin
            .write_all(format!("{line}\n").as_bytes())
            .unwrap_or_else(|e| panic!("cannot say {line:?}: {e}; {}", self.stderr.so_far()));
    }

    /// Its next line on stdout.
    pub(crate) fn stdout_line(&self) -> String {
        self.stdout.arriving.recv_timeout(PATIENCE).unwrap_or_else(|e| {
            panic!(
                "no line on stdout ({e}); stdout {:?}, stderr {:?}",
                self.stdout.so_far(),
                self.stderr.so_far()
            )
        })
    }

    /// Its next line on stdout, if there is one by now.
    pub(crate) fn stdout_line_if_any(&self) -> Option<String> {
        self.stdout.arriving.try_recv().ok()
    }

    /// Waits for a line on stderr that `wanted` likes; an end of stderr before that is a failure.
    pub(crate) fn stderr_line(&self, wanted: impl Fn(&str) -> bool) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.stderr.arriving.recv_timeout(left) {
                Ok(line) if wanted(&line) => return line,
                Ok(_) => {}
                Err(e) => {
                    panic!("the line did not come on stderr ({e}): {:?}", self.stderr.so_far())
                }
            }
        }
    }

    /// Sends a signal to this process alone.
    pub(crate) fn signal(&self, signal: i32) {
        let pid = i32::try_from(self.pid()).expect("a pid fits");
        // SAFETY: kill takes plain numbers; the child is not waited for yet, so the pid is still its own.
        let result = unsafe { libc::kill(pid, signal) };
        assert_eq!(result, 0, "kill {pid}: {}", std::io::Error::last_os_error());
    }

    /// Closes its stdin and waits for its end, at most `patience`.
    pub(crate) fn finish_within(mut self, patience: Duration) -> Ended {
        self.stdin = None;
        let status = self.wait(patience);
        let status = status.unwrap_or_else(|| {
            panic!(
                "did not end within {patience:?}; stdout {:?}, stderr {:?}",
                self.stdout.so_far(),
                self.stderr.so_far()
            )
        });
        Ended { status, stdout: self.stdout.whole(), stderr: self.stderr.whole() }
    }

    /// [`Self::finish_within`] the usual patience.
    pub(crate) fn finish(self) -> Ended {
        self.finish_within(PATIENCE)
    }

    fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        let until = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait().expect("own child") {
                return Some(status);
            }
            if Instant::now() >= until {
                return None;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        if self.wait(Duration::from_secs(5)).is_none() {
            eprintln!("process {} does not die of SIGKILL", self.pid());
        }
    }
}

/// A figure of `/proc/PID/status` that the kernel gives in kB, such as "VmRSS".
pub(crate) fn status_kib(pid: u32, field: &str) -> u64 {
    let path = format!("/proc/{pid}/status");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let wanted = |line: &str| line.strip_prefix(field)?.strip_prefix(':').map(str::to_owned);
    let value = text.lines().find_map(wanted).unwrap_or_else(|| panic!("{path} has no {field}"));
    value.trim().trim_end_matches(" kB").parse().expect("a number of kB")
}

/// Polls until `done` gives a value; panics with `what` and its last value when patience is over.
pub(crate) fn wait_for<S: std::fmt::Debug>(
    what: &str,
    look: impl Fn() -> S,
    done: impl Fn(&S) -> bool,
) {
    let until = Instant::now() + PATIENCE;
    loop {
        let seen = look();
        if done(&seen) {
            return;
        }
        assert!(Instant::now() < until, "waited {PATIENCE:?} in vain for {what}: {seen:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
