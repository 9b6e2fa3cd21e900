//! `gilscope check F --fail-if 'gil.wait.p99 > 5ms'`: a recording against bounds, for pipelines.

use super::Context;
use super::report::load;
use super::span::Named;
use crate::batch::Target;
use crate::compare::{self, Figure, Unit};
use crate::errors::{Exit, Failure};
use crate::store::{Range, Store};
use crate::talk;
use clap::Args;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  gilscope check run.gilscope --fail-if 'gil.wait.p99 > 5ms'
  gilscope check run.gilscope --fail-if 'imports.pandas.bytes > 40MiB'
  gilscope check 'run.gilscope@warm..' --fail-if 'gil.held > 80%' --fail-if 'process.rss > 300MiB'
Values: a share is 80% or 0.8, a duration 5ms or 1m30s, memory 300MiB; all else is a number.
`gilscope compare F F --json` shows all figures and their names.";

/// Fail, with exit code 5, if a figure of a recording is out of bounds
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Flags {
    /// FILE or FILE@FROM..TO
    #[arg(value_name = "FILE", value_parser = Named::parse)]
    named: Named,
    /// FIGURE OPERATOR VALUE, the operator one of > >= < <=; may be given more than once
    #[arg(long, required = true, value_name = "CONDITION", value_parser = Condition::parse)]
    fail_if: Vec<Condition>,
}

/// A condition under which the check fails.
#[derive(Clone, Debug, PartialEq)]
struct Condition {
    figure: String,
    operator: &'static str,
    bound: f64,
}

const OPERATORS: [&str; 4] = [">=", "<=", ">", "<"];

impl Condition {
    fn parse(text: &str) -> Result<Self, String> {
        let found = OPERATORS.iter().find_map(|op| Some((*op, text.split_once(op)?)));
        let (operator, (name, value)) =
            found.ok_or("wants FIGURE OPERATOR VALUE, such as 'gil.wait.p99 > 5ms'")?;
        let name = name.trim();
        let all = compare::catalogue();
        let nothing = Store::new(Target::default());
        let of_import = compare::import_figure(name, &nothing.snapshot(), Range::default());
        let known = all.iter().find(|figure| figure.name == name).or(of_import.as_ref());
        let known = known.ok_or_else(|| {
            let names: Vec<_> = all.iter().map(|figure| figure.name.as_str()).collect();
            let names = names.join(", ");
            format!("there is no figure \"{name}\"; there are {names}, imports.MODULE.bytes")
        })?;
        let bound = bound(known.unit, value.trim())?;
        Ok(Self { figure: name.to_owned(), operator, bound })
    }

    fn is_met(&self, value: f64) -> bool {
        match self.operator {
            ">" => value > self.bound,
            ">=" => value >= self.bound,
            "<" => value < self.bound,
            _ => value <= self.bound,
        }
    }
}

/// A value in the unit of its figure.
fn bound(unit: Unit, text: &str) -> Result<f64, String> {
    let wrong = |what: &str| format!("\"{text}\" is no {what}");
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|value| value.is_finite());
    match unit {
        Unit::Share => match text.strip_suffix('%') {
            Some(percent) => number(percent).map(|value| value / 100.0),
            None => number(text).filter(|share| (0.0..=1.0).contains(share)),
        }
        .ok_or_else(|| wrong("share, such as 80% or 0.8")),
        Unit::Ns => humantime::parse_duration(text)
            .map(|time| time.as_nanos() as f64)
            .map_err(|_| wrong("duration, such as 5ms or 200us")),
        Unit::Bytes => bytes(text).ok_or_else(|| wrong("amount of memory, such as 300MiB")),
        Unit::PerSecond => number(text.strip_suffix("/s").unwrap_or(text))
            .ok_or_else(|| wrong("rate, such as 1000/s")),
        Unit::Cores | Unit::Threads | Unit::Count => number(text).ok_or_else(|| wrong("number")),
    }
}

fn bytes(text: &str) -> Option<f64> {
    let units = [("GiB", 1_u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1), ("", 1)];
    let (number, size) =
        units.iter().find_map(|(unit, size)| Some((text.strip_suffix(unit)?, *size as f64)))?;
    let number = number.trim().parse::<f64>().ok().filter(|value| value.is_finite())?;
    Some(number * size)
}

pub(crate) fn run(flags: &Flags, context: &Context) -> anyhow::Result<ExitCode> {
    let replayed = load(&flags.named.path, context)?;
    let snapshot = replayed.store.snapshot();
    let range = flags.named.range(&snapshot)?;
    let figures = compare::figures(&snapshot, range);
    let mut failures = Vec::new();
    for condition in &flags.fail_if {
        let figure = figures.iter().find(|figure| figure.name == condition.figure).cloned();
        let figure = figure.or_else(|| compare::import_figure(&condition.figure, &snapshot, range));
        let figure = figure.expect("only names of figures are accepted");
        let (failed, line) = judge(condition, &figure);
        talk::print(format!("{line}\n").into_bytes())?;
        if failed {
            failures.push(line);
        }
    }
    if let Some(damage) = replayed.damage {
        return Err(damage.into());
    }
    match failures.as_slice() {
        [] => Ok(ExitCode::SUCCESS),
        [one] => Err(Failure::new(Exit::Check, format!("the check failed: {one}")).into()),
        [one, rest @ ..] => {
            let cause =
                format!("{} of {} checks failed: {one}", failures.len(), flags.fail_if.len());
            Err(rest.iter().fold(Failure::new(Exit::Check, cause), Failure::hint).into())
        }
    }
}

/// Whether it fails, and a line that says why. What is not known is not fine.
fn judge(condition: &Condition, figure: &Figure) -> (bool, String) {
    let Condition { figure: name, operator, bound } = condition;
    let bound = compare::text(figure.unit, Some(*bound));
    let Some(value) = figure.value else {
        return (
            true,
            format!("{name} is not known, so it cannot be told whether it is {operator} {bound}"),
        );
    };
    let failed = condition.is_met(value);
    let verdict = if failed { "is" } else { "is not" };
    (
        failed,
        format!(
            "{name} = {}: {verdict} {operator} {bound}",
            compare::text(figure.unit, Some(value))
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(text: &str) -> Condition {
        Condition::parse(text).unwrap()
    }

    #[test]
    fn conditions_are_read_in_the_unit_of_their_figure() {
        assert_eq!(condition("gil.wait.p99 > 5ms").bound, 5e6);
        assert_eq!(condition("gil.held>=80%").bound, 0.8);
        assert_eq!(condition("gil.held < 0.5").operator, "<");
        assert_eq!(condition("process.rss > 1.5MiB").bound, 1.5 * 1024.0 * 1024.0);
        assert_eq!(condition("gil.acquires <= 1000/s").bound, 1000.0);
        for bad in [
            "",
            "gil.held",
            "gil.held = 1",
            "moon > 1",
            "gil.held > 80",
            "gil.wait.p99 > 5",
            "gil.wait.p99 > NaN",
            "process.rss > many",
            "cpu.total > inf",
        ] {
            assert!(Condition::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_not_known_fails_the_check() {
        let figure = |value| Figure { value, ..compare::catalogue().swap_remove(0) };
        let condition = condition("cpu.total > 2");
        assert!(judge(&condition, &figure(None)).0);
        assert!(judge(&condition, &figure(Some(2.5))).0);
        assert!(!judge(&condition, &figure(Some(2.0))).0);
    }
}
