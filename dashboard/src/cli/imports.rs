//! `gilscope imports -- COMMAND`: what a command's imports cost, over several runs.
//!
//! Each run is a `gilscope run` of its own, as a person would start it; in turn with them the command runs
//! without gilscope. What the command prints is not shown.

use super::Context;
use super::flags::Output;
use super::report::{give, is_stdout, load};
use crate::bench::summary::Spread;
use crate::errors::{Exit, Failure};
use crate::output::OutputError;
use crate::store::ImportRows;
use crate::talk::printable;
use crate::units;
use crate::weigh::{Module, Weight, distinct, weigh};
use anyhow::Context as _;
use clap::Args;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

const EXAMPLES: &str = "\
Examples:
  gilscope imports -- python app.py --help
  gilscope imports --runs 10 --top 40 -- aws --version
  gilscope imports --json -- black --version | jq '.modules[:3]'";

/// Say what the imports of a command cost, in memory and time, over several runs
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Flags {
    /// The command and its arguments; it should end by itself. Its output is not shown
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
    /// How often it is run with and without gilscope; once more before, to warm up
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: u32,
    /// How many imports are listed; JSON has all
    #[arg(long, value_name = "N", default_value_t = 25)]
    top: usize,
    /// Write JSON (schema gilscope.imports/1)
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    output: Output,
}

pub(crate) fn run(flags: &Flags, context: &Context) -> anyhow::Result<ExitCode> {
    let to = flags.output.output.as_deref().unwrap_or(Path::new("-"));
    if !flags.output.force && !is_stdout(to) && to.symlink_metadata().is_ok() {
        return Err(OutputError::Exists { path: to.into() }.into()); // before minutes are spent
    }
    let weight = measure(flags, context)?;
    let text = match flags.json {
        true => serde_json::to_string_pretty(&weight)? + "\n",
        false => told(&weight, flags.top),
    };
    give(to, flags.output.force, |out| Ok(out.write_all(text.as_bytes())?))?;
    if !is_stdout(to) {
        context.talk.say(format!("written to {}", to.display()));
    }
    Ok(ExitCode::SUCCESS)
}

fn measure(flags: &Flags, context: &Context) -> anyhow::Result<Weight> {
    let folder = tempfile::tempdir()?;
    let bar = context.talk.bar(u64::from(flags.runs) * 2 + 1, "running");
    plain(&flags.command)?; // compiles what is not compiled yet
    bar.inc(1);
    let (mut runs, mut codes, mut plain_ns) = (vec![], vec![], vec![]);
    for _ in 0..flags.runs {
        plain_ns.push(plain(&flags.command)?);
        bar.inc(1);
        let (imports, code) = watched(&flags.command, folder.path().join("r"), context)?;
        runs.push(imports);
        codes.push(code);
        bar.inc(1);
    }
    bar.finish_and_clear();
    let command = flags.command.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    Ok(weigh(command, &runs, codes, &plain_ns))
}

fn quiet(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())
}

/// Runs the command as it is; ns from start to end.
fn plain(command: &[OsString]) -> anyhow::Result<u64> {
    let (program, arguments) = command.split_first().context("no command")?;
    let began = Instant::now();
    let ended = quiet(Command::new(program).args(arguments)).status();
    ended.map_err(|error| {
        let what = format!("cannot start {}: {error}", program.to_string_lossy());
        Failure::new(Exit::Target, what).remedy("name a command that runs, after --")
    })?;
    Ok(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX))
}

/// Runs the command under gilscope; what it imported, and how it ended.
fn watched(
    command: &[OsString],
    recording: PathBuf,
    context: &Context,
) -> anyhow::Result<(ImportRows, i32)> {
    let own = std::env::current_exe().context("finding gilscope's own program")?;
    let mut run = Command::new(own);
    run.args(["run", "--no-dashboard", "-q", "-f", "--probes", "gil,cpu,imports", "-o"]);
    run.arg(&recording).arg("--").args(command);
    let status = quiet(&mut run).status().context("running gilscope")?;
    let code = status.code().unwrap_or(1);
    let nothing = |why: &str| {
        let shown: Vec<_> = command.iter().map(|part| part.to_string_lossy()).collect();
        Failure::new(
            Exit::Target,
            format!("no imports were seen in the command, which ended with {code}: {why}"),
        )
        .remedy(format!(
            "`gilscope run --probes gil,cpu,imports -- {}` shows its output",
            shown.join(" ")
        ))
    };
    if !recording.exists() {
        return Err(nothing("no Python that can be watched ran in it").into());
    }
    let replayed = load(&recording, context)?;
    let snapshot = replayed.store.snapshot();
    let why = snapshot.notes().get("imports").map_or("the probe has told nothing", String::as_str);
    let imports = snapshot.imports(snapshot.range()).ok_or_else(|| nothing(why))?;
    std::fs::remove_file(&recording)?; // the next run must not be taken for this one
    Ok((imports, code))
}

fn told(weight: &Weight, top: usize) -> String {
    let mut text = String::new();
    let command = printable(&weight.command.join(" "));
    let _ = writeln!(text, "{} runs of `{command}`: median (least to most)\n", weight.runs);
    let count = |value: f64| units::count(value.max(0.0) as u64);
    for (name, of, show) in [
        ("imports", weight.count, &count as &dyn Fn(f64) -> String),
        ("memory they keep", weight.bytes, &amount),
        ("time they take", weight.time_ns, &time),
        ("command, without gilscope", weight.plain_ns, &time),
    ] {
        let _ = writeln!(
            text,
            "  {name:<26} {}",
            of.map_or(units::UNKNOWN.into(), |of| ranged(of, show))
        );
    }
    let codes = distinct(&weight.exit_codes);
    if codes != [0] {
        let codes: Vec<_> = codes.iter().map(ToString::to_string).collect();
        let _ = writeln!(text, "  {:<26} {}", "exit codes", codes.join(", "));
    }
    let _ = writeln!(
        text,
        "\nImports of one package by another, largest first, each with all that it imports in turn. Made lazy, it\n\
         saves that as long as it is not used, if nothing else imports the same; whether it does is not known.\n"
    );
    text + &table(weight.borders().take(top))
}

fn table<'a>(modules: impl Iterator<Item = &'a Module>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["MEMORY", "ITS OWN", "TIME", "LEAST TO MOST", "MODULE", "IMPORTED AT"]);
    for one in modules {
        let median = |of: Option<Spread>, show: &dyn Fn(f64) -> String| {
            of.map_or(units::UNKNOWN.into(), |of| show(of.median))
        };
        let file = one.file.as_deref().unwrap_or(units::UNKNOWN);
        let line = one.line.map_or(String::new(), |line| format!(":{line}"));
        table.add_row([
            median(one.bytes, &amount),
            median(one.bytes_self, &amount),
            median(one.time_ns, &time),
            one.time_ns.map_or(units::UNKNOWN.into(), |of| {
                format!("{} to {}", time(of.least), time(of.most))
            }),
            printable(&one.name),
            printable(&format!("{file}{line}")),
        ]);
    }
    for number in 0..4 {
        if let Some(column) = table.column_mut(number) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

fn ranged(of: Spread, show: &dyn Fn(f64) -> String) -> String {
    format!("{} ({} to {})", show(of.median), show(of.least), show(of.most))
}

fn amount(bytes: f64) -> String {
    crate::report::imports::signed(bytes as i64)
}

fn time(ns: f64) -> String {
    units::duration(ns.max(0.0) as u64)
}
