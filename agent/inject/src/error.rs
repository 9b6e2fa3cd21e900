//! What can go wrong, in words for a person: the cause first, then the least powerful remedy.
//!
//! Does not know exit codes of the command line beyond the three kinds they are made from.

use std::io;

/// Which of the documented exit codes an [`Error`] becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The target is missing, not CPython, or unsupported.
    Target,
    /// Not permitted.
    Permission,
    /// Anything else.
    Failure,
}

impl Kind {
    /// The exit code of design.md section 8.
    pub fn exit_code(self) -> u8 {
        match self {
            Kind::Target => 3,
            Kind::Permission => 4,
            Kind::Failure => 1,
        }
    }
}

/// Why an attach or detach did not happen. The target is unharmed in every case.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No such process.
    #[error("no process {0}: `gilscope list` shows what there is")]
    NoSuchProcess(u32),
    /// It ended, or is a zombie.
    #[error("process {0} has exited")]
    Exited(u32),
    /// Another program runs under the same pid now.
    #[error("process {0} runs another program than a moment ago (exec): attach again")]
    Replaced(u32),
    /// No CPython in it.
    #[error("process {pid} is not CPython ({program})")]
    NotPython {
        /// The process.
        pid: u32,
        /// What it runs.
        program: String,
    },
    /// A kind of process that cannot be entered.
    #[error("process {pid} is not supported: {why}")]
    Unsupported {
        /// The process.
        pid: u32,
        /// The reason, and what to do instead.
        why: String,
    },
    /// The kernel refuses.
    #[error("not permitted to attach to process {pid}: {why}")]
    Permission {
        /// The process.
        pid: u32,
        /// The rule, and the least powerful remedy.
        why: String,
    },
    /// Job control has stopped it; it stays stopped.
    #[error(
        "process {0} is stopped (Ctrl-Z or SIGSTOP): continue it first (`fg`, or `kill -CONT {0}`)"
    )]
    Stopped(u32),
    /// A debugger holds it.
    #[error("process {pid} is being traced by process {by}: end that debugger or strace first")]
    Traced {
        /// The process.
        pid: u32,
        /// Its tracer.
        by: u32,
    },
    /// A gilscope records there already.
    #[error(
        "process {pid} is already attached, by process {by}: stop that one, or `gilscope detach {pid}`"
    )]
    AlreadyAttached {
        /// The process.
        pid: u32,
        /// The daemon that made the segment.
        by: u32,
        /// Whether that daemon still lives.
        alive: bool,
    },
    /// Nothing of ours is active in it.
    #[error("process {0} is not attached")]
    NotAttached(u32),
    /// No thread was found at a safe point in time.
    #[error(
        "process {pid} was never at a safe point in {tries} tries ({why}): try again, or start it with `gilscope run`"
    )]
    Busy {
        /// The process.
        pid: u32,
        /// Threads stopped and let go again.
        tries: u32,
        /// What the last one was doing.
        why: &'static str,
    },
    /// A step that was started did not end in time; what was loaded is idle.
    #[error("process {pid}: {what} did not happen in time; the process is unharmed, try again")]
    TimedOut {
        /// The process.
        pid: u32,
        /// What was waited for.
        what: &'static str,
    },
    /// The loader of the target refused the agent.
    #[error("process {pid}: its loader did not take the agent: {why}")]
    NotLoaded {
        /// The process.
        pid: u32,
        /// What is likely.
        why: &'static str,
    },
    /// The agent's image is not one of ours.
    #[error("the agent image is damaged: {0}")]
    Image(&'static str),
    /// A system call of our own failed.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
}

impl Error {
    /// Which exit code it becomes.
    pub fn kind(&self) -> Kind {
        match self {
            Error::NoSuchProcess(_)
            | Error::Exited(_)
            | Error::Replaced(_)
            | Error::NotPython { .. }
            | Error::Unsupported { .. } => Kind::Target,
            Error::Permission { .. } => Kind::Permission,
            _ => Kind::Failure,
        }
    }

    pub(crate) fn io(what: &'static str) -> impl FnOnce(io::Error) -> Error {
        move |source| Error::Io { what, source }
    }
}
