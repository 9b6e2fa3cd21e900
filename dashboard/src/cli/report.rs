//! `gilscope report` and `gilscope export`: files made from a recording.

use super::Context;
use super::span::Named;
use crate::collect::replay::{Replayed, replay};
use crate::errors::Failure;
use crate::output::write_atomically;
use crate::plot::{self, Plot};
use crate::recording::Recording;
use crate::report;
use crate::talk;
use clap::Args;
use clap::builder::PossibleValuesParser;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  gilscope report before.gilscope                   for reading, on the terminal
  gilscope report before.gilscope -o report.html    also .json, .md
  gilscope report before.gilscope --json | jq .gil";

/// Report what a recording shows, every figure of it
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Flags {
    /// Recording
    file: PathBuf,
    /// File to write, .json, .html or .md; - is stdout
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
    /// Overwrite the file if it exists
    #[arg(short, long)]
    force: bool,
    /// Write JSON (schema gilscope.report/1) whatever the file's name
    #[arg(long)]
    json: bool,
}

const EXPORT_EXAMPLES: &str = "\
Examples:
  gilscope export before.gilscope --plot cpu -o cpu.svg      also .png, .csv
  gilscope export before.gilscope --plot gil-wait --format csv
  gilscope export 'before.gilscope@cache warm..' --plot cpu -o warm.svg     from a mark on
  gilscope export before.gilscope --plot cpu --from 5s --to 20s -o cpu.png";

/// Draw a plot of a recording, or give its figures
#[derive(Debug, Args)]
#[command(after_help = EXPORT_EXAMPLES)]
pub(crate) struct ExportFlags {
    /// Recording, or a range of it: FILE@FROM..TO, the ends names of marks or times
    #[arg(value_parser = Named::parse)]
    file: Named,
    /// Where the plot begins: a mark's name, or a time since the recording began
    #[arg(long, value_name = "MOMENT")]
    from: Option<String>,
    /// Where it ends
    #[arg(long, value_name = "MOMENT")]
    to: Option<String>,
    /// Which plot
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(Plot::ALL.map(Plot::name)))]
    plot: String,
    /// File to write, .svg, .png or .csv; - is stdout
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
    /// Overwrite the file if it exists
    #[arg(short, long)]
    force: bool,
    /// What to write, if the file's name does not tell
    #[arg(long, value_parser = ["svg", "png", "csv"])]
    format: Option<String>,
}

pub(crate) fn run(flags: &Flags, context: &Context) -> anyhow::Result<ExitCode> {
    let format = match flags.json {
        true => report::Format::Json,
        false if is_stdout(&flags.output) => report::Format::Markdown,
        false => report::Format::from_extension(ending(&flags.output))
            .ok_or_else(|| unknown_ending(&flags.output, ".json, .html or .md"))?,
    };
    let replayed = load(&flags.file, context)?;
    let snapshot = replayed.store.snapshot();
    give(&flags.output, flags.force, |mut out| {
        Ok(report::write(&snapshot, snapshot.range(), format, &mut out)?)
    })?;
    done(replayed)
}

pub(crate) fn export(flags: &ExportFlags, context: &Context) -> anyhow::Result<ExitCode> {
    let ending = flags.format.as_deref().unwrap_or(ending(&flags.output));
    let format = plot::Format::from_extension(ending).ok_or_else(|| {
        unknown_ending(&flags.output, ".svg, .png or .csv").hint("or say which with --format")
    })?;
    let plot = Plot::from_name(&flags.plot).expect("only names of plots are accepted");
    let named = flags.file.clone().with_ends(flags.from.as_ref(), flags.to.as_ref());
    let replayed = load(&named.path, context)?;
    let snapshot = replayed.store.snapshot();
    // Of an empty recording the plot itself says why there is none.
    let range = match snapshot.range().is_empty() {
        true => snapshot.range(),
        false => named.range(&snapshot)?,
    };
    let detail = match plot.missing(&snapshot, range) {
        Some(missing) => Recording::open(&named.path)?.detail(&missing)?,
        None => None,
    };
    give(&flags.output, flags.force, |mut out| {
        Ok(plot::write(&snapshot, plot, range, detail.as_ref(), format, &mut out)?)
    })?;
    done(replayed)
}

pub(super) fn load(path: &Path, context: &Context) -> anyhow::Result<Replayed> {
    let replayed = replay(path)?;
    if !replayed.finished {
        context.talk.say(format!(
            "{} has no end: it is still being written, or its gilscope was killed",
            path.display()
        ));
    }
    Ok(replayed)
}

/// What could be read is written by now; that it is not all there is an error all the same.
fn done(replayed: Replayed) -> anyhow::Result<ExitCode> {
    replayed.damage.map_or(Ok(ExitCode::SUCCESS), |damage| Err(damage.into()))
}

/// Lets `fill` make the file; stdout gets it in one piece.
pub(super) fn give(
    path: &Path,
    force: bool,
    fill: impl FnOnce(&mut dyn Write) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    if !is_stdout(path) {
        return write_atomically(path, force, fill);
    }
    let mut data = Vec::new();
    fill(&mut data)?;
    Ok(talk::print(data)?)
}

pub(super) fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

pub(super) fn ending(path: &Path) -> &str {
    path.extension().and_then(|ending| ending.to_str()).unwrap_or_default()
}

pub(super) fn unknown_ending(path: &Path, known: &str) -> Failure {
    Failure::usage(format!("{} does not tell what to write", path.display()))
        .remedy(format!("give -o a name that ends in {known}"))
}
