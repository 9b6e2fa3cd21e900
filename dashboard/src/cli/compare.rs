//! `gilscope compare A B`: two recordings, ranges of them, or two results of `bench`, side by side with the
//! differences.

use super::Context;
use super::report::{ending, give, is_stdout, load, unknown_ending};
use super::span::Named;
use crate::bench::compare::{self as bench, Bench};
use crate::compare::{self, Side};
use crate::errors::{Exit, Failure};
use anyhow::Context as _;
use clap::Args;
use serde::Serialize;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  gilscope compare before.gilscope after.gilscope
  gilscope compare 'run.gilscope@0s..cache warm' 'run.gilscope@cache warm..'
  gilscope compare before.json after.json         what `gilscope bench --json` wrote
  gilscope compare before.gilscope after.gilscope --json | jq '.figures[] | select(.change > 0.1)'";

/// Lay two recordings, or ranges of them, side by side
///
/// Each is FILE or FILE@FROM..TO; the ends are names of marks, or times since the recording began. Two
/// results of `gilscope bench --json` are compared test by test.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Flags {
    /// Before: FILE or FILE@FROM..TO
    #[arg(value_parser = Named::parse)]
    before: Named,
    /// After: FILE or FILE@FROM..TO
    #[arg(value_parser = Named::parse)]
    after: Named,
    /// File to write, .md or .json; - is stdout
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
    /// Overwrite the file if it exists
    #[arg(short, long)]
    force: bool,
    /// Write JSON (schema gilscope.compare/1 or gilscope.bench-compare/1) whatever the file's name
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(flags: &Flags, context: &Context) -> anyhow::Result<ExitCode> {
    let json = match ending(&flags.output) {
        _ if flags.json => true,
        "json" => true,
        "md" => false,
        _ if is_stdout(&flags.output) => false,
        _ => return Err(unknown_ending(&flags.output, ".md or .json").into()),
    };
    match (bench(&flags.before.path)?, bench(&flags.after.path)?) {
        (Some(before), Some(after)) => benches(flags, json, &before, &after),
        (None, None) => recordings(flags, json, context),
        (before, _) => {
            let [one, other] = match before {
                Some(_) => [&flags.before.path, &flags.after.path],
                None => [&flags.after.path, &flags.before.path],
            };
            let (one, other) = (one.display(), other.display());
            Err(Failure::usage(format!("{one} is a bench's result, and {other} is none")).into())
        }
    }
}

/// What a bench wrote, if that is what the file is: a recording never begins like JSON.
fn bench(path: &Path) -> anyhow::Result<Option<Bench>> {
    let mut first = [0; 1];
    let opened = File::open(path).and_then(|mut file| file.read_exact(&mut first));
    if opened.is_err() || first != *b"{" {
        return Ok(None);
    }
    let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let bench = Bench::read(&text).map_err(|why| {
        Failure::new(
            Exit::Failure,
            format!("{} is no result of gilscope bench: {why}", path.display()),
        )
        .remedy("make one with `gilscope bench --json -o FILE`")
    })?;
    Ok(Some(bench))
}

fn benches(flags: &Flags, json: bool, before: &Bench, after: &Bench) -> anyhow::Result<ExitCode> {
    let comparison = bench::compare(before, after);
    let markdown = |out: &mut dyn Write| out.write_all(bench::markdown(&comparison).as_bytes());
    write(flags, json, &comparison, markdown)?;
    Ok(ExitCode::SUCCESS)
}

/// As JSON, or as `markdown` has it.
fn write(
    flags: &Flags,
    json: bool,
    comparison: &impl Serialize,
    markdown: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
) -> anyhow::Result<()> {
    give(&flags.output, flags.force, |out| {
        match json {
            true => {
                serde_json::to_writer_pretty(&mut *out, comparison)?;
                writeln!(out)?;
            }
            false => markdown(out)?,
        }
        Ok(())
    })
}

fn recordings(flags: &Flags, json: bool, context: &Context) -> anyhow::Result<ExitCode> {
    let side = |named: &Named| -> anyhow::Result<(Side, Option<_>)> {
        let replayed = load(&named.path, context)?;
        let snapshot = replayed.store.snapshot();
        Ok((Side::of(&snapshot, named.range(&snapshot)?), replayed.damage))
    };
    let (before, damage_before) = side(&flags.before)?;
    let (after, damage_after) = side(&flags.after)?;
    let comparison = compare::compare(before, after);
    write(flags, json, &comparison, |mut out| compare::write_markdown(&comparison, &mut out))?;
    // What could be read is compared by now; that it is not all there is an error all the same.
    damage_before.or(damage_after).map_or(Ok(ExitCode::SUCCESS), |damage| Err(damage.into()))
}
