//! The report as Markdown: short enough for an issue or a chat.

use super::frames::Frames;
use super::schema::*;
use super::{experiments, imports, states};
use crate::batch;
use crate::findings::Finding;
use crate::units::{UNKNOWN, count, duration, escape_markdown, maybe, percent};
use std::io::{Result, Write};

/// Rows of a table at most; what is left out is counted.
const ROWS: usize = 15;

pub fn write(report: &Report, findings: &[Finding], out: &mut impl Write) -> Result<()> {
    let target = &report.target;
    let version = target.python_version.as_deref().unwrap_or("unknown");
    writeln!(out, "# gilscope report: pid {}\n", target.pid)?;
    writeln!(out, "- command: `{}`", target.cmdline.join(" ").replace('`', "'"))?;
    writeln!(out, "- Python {version}, {}", escape_markdown(&target.executable))?;
    let start = crate::plot::date(report.window.start_unix_ns);
    writeln!(out, "- window: {} from {start}", duration(report.window.duration_ns))?;
    if let Some(ended) = &report.ended {
        writeln!(out, "- end: {}", escape_markdown(&ended.text()))?;
    }
    for mark in &report.marks {
        let at = duration(mark.at_ns.max(0) as u64);
        writeln!(out, "- mark at {at}: {}", escape_markdown(&mark.name))?;
    }
    if report.loss.events_lost > 0 {
        writeln!(out, "- **{} events lost**", count(report.loss.events_lost))?;
    }
    write_findings(findings, out)?;
    if let Some(gil) = &report.gil {
        write_gil(gil, out)?;
    }
    for tried in &report.experiments {
        writeln!(out, "\n## Tried: {} ({})\n", tried.remedy, escape_markdown(&tried.setting))?;
        writeln!(out, "| | before | after | |\n|---|--:|--:|--:|")?;
        for [name, before, after, factor] in experiments::rows(tried) {
            writeln!(out, "| {name} | {before} | {after} | {factor} |")?;
        }
    }
    write_states(report, out)?;
    write_threads(report, out)?;
    if let Some(frames) = &report.frames {
        write_frames(frames, out)?;
    }
    write_imports(report, out)?;
    if let Some(blame) = &report.blame {
        write_blame(report, blame, out)?;
    }
    writeln!(out, "\n## Not measured\n")?;
    for note in &report.notes {
        writeln!(out, "- {}: {}", escape_markdown(&note.section), escape_markdown(&note.reason))?;
    }
    Ok(())
}

impl Ended {
    /// For a person.
    pub fn text(&self) -> String {
        let Self { how, reason, at_ns } = self;
        let left = [batch::Ended::DETACHED, batch::Ended::STOPPED].contains(how);
        let went_on = if left { "; the process went on" } else { "" };
        format!("{reason}, at {}{went_on}", duration((*at_ns).max(0) as u64))
    }
}

fn write_findings(findings: &[Finding], out: &mut impl Write) -> Result<()> {
    if findings.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n## What stands out\n")?;
    for finding in findings {
        writeln!(
            out,
            "- **{}** {}",
            escape_markdown(&finding.text),
            escape_markdown(&finding.remedy)
        )?;
    }
    Ok(())
}

fn write_gil(gil: &Gil, out: &mut impl Write) -> Result<()> {
    writeln!(out, "\n## GIL\n")?;
    if let (Some(utilization), Some(waiters)) = (gil.utilization, gil.waiters_mean) {
        writeln!(
            out,
            "Held {} of the time, {waiters:.2} threads waiting on average.",
            percent(utilization)
        )?;
    }
    writeln!(
        out,
        "{} acquires ({} contended), {} handoffs, {} forced releases.\n",
        count(gil.acquires),
        count(gil.acquires_contended),
        count(gil.handoffs),
        count(gil.releases_forced)
    )?;
    writeln!(out, "| | count | p50 | p95 | p99 | max |\n|---|--:|--:|--:|--:|--:|")?;
    let rows = [
        ("hold", &gil.hold),
        ("wait", &gil.wait),
        ("drop request to release", &gil.drop_to_release),
        ("release to acquire", &gil.wake),
    ];
    for (name, row) in rows {
        let [p50, p95, p99, max] = [row.p50_ns, row.p95_ns, row.p99_ns, row.max_ns].map(maybe);
        writeln!(out, "| {name} | {} | {p50} | {p95} | {p99} | {max} |", count(row.count))?;
    }
    Ok(())
}

