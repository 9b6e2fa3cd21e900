//! How a failure reaches a person: one line with cause and remedy, hints below, an exit code.
//!
//! Everything that fails ends in [`exit`], the one place that prints an error. A reader that closes
//! our stdout early (`gilscope list | head -1`) is no failure.

use crate::output::OutputError;
use crate::recording::RecordingError;
use std::fmt;
use std::process::ExitCode;

/// What the exit code tells; part of the documented interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Anything that has no code of its own.
    Failure = 1,
    /// Wrong flags, options or file names.
    Usage = 2,
    /// The target is missing, not CPython, or not supported.
    Target = 3,
    /// The kernel or a file's owner said no.
    Permission = 4,
    /// A figure is out of the bounds of `gilscope check`.
    Check = 5,
}

/// A failure with all that a person needs.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    cause: String,
    remedy: Option<String>,
    hints: Vec<String>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, cause: impl Into<String>) -> Self {
        Self { exit, cause: cause.into(), remedy: None, hints: Vec::new() }
    }

    pub(crate) fn usage(cause: impl Into<String>) -> Self {
        Self::new(Exit::Usage, cause)
    }

    /// What to do about it, on the same line: the least powerful way that works.
    pub(crate) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// A line below the error.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.cause)?;
        match &self.remedy {
            Some(remedy) => write!(formatter, ": {remedy}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Failure {}

/// Marks an I/O error as "nobody reads our stdout any more".
#[derive(Debug)]
pub(crate) struct StdoutClosed;

impl fmt::Display for StdoutClosed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("stdout is closed")
    }
}

impl std::error::Error for StdoutClosed {}

/// Prints a command's error, if it is one, and gives the code to exit with.
pub(crate) fn exit(result: anyhow::Result<ExitCode>) -> ExitCode {
    let error = match result {
        Ok(code) => return code,
        Err(error) => error,
    };
    if is_stdout_closed(&error) {
        return ExitCode::SUCCESS;
    }
    tell(&error);
    ExitCode::from(code_of(&error) as u8)
}

/// Prints an error and its hints; for those that do not end the program.
pub(crate) fn tell(error: &anyhow::Error) {
    anstream::eprintln!("gilscope: {}", one_line(error));
    let failures = error.chain().filter_map(|cause| cause.downcast_ref::<Failure>());
    for hint in failures.flat_map(|failure| &failure.hints) {
        anstream::eprintln!("  {hint}");
    }
}

/// The chain of causes in one line, no cause twice.
fn one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if line.contains(&cause) {
            continue;
        }
        if !line.is_empty() {
            line.push_str(": ");
        }
        line.push_str(&cause);
    }
    crate::talk::printable(&line)
}

fn code_of(error: &anyhow::Error) -> Exit {
    for cause in error.chain() {
        if let Some(failure) = cause.downcast_ref::<Failure>() {
            return failure.exit;
        }
        if let Some(error) = cause.downcast_ref::<inject::Error>() {
            return exit_of(error);
        }
        if cause.is::<config::Error>() {
            return Exit::Usage;
        }
        if io_of(cause).is_some_and(|io| io.kind() == std::io::ErrorKind::PermissionDenied) {
            return Exit::Permission;
        }
    }
    Exit::Failure
}

/// The code for what keeps us out of a target.
pub(crate) fn exit_of(error: &inject::Error) -> Exit {
    match error.kind() {
        inject::Kind::Target => Exit::Target,
        inject::Kind::Permission => Exit::Permission,
        inject::Kind::Failure => Exit::Failure,
    }
}

/// What the system said, where an error carries it.
fn io_of<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a std::io::Error> {
    match error.downcast_ref::<RecordingError>() {
        Some(RecordingError::Create { cause, .. } | RecordingError::Open { cause, .. }) => {
            Some(cause)
        }
        _ => match error.downcast_ref::<OutputError>() {
            Some(OutputError::Unwritable { cause, .. }) => Some(cause),
            _ => error.downcast_ref(),
        },
    }
}

fn is_stdout_closed(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref)
            .is_some_and(|inner| inner.is::<StdoutClosed>())
            || cause.is::<StdoutClosed>()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;
    use std::io;

    #[test]
    fn a_failure_keeps_its_code_and_remedy_under_context() {
        let failure = Failure::new(Exit::Target, "no process 4 000 000")
            .remedy("see `gilscope list`")
            .hint("pids change");
        let error = Err::<(), _>(failure).context("attach").unwrap_err();
        assert_eq!(one_line(&error), "attach: no process 4 000 000: see `gilscope list`");
        assert_eq!(code_of(&error), Exit::Target);
    }

    #[test]
    fn what_others_refuse_has_the_code_for_it() {
        let denied = anyhow::Error::new(io::Error::from(io::ErrorKind::PermissionDenied))
            .context("writing r.json");
        assert_eq!(code_of(&denied), Exit::Permission);
        let mut layers = config::Layers::default();
        assert_eq!(code_of(&layers.set("--set x", "x", "1").unwrap_err().into()), Exit::Usage);
        assert_eq!(code_of(&anyhow::anyhow!("broken")), Exit::Failure);
    }

    #[test]
    fn only_our_own_stdout_counts_as_closed() {
        let ours = io::Error::new(io::ErrorKind::BrokenPipe, StdoutClosed);
        assert!(is_stdout_closed(&anyhow::Error::new(ours).context("list")));
        assert!(!is_stdout_closed(&io::Error::from(io::ErrorKind::BrokenPipe).into()));
    }

    #[test]
    fn control_characters_of_others_do_not_reach_the_terminal() {
        assert_eq!(one_line(&anyhow::anyhow!("not Python: \u{1b}[2Jx")), "not Python: \\u{1b}[2Jx");
    }
}
