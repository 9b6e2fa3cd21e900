//! The report as one HTML file: plots inside as SVG, no scripts, nothing fetched; prints well.

use super::schema::*;
use super::{ReportError, experiments, frames, imports, markdown, states};
use crate::findings::{Finding, findings};
use crate::plot::{self, Plot, PlotError, date};
use crate::store::{Range, Snapshot};
use crate::units::{UNKNOWN, bytes, count, duration, escape_xml as escape, maybe, percent};
use std::io::{Result as IoResult, Write};

/// Rows of a table at most; what is left out is counted.
const ROWS: usize = 40;

const STYLE: &str = "
body{font:15px/1.45 'DejaVu Sans',Verdana,sans-serif;color:#222;max-width:1040px;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}
table{border-collapse:collapse;width:100%;font-size:13px}
th,td{padding:.25rem .5rem;border-bottom:1px solid #ddd;text-align:right;vertical-align:top}
th{background:#f3f3f3}td.t,th.t{text-align:left;overflow-wrap:anywhere}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem}dt{color:#5a5a5a}dd{margin:0;overflow-wrap:anywhere}
figure{margin:1rem 0;border:1px solid #ddd}figure svg{width:100%;height:auto;display:block}
li{margin:.3rem 0}
.warn{background:#fff3d6;padding:.5rem .75rem}
@media print{body{margin:0;max-width:none;font-size:11px}figure,table{break-inside:avoid}h2{break-after:avoid}}
@page{margin:14mm}";

pub fn write(
    snapshot: &Snapshot<'_>,
    range: Range,
    report: &Report,
    out: &mut impl Write,
) -> Result<(), ReportError> {
    let title = format!("gilscope report: pid {}", report.target.pid);
    write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><style>{STYLE}</style></head><body>\n<h1>{title}</h1>\n"
    )?;
    write_facts(report, out)?;
    write_findings(&findings(snapshot, range), out)?;
    if let Some(gil) = &report.gil {
        write_gil(gil, out)?;
    }
    for tried in &report.experiments {
        writeln!(out, "<h2>Tried: {}</h2><p>{}</p>", tried.remedy, escape(&tried.setting))?;
        head(out, &["", "before", "after", ""], 1)?;
        for [name, figures @ ..] in experiments::rows(tried) {
            row(out, &[name], figures)?;
        }
        writeln!(out, "</table>")?;
    }
    // One graph of CPU is enough to read; the one in parts is for who asks.
    let of_states = [Plot::TstateRate, Plot::TstateCost];
    let wanted = |plot: &Plot| {
        *plot != Plot::CpuParts && (states::told(report).is_some() || !of_states.contains(plot))
    };
    for plot in Plot::ALL.into_iter().filter(wanted) {
        match plot::svg(snapshot, plot, range, None) {
            Ok(svg) => writeln!(out, "<figure>{svg}</figure>")?,
            Err(PlotError::NoData { .. }) => {}
            Err(other) => return Err(other.into()),
        }
    }
    write_states(report, out)?;
    if let Some(frames) = &report.frames {
        writeln!(out, "<h2>Frames</h2><p>{}</p>", frames::sentence(frames))?;
        head(out, &["", "count", "memory"], 1)?;
        for [what, figures @ ..] in frames::rows(frames) {
            row(out, &[what], figures)?;
        }
        writeln!(out, "</table>")?;
    }
    write_imports(report, out)?;
    write_threads(report, out)?;
    write_blame(report, out)?;
    write_notes(report, out)?;
    writeln!(out, "</body></html>")?;
    Ok(())
}

fn write_facts(report: &Report, out: &mut impl Write) -> IoResult<()> {
    let target = &report.target;
    let unknown = || "unknown".to_owned();
    let start = date(report.window.start_unix_ns);
    let mut facts = vec![
        ("command", target.cmdline.join(" ")),
        ("Python", target.python_version.clone().unwrap_or_else(unknown)),
        ("executable", target.executable.clone()),
        ("window", format!("{} from {start}", duration(report.window.duration_ns))),
    ];
    if let Some(last) = report.process.as_ref().and_then(|points| points.last()) {
        facts.push(("memory at the end", format!("{} resident", bytes(last.rss_bytes))));
    }
    if let Some(ended) = &report.ended {
        facts.push(("end", ended.text()));
    }
    for mark in &report.marks {
        facts.push(("mark", format!("{}: {}", duration(mark.at_ns.max(0) as u64), mark.name)));
    }
    write!(out, "<dl>")?;
    for (name, value) in facts {
        write!(out, "<dt>{name}</dt><dd>{}</dd>", escape(&value))?;
    }
    writeln!(out, "</dl>")?;
    if report.loss.events_lost > 0 {
        let lost = count(report.loss.events_lost);
        writeln!(out, "<p class=\"warn\">{lost} events were lost; the totals are exact.</p>")?;
    }
    Ok(())
}

fn write_findings(findings: &[Finding], out: &mut impl Write) -> IoResult<()> {
    if findings.is_empty() {
        return Ok(());
    }
    writeln!(out, "<h2>What stands out</h2><ol>")?;
    for finding in findings {
        let (text, remedy) = (escape(&finding.text), escape(&finding.remedy));
        writeln!(out, "<li><b>{text}</b> {remedy}</li>")?;
    }
    writeln!(out, "</ol>")
}

fn write_gil(gil: &Gil, out: &mut impl Write) -> IoResult<()> {
    writeln!(out, "<h2>GIL</h2>")?;
    if let (Some(utilization), Some(waiters)) = (gil.utilization, gil.waiters_mean) {
        let held = percent(utilization);
        writeln!(out, "<p>Held {held} of the time, {waiters:.2} threads waiting on average; ")?;
    }
    writeln!(
        out,
        "{} acquires ({} contended), {} handoffs, {} forced releases.</p>",
        count(gil.acquires),
        count(gil.acquires_contended),
        count(gil.handoffs),
        count(gil.releases_forced)
    )?;
    head(out, &["duration of", "count", "sum", "p50", "p95", "p99", "max"], 1)?;
    let rows = [
        ("hold", &gil.hold),
        ("wait", &gil.wait),
        ("drop request to release", &gil.drop_to_release),
        ("release to acquire", &gil.wake),
    ];
    for (name, of) in rows {
        let quantiles = [of.p50_ns, of.p95_ns, of.p99_ns, of.max_ns].map(maybe);
        let figures = [count(of.count), duration(of.sum_ns)].into_iter().chain(quantiles);
        row(out, &[name.to_owned()], figures)?;
    }
    writeln!(out, "</table>")
}

fn write_states(report: &Report, out: &mut impl Write) -> IoResult<()> {
    let Some(of) = states::told(report) else { return Ok(()) };
    writeln!(out, "<h2>Thread states</h2><p>{}</p>", escape(&states::sentence(of)))?;
    head(out, &states::HEADS, 1)?;
    for caller in of.by_caller.iter().take(ROWS) {
        row(out, &[caller.name()], states::figures(caller))?;
    }
    writeln!(out, "</table>")?;
    left_out(out, of.by_caller.len())
}

fn write_imports(report: &Report, out: &mut impl Write) -> IoResult<()> {
    let Some(of) = imports::told(report) else { return Ok(()) };
    writeln!(out, "<h2>Imports</h2><p>{}</p>", escape(&imports::sentence(of)))?;
    head(out, &imports::HEADS, 2)?;
    for module in imports::dearest(of) {
        row(out, &[module.name.clone(), module.by()], imports::figures(module))?;
    }
    writeln!(out, "</table>")
}

fn write_threads(report: &Report, out: &mut impl Write) -> IoResult<()> {
    writeln!(out, "<h2>Threads</h2>")?;
    let names = ["thread", "class", "id", "CPU", "held", "waited", "made others wait", "acquires"];
    head(out, &names, 2)?;
    let mut threads: Vec<_> = report.threads.iter().collect();
    threads.sort_by_key(|thread| std::cmp::Reverse(thread.cpu_ns));
    for thread in threads.iter().take(ROWS) {
        let gil = |of: fn(&ThreadGil) -> u64| thread.gil.as_ref().map(of);
        let class =
            thread.class.map_or(UNKNOWN.into(), |class| format!("{class:?}").to_lowercase());
        let figures = [
            thread.thread_id.to_string(),
            maybe(thread.cpu_ns),
            maybe(gil(|gil| gil.hold_ns)),
            maybe(gil(|gil| gil.wait_ns)),
            maybe(gil(|gil| gil.wait_inflicted_ns)),
            gil(|gil| gil.acquires).map_or(UNKNOWN.into(), count),
        ];
        row(out, &[thread.name.clone(), class], figures)?;
    }
    writeln!(out, "</table>")?;
    left_out(out, threads.len())
}

fn write_blame(report: &Report, out: &mut impl Write) -> IoResult<()> {
    let Some(blame) = report.blame.as_ref().filter(|rows| !rows.is_empty()) else { return Ok(()) };
    writeln!(out, "<h2>Who made others wait</h2>")?;
    head(out, &["thread", "function", "at", "waits", "wait inflicted"], 3)?;
    for of in blame.iter().take(ROWS) {
        let (function, place) = markdown::place(of);
        let figures = [count(of.waits), duration(of.wait_inflicted_ns)];
        row(out, &[markdown::name_of(report, of.thread_id), function, place], figures)?;
    }
    writeln!(out, "</table>")?;
    left_out(out, blame.len())
}

fn write_notes(report: &Report, out: &mut impl Write) -> IoResult<()> {
    writeln!(out, "<h2>Not measured</h2><dl>")?;
    for note in &report.notes {
        writeln!(out, "<dt>{}</dt><dd>{}</dd>", escape(&note.section), escape(&note.reason))?;
    }
    writeln!(out, "</dl>")
}

/// Opens a table; the first `text` columns hold text.
fn head(out: &mut impl Write, names: &[&str], text: usize) -> IoResult<()> {
    write!(out, "<table><tr>")?;
    for (at, name) in names.iter().enumerate() {
        let class = if at < text { " class=\"t\"" } else { "" };
        write!(out, "<th{class}>{name}</th>")?;
    }
    writeln!(out, "</tr>")
}

fn row(
    out: &mut impl Write,
    texts: &[String],
    figures: impl IntoIterator<Item = String>,
) -> IoResult<()> {
    write!(out, "<tr>")?;
    for text in texts {
        write!(out, "<td class=\"t\">{}</td>", escape(text))?;
    }
    for figure in figures {
        write!(out, "<td>{}</td>", escape(&figure))?;
    }
    writeln!(out, "</tr>")
}

fn left_out(out: &mut impl Write, rows: usize) -> IoResult<()> {
    match rows.checked_sub(ROWS) {
        Some(more @ 1..) => writeln!(out, "<p>{more} more in the JSON report.</p>"),
        _ => Ok(()),
    }
}