fn write_states(report: &Report, out: &mut impl Write) -> Result<()> {
    let Some(of) = states::told(report) else { return Ok(()) };
    writeln!(out, "\n## Thread states\n\n{}\n", escape_markdown(&states::sentence(of)))?;
    writeln!(out, "| {} |\n|---|--:|--:|--:|--:|--:|--:|", states::HEADS.join(" | "))?;
    for caller in of.by_caller.iter().take(ROWS) {
        let figures = states::figures(caller).join(" | ");
        writeln!(out, "| {} | {figures} |", escape_markdown(&caller.name()))?;
    }
    left_out(of.by_caller.len(), "callers", out)
}

fn write_imports(report: &Report, out: &mut impl Write) -> Result<()> {
    let Some(of) = imports::told(report) else { return Ok(()) };
    writeln!(out, "\n## Imports\n\n{}\n", escape_markdown(&imports::sentence(of)))?;
    writeln!(out, "| {} |\n|---|---|--:|--:|--:|--:|--:|", imports::HEADS.join(" | "))?;
    let shown = imports::dearest(of);
    for module in &shown {
        let figures = imports::figures(module).join(" | ");
        let [name, by] = [&module.name, &module.by()].map(|text| escape_markdown(text));
        writeln!(out, "| {name} | {by} | {figures} |")?;
    }
    Ok(())
}

fn write_threads(report: &Report, out: &mut impl Write) -> Result<()> {
    writeln!(out, "\n## Threads\n")?;
    writeln!(out, "| thread | class | CPU | held | waited | made others wait | acquires |")?;
    writeln!(out, "|---|---|--:|--:|--:|--:|--:|")?;
    let mut threads: Vec<_> = report.threads.iter().collect();
    threads.sort_by_key(|thread| std::cmp::Reverse(thread.cpu_ns));
    for thread in threads.iter().take(ROWS) {
        let gil = |of: fn(&ThreadGil) -> u64| maybe(thread.gil.as_ref().map(of));
        let class =
            thread.class.map_or(UNKNOWN.into(), |class| format!("{class:?}").to_lowercase());
        let acquires = thread.gil.as_ref().map_or(UNKNOWN.into(), |gil| count(gil.acquires));
        writeln!(
            out,
            "| {} | {class} | {} | {} | {} | {} | {acquires} |",
            escape_markdown(&thread.name),
            maybe(thread.cpu_ns),
            gil(|gil| gil.hold_ns),
            gil(|gil| gil.wait_ns),
            gil(|gil| gil.wait_inflicted_ns)
        )?;
    }
    left_out(threads.len(), "threads", out)
}

fn write_frames(frames: &Frames, out: &mut impl Write) -> Result<()> {
    writeln!(out, "\n## Frames\n\n{}\n", super::frames::sentence(frames))?;
    writeln!(out, "| | count | memory |\n|---|--:|--:|")?;
    for [what, n, bytes] in super::frames::rows(frames) {
        writeln!(out, "| {what} | {n} | {bytes} |")?;
    }
    Ok(())
}

fn write_blame(report: &Report, blame: &[Blame], out: &mut impl Write) -> Result<()> {
    if blame.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n## Who made others wait\n")?;
    writeln!(out, "| thread | function | at | waits | wait inflicted |\n|---|---|---|--:|--:|")?;
    for row in blame.iter().take(ROWS) {
        let (function, place) = place(row);
        writeln!(
            out,
            "| {} | {} | {} | {} | {} |",
            escape_markdown(&name_of(report, row.thread_id)),
            escape_markdown(&function),
            escape_markdown(&place),
            count(row.waits),
            duration(row.wait_inflicted_ns)
        )?;
    }
    left_out(blame.len(), "rows", out)
}

fn left_out(rows: usize, what: &str, out: &mut impl Write) -> Result<()> {
    match rows.checked_sub(ROWS) {
        Some(more @ 1..) => writeln!(out, "\n{more} more {what} in the JSON report."),
        _ => Ok(()),
    }
}

/// Function and "file:line [module]" for a person.
pub fn place(row: &Blame) -> (String, String) {
    let function = row.function.clone().unwrap_or_else(|| "not looked at".into());
    let mut place = row.file.clone().unwrap_or_default();
    if let Some(line) = row.line {
        place = format!("{place}:{line}");
    }
    if let Some(module) = &row.native_module {
        place = format!("{place} [{module}]");
    }
    (function, place.trim().into())
}

/// Ids are reused by the kernel; the last thread of that id is the likeliest.
pub fn name_of(report: &Report, thread_id: u32) -> String {
    let found = report.threads.iter().rev().find(|thread| thread.thread_id == thread_id);
    found.map_or_else(|| format!("thread {thread_id}"), |thread| thread.name.clone())
}
