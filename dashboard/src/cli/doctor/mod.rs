//! `gilscope doctor`: what would stop an attach here, and the least powerful remedy for it.

mod machine;

use super::Context;
use crate::errors::{self, Exit};
use crate::talk;
use anstyle::AnsiColor;
use clap::Args;
use inject::Level;
use serde::Serialize;
use std::fmt::Write;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  gilscope doctor            this machine
  gilscope doctor 4242       and what would stop an attach to 4242
  gilscope doctor --json";

/// Check what would stop gilscope here, and on a process
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Flags {
    /// A process to look at as well; nothing is done to it
    pid: Option<u32>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    /// Neither good nor bad, but worth knowing.
    Note,
    /// Works, with less.
    Warn,
    Fail,
}

/// One line of the list.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Check {
    name: &'static str,
    state: State,
    /// What was found.
    found: String,
    /// What to do about it; null where there is nothing to do, or `found` says it.
    remedy: Option<String>,
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, state: State::Ok, found: found.into(), remedy: None }
    }

    fn note(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, state: State::Note, found: found.into(), remedy: None }
    }

    fn bad(name: &'static str, state: State, found: impl Into<String>, remedy: &str) -> Self {
        Self { name, state, found: found.into(), remedy: Some(remedy.to_owned()) }
    }
}

#[derive(Serialize)]
struct Report<'a> {
    schema: &'static str,
    pid: Option<u32>,
    checks: &'a [Check],
}

pub(crate) fn run(flags: &Flags, context: &Context) -> anyhow::Result<ExitCode> {
    let mut checks = machine::checks(&machine::Facts::gather(), &context.plan);
    if let Some(pid) = flags.pid {
        checks.extend(inject::diagnose(pid).into_iter().map(Check::from));
    }
    if flags.json {
        let report = Report { schema: "gilscope.doctor/1", pid: flags.pid, checks: &checks };
        talk::print(serde_json::to_string_pretty(&report)? + "\n")?;
    } else {
        talk::print_styled(&list(&checks))?;
    }
    Ok(verdict(&checks, flags.pid))
}

/// The code that an attach would end with.
fn verdict(checks: &[Check], pid: Option<u32>) -> ExitCode {
    let failed: Vec<&str> =
        checks.iter().filter(|check| check.state == State::Fail).map(|check| check.name).collect();
    let process = pid.and_then(|pid| inject::Identity::of(pid).err());
    let code = match (process, failed.as_slice()) {
        (_, []) => return ExitCode::SUCCESS,
        (Some(error), _) => errors::exit_of(&error),
        (None, failed) if failed.contains(&"permission") => Exit::Permission,
        (None, failed) if failed.contains(&"interpreter") => Exit::Target,
        _ => Exit::Failure,
    };
    ExitCode::from(code as u8)
}

impl From<inject::Check> for Check {
    fn from(check: inject::Check) -> Self {
        let state = match check.level {
            Level::Ok => State::Ok,
            Level::Warn => State::Warn,
            Level::Fail => State::Fail,
        };
        Self { name: check.name, state, found: check.cause, remedy: None }
    }
}

fn list(checks: &[Check]) -> String {
    let mut text = String::new();
    for check in checks {
        let (word, color) = match check.state {
            State::Ok => ("ok", AnsiColor::Green),
            State::Note => ("note", AnsiColor::Blue),
            State::Warn => ("warn", AnsiColor::Yellow),
            State::Fail => ("FAIL", AnsiColor::Red),
        };
        let style = color.on_default().bold();
        let _ = writeln!(
            text,
            "{style}{word:>4}{style:#}  {:<12} {}",
            check.name,
            talk::printable(&check.found)
        );
        if let Some(remedy) = &check.remedy {
            let _ = writeln!(text, "{:>20}{remedy}", "-> ");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remedy_stands_below_what_was_found() {
        let checks =
            [Check::ok("kernel", "6.1"), Check::bad("yama", State::Fail, "scope 3", "reboot")];
        let plain = anstream::adapter::strip_str(&list(&checks)).to_string();
        assert_eq!(
            plain,
            "  ok  kernel       6.1\nFAIL  yama         scope 3\n                 -> reboot\n"
        );
    }
}
