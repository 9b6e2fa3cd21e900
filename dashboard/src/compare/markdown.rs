//! A comparison for reading: short enough for an issue or a chat.

use super::{Comparison, FigureChange, ThreadFigures, Unit};
use crate::plot::date;
use crate::report::experiments::unsampled;
use crate::units::{UNKNOWN, bytes, duration, percent};
use std::io::{Result, Write};

/// Threads shown at most; what is left out is counted.
const ROWS: usize = 20;

pub fn write(comparison: &Comparison, out: &mut impl Write) -> Result<()> {
    writeln!(out, "# gilscope compare\n")?;
    for (which, span) in [("before", &comparison.before), ("after", &comparison.after)] {
        let (command, start) =
            (span.command.replace(['`', '\n', '\r'], " "), date(span.start_unix_ns));
        let length = duration(span.duration_ns);
        writeln!(out, "- {which}: pid {}, `{command}`, {length} from {start}", span.pid)?;
    }
    writeln!(out, "\n| | before | after | difference | change |\n|---|--:|--:|--:|--:|")?;
    for row in &comparison.figures {
        let FigureChange { title, unit, before, after, .. } = row;
        let (before, after) = (text(*unit, *before), text(*unit, *after));
        writeln!(out, "| {title} | {before} | {after} | {} | {} |", difference(row), change(row))?;
    }
    write_notes(comparison, out)?;
    write_threads(comparison, out)
}

/// What of the figures is not known.
fn write_notes(comparison: &Comparison, out: &mut impl Write) -> Result<()> {
    for row in &comparison.figures {
        let notes = [("before", &row.before_note), ("after", &row.after_note)];
        for (which, note) in
            notes.into_iter().filter_map(|(which, note)| Some((which, note.as_ref()?)))
        {
            writeln!(out, "\n{}, {which}: {note}.", row.title)?;
        }
    }
    Ok(())
}

fn write_threads(comparison: &Comparison, out: &mut impl Write) -> Result<()> {
    writeln!(
        out,
        "\n| thread | CPU before | after | GIL held before | after | waited before | after |"
    )?;
    writeln!(out, "|---|--:|--:|--:|--:|--:|--:|")?;
    for row in comparison.threads.iter().take(ROWS) {
        let cell = |side: Option<ThreadFigures>, unit, pick: fn(&ThreadFigures) -> Option<f64>| {
            text(unit, side.as_ref().and_then(pick))
        };
        let cores = |side: Option<ThreadFigures>| {
            let left_out = unsampled(side.map_or(0, |side| side.unsampled));
            cell(side, Unit::Cores, |side| side.cpu_cores) + &left_out
        };
        let pair = |unit, pick| {
            format!("{} | {}", cell(row.before, unit, pick), cell(row.after, unit, pick))
        };
        let cpu = format!("{} | {}", cores(row.before), cores(row.after));
        writeln!(
            out,
            "| {} | {} | {} | {} |",
            row.name.replace(['|', '\n', '\r', '`', '<'], " "),
            cpu,
            pair(Unit::Share, |side| side.hold_share),
            pair(Unit::Share, |side| side.wait_share),
        )?;
    }
    let left_out = comparison.threads.len().saturating_sub(ROWS);
    if left_out > 0 {
        writeln!(out, "\n{left_out} more threads are in the JSON.")?;
    }
    Ok(())
}

/// A figure for a person; "–" where nothing is known.
pub fn text(unit: Unit, value: Option<f64>) -> String {
    let Some(value) = value else { return UNKNOWN.to_owned() };
    match unit {
        Unit::Share => percent(value),
        Unit::Ns => duration(value.round().max(0.0) as u64),
        Unit::PerSecond => format!("{value:.1} /s"),
        Unit::Cores | Unit::Threads => format!("{value:.2}"),
        Unit::Bytes => bytes(value.round().max(0.0) as u64),
        Unit::Count => format!("{value}"),
    }
}

fn difference(row: &FigureChange) -> String {
    let Some(difference) = row.difference else { return UNKNOWN.to_owned() };
    format!("{}{}", sign(difference), text(row.unit, Some(difference.abs())))
}

fn change(row: &FigureChange) -> String {
    row.change
        .map_or(UNKNOWN.to_owned(), |change| format!("{}{}", sign(change), percent(change.abs())))
}

fn sign(value: f64) -> &'static str {
    match value {
        value if value < 0.0 => "−",
        value if value > 0.0 => "+",
        _ => "",
    }
}
