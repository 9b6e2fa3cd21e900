//! `gilscope compare A B`: two recordings, or ranges of them, side by side with the differences.

use super::Context;
use super::report::{ending, give, is_stdout, load, unknown_ending};
use super::span::Named;
use crate::compare::{self, Side};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  gilscope compare before.gilscope after.gilscope
  gilscope compare 'run.gilscope@0s..cache warm' 'run.gilscope@cache warm..'
  gilscope compare before.gilscope after.gilscope --json | jq '.figures[] | select(.change > 0.1)'";

/// Lay two recordings, or ranges of them, side by side
///
/// Each is FILE or FILE@FROM..TO; the ends are names of marks, or times since the recording began.
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
    /// Write JSON (schema gilscope.compare/1) whatever the file's name
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
    let side = |named: &Named| -> anyhow::Result<(Side, Option<_>)> {
        let replayed = load(&named.path, context)?;
        let snapshot = replayed.store.snapshot();
        Ok((Side::of(&snapshot, named.range(&snapshot)?), replayed.damage))
    };
    let (before, damage_before) = side(&flags.before)?;
    let (after, damage_after) = side(&flags.after)?;
    let comparison = compare::compare(before, after);
    give(&flags.output, flags.force, |mut out| {
        match json {
            true => {
                serde_json::to_writer_pretty(&mut out, &comparison)?;
                writeln!(out)?;
            }
            false => compare::write_markdown(&comparison, &mut out)?,
        }
        Ok(())
    })?;
    // What could be read is compared by now; that it is not all there is an error all the same.
    damage_before.or(damage_after).map_or(Ok(ExitCode::SUCCESS), |damage| Err(damage.into()))
}
