//! `gilscope bench`: the thread tests of the PythonPlus post, side by side, with what the probes saw.

use super::flags::{self, Output};
use super::report::{ending, give, is_stdout};
use super::{Context, python};
use crate::bench::summary::{chosen, summarise};
use crate::bench::write::{Format, write};
use crate::bench::{Arm, Test, run as one};
use crate::errors::Failure;
use crate::output::OutputError;
use crate::remedy::Remedy;
use clap::Args;
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  gilscope bench --try io-priority
  gilscope bench --python /usr/bin/python3 --python ./venv/bin/python --tests lock,http -o bench.html
  gilscope bench --try io-priority --try switch-interval=1ms --rounds 5 --json";

/// Measure how threads share the GIL, with and without a remedy
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Flags {
    /// Interpreter to measure; may be repeated. By default the first CPython found
    #[arg(long, value_name = "PYTHON")]
    python: Vec<OsString>,
    /// Remedy to measure beside the interpreter as it is; may be repeated
    #[arg(long = "try", value_name = "REMEDY")]
    tries: Vec<String>,
    /// Tests to run, by the beginning of their names, separated by commas; by default all
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    tests: Vec<String>,
    /// How often each test is run on each arm
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// How long each test is measured
    #[arg(short, long, value_name = "TIME", default_value = "2s", value_parser = flags::duration)]
    duration: Duration,
    /// Form of the result; by default by the file's ending, Markdown on stdout
    #[arg(long, value_name = "FORM", conflicts_with = "json")]
    format: Option<Format>,
    /// The same as --format json
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    output: Output,
}

pub(crate) async fn run(flags: Flags, context: &Context) -> anyhow::Result<ExitCode> {
    let tests = chosen(&flags.tests).map_err(Failure::usage)?;
    let arms = arms(&flags, context)?;
    let format = format(&flags);
    let to = flags.output.output.as_deref().unwrap_or(Path::new("-"));
    if !flags.output.force && !is_stdout(to) && to.symlink_metadata().is_ok() {
        return Err(OutputError::Exists { path: to.into() }.into()); // before minutes are spent
    }
    let folder = tempfile::tempdir()?;
    let program = one::write_program(folder.path())?;
    let steps = arms.len() as u64 * tests.len() as u64 * u64::from(flags.rounds);
    let bar = context.talk.bar(steps, "measuring");
    let mut outcomes = Vec::new();
    for round in 0..flags.rounds as usize {
        let mut of_round = vec![vec![None; tests.len()]; arms.len()];
        for (arm, test) in order(round, arms.len(), tests.len()) {
            let lasts = flags.duration;
            let measured = one::measure(&arms[arm], tests[test], lasts, &program, &context.plan);
            of_round[arm][test] =
                Some(measured.await.map_err(|error| named(error, &arms[arm], tests[test]))?);
            bar.inc(1);
        }
        outcomes.push(of_round);
    }
    bar.finish_and_clear();
    let summary = summarise(&arms, &tests, &outcomes, flags.duration.as_secs_f64());
    let text = write(&summary, format);
    give(to, flags.output.force, |out| Ok(out.write_all(text.as_bytes())?))?;
    if !is_stdout(to) {
        context.talk.say(format!("written to {}", to.display()));
    }
    Ok(ExitCode::SUCCESS)
}

fn named(error: anyhow::Error, arm: &Arm, test: Test) -> anyhow::Error {
    error.context(format!("{} on {}", test.name, arm.name()))
}

/// Every interpreter as it is, and with each remedy.
fn arms(flags: &Flags, context: &Context) -> anyhow::Result<Vec<Arm>> {
    let parse = |text: &String| Remedy::parse(text, &context.plan).map_err(Failure::usage);
    let remedies = flags.tries.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    let pythons = match flags.python.as_slice() {
        [] => vec![python::find(None)?],
        named => named.iter().map(|name| python::find(Some(name))).collect::<Result<_, _>>()?,
    };
    let of = |python: &python::Python| {
        let arm = |remedy| Arm {
            executable: python.executable.clone(),
            version: python.version.clone(),
            remedy,
        };
        std::iter::once(arm(None))
            .chain(remedies.iter().map(|remedy| arm(Some(*remedy))))
            .collect::<Vec<_>>()
    };
    Ok(pythons.iter().flat_map(of).collect())
}

fn format(flags: &Flags) -> Format {
    let by_name = || match ending(flags.output.output.as_deref()?) {
        "html" | "htm" => Some(Format::Html),
        "json" => Some(Format::Json),
        "svg" => Some(Format::Svg),
        _ => None,
    };
    match flags.json {
        true => Format::Json,
        false => flags.format.or_else(by_name).unwrap_or(Format::Md),
    }
}

/// Arms next to each other within a test, in an order that turns from round to round.
fn order(round: usize, arms: usize, tests: usize) -> Vec<(usize, usize)> {
    let arm = |place: usize| match round % 2 {
        0 => place,
        _ => arms - 1 - place,
    };
    (0..tests).flat_map(|test| (0..arms).map(move |place| (arm(place), test))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_turn_and_leave_nothing_out() {
        assert_eq!(order(0, 2, 2), [(0, 0), (1, 0), (0, 1), (1, 1)]);
        assert_eq!(order(1, 2, 2), [(1, 0), (0, 0), (1, 1), (0, 1)]);
    }
}
