//! `gilscope doctor`: what would stop an attach here, and the least powerful remedy for it.

mod machine;

use super::Context;
use crate::talk;
use anstyle::AnsiColor;
use clap::Args;
use serde::Serialize;
use std::fmt::Write;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  gilscope doctor
  gilscope doctor --json";

/// Check whether this machine lets gilscope work
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Flags {
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
    /// What to do about it; null where there is nothing to do.
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
    checks: &'a [Check],
}

pub(crate) fn run(flags: &Flags, context: &Context) -> anyhow::Result<ExitCode> {
    let checks = machine::checks(&machine::Facts::gather(), &context.plan);
    if flags.json {
        let report = Report { schema: "gilscope.doctor/1", checks: &checks };
        talk::print(serde_json::to_string_pretty(&report)? + "\n")?;
    } else {
        talk::print_styled(&list(&checks))?;
    }
    let failed = checks.iter().any(|check| check.state == State::Fail);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
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
