//! What was tried, before and after, as rows that the report, the terminal and the page agree on.

use crate::units::{UNKNOWN, count, duration, percent};
use crate::view::{Experiment, Figures};
use std::fmt::Write;

/// A figure's name, before, after, and the factor between them.
pub type Row = [String; 4];

/// The rows of one experiment.
pub fn rows(experiment: &Experiment) -> Vec<Row> {
    let rate = |value: f64| format!("{}/s", count(value.round() as u64));
    let time = |ns: Option<u64>| (ns.map(|ns| ns as f64), ns.map_or(UNKNOWN.into(), duration));
    type Show<'a> = &'a dyn Fn(&Figures) -> (Option<f64>, String);
    let per_s = |value: Option<f64>| (value, value.map_or(UNKNOWN.into(), rate));
    let lines: [(&str, Show<'_>); 13] = [
        ("I/O threads: rounds", &|f| (Some(f.io_acquires_per_s), rate(f.io_acquires_per_s))),
        ("I/O threads: mean wait", &|f| time(f.io_wait_mean_ns)),
        ("wait for the GIL, p50", &|f| time(f.wait_p50_ns)),
        ("wait for the GIL, p99", &|f| time(f.wait_p99_ns)),
        ("waits", &|f| (Some(f.waits_per_s), rate(f.waits_per_s))),
        ("handoffs", &|f| (Some(f.handoffs_per_s), rate(f.handoffs_per_s))),
        ("forced releases", &|f| (Some(f.releases_forced_per_s), rate(f.releases_forced_per_s))),
        ("CPU threads: GIL held", &|f| (Some(f.cpu_held_share), percent(f.cpu_held_share))),
        ("CPU threads: cores used", &|f| {
            let text = f.cpu_cores.map_or(UNKNOWN.into(), |cores| format!("{cores:.2}"));
            (f.cpu_cores, text + &unsampled(f.cpu_threads_unsampled))
        }),
        ("CPU threads: lost to switching", &|f| {
            (None, f.cpu_switching_share.map_or(UNKNOWN.into(), percent))
        }),
        ("thread states made", &|f| per_s(f.states_made_per_s)),
        ("thread states: cost of one", &|f| time(f.state_cost_mean_ns)),
        ("thread states: chunks mapped", &|f| per_s(f.chunks_mapped_per_s)),
    ];
    let show = |figures: &Option<Figures>, of: Show<'_>| match figures {
        Some(figures) => of(figures),
        None => (None, UNKNOWN.into()),
    };
    let row = |(name, of): (&str, Show<'_>)| {
        let (before, after) = (show(&experiment.before, of), show(&experiment.after, of));
        let factor = match (before.0, after.0) {
            (Some(before), Some(after)) if before > 0.0 => format!("× {:.2}", after / before),
            _ => UNKNOWN.into(),
        };
        [name.to_owned(), before.1, after.1, factor]
    };
    lines.into_iter().map(row).collect()
}

/// What a sum of CPU leaves out, after the sum.
pub fn unsampled(threads: usize) -> String {
    match threads {
        0 => String::new(),
        n => format!(" (without {n} unsampled)"),
    }
}

/// For a terminal.
pub fn text(experiments: &[Experiment]) -> String {
    let mut out = String::new();
    for experiment in experiments {
        let _ = writeln!(out, "{} ({})", experiment.remedy, experiment.setting);
        let _ = writeln!(out, "  {:<32}{:>14}{:>14}{:>10}", "", "before", "after", "");
        for [name, before, after, factor] in rows(experiment) {
            let _ = writeln!(out, "  {name:<32}{before:>14}{after:>14}{factor:>10}");
        }
    }
    out
}
