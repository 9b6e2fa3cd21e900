//! A range in figures that may be laid beside those of another range: nothing in them grows with its
//! length. Also what `gilscope check` looks at.

use crate::batch::StateCounters;
use crate::store::{
    BandParts, Distribution, ImportRow, ImportRows, Range, Snapshot, ThreadRow, ratio, total,
};
use crate::units::{duration, percent};
use serde::Serialize;

/// What a figure is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// 0 to 1.
    Share,
    Ns,
    PerSecond,
    Cores,
    /// A mean number of threads.
    Threads,
    Bytes,
    /// A plain number.
    Count,
}

/// One figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// "gil.wait.p99": stable, for programs.
    pub name: String,
    /// For people.
    pub title: String,
    pub unit: Unit,
    /// Null: not known.
    pub value: Option<f64>,
    /// Why it is not known, or what of it is not; for people.
    pub note: Option<String>,
}

/// All figures that there are, in their order, without values.
pub fn catalogue() -> Vec<Figure> {
    let store = crate::store::Store::new(Default::default());
    figures(&store.snapshot(), Range::default())
}

/// All figures of a range.
pub fn figures(snapshot: &Snapshot<'_>, range: Range) -> Vec<Figure> {
    let mut all = cpu(snapshot, range);
    all.extend(gil(snapshot, range));
    let histograms = snapshot.histograms(range);
    let of = |pick: fn(&crate::store::Histograms) -> &Distribution| histograms.as_ref().map(pick);
    all.extend(distribution("gil.wait", "GIL wait", of(|all| &all.wait)));
    all.extend(distribution("gil.hold", "GIL hold", of(|all| &all.hold)));
    let drop = of(|all| &all.drop_to_release);
    all.extend(distribution("gil.drop_to_release", "drop request to release", drop));
    all.extend(distribution("gil.wake", "release to acquire", of(|all| &all.wake)));
    all.extend(states(snapshot, range));
    all.extend(process(snapshot, range));
    all.extend(frames(snapshot, range));
    all.extend(imports(snapshot, range));
    all
}

fn figure(name: &str, title: &str, unit: Unit, value: Option<f64>) -> Figure {
    Figure { name: name.into(), title: title.into(), unit, value, note: None }
}

fn cpu(snapshot: &Snapshot<'_>, range: Range) -> Vec<Figure> {
    let series = snapshot.cpu_in_parts(range, 1);
    let length_ns = series.range.length_ns();
    let parts: Vec<_> = series.bands.iter().filter_map(|band| band.parts.as_ref()).collect();
    // Of nothing, `sum` would give -0.0.
    let total = |all: &mut dyn Iterator<Item = u64>| all.fold(0.0, |sum, ns| sum + ns as f64);
    let sum = |pick: &dyn Fn(&BandParts) -> u64| total(&mut parts.iter().map(|part| pick(part)));
    let cpu_ns = total(&mut series.bands.iter().map(|band| band.cpu_ns));
    let unknown_ns: f64 = sum(&|part| part.unknown_ns);
    // A part that is mostly not known would be compared with one that is.
    let known = cpu_ns == 0.0 || unknown_ns * 2.0 < cpu_ns;
    let cores = |ns: f64| (length_ns > 0).then(|| ns / length_ns as f64);
    let split = |name, title, ns| Figure {
        note: split_note(snapshot, unknown_ns, cpu_ns),
        ..figure(name, title, Unit::Cores, cores(ns).filter(|_| known && snapshot.has_gil()))
    };
    let (holding, running) = (sum(&|part| part.holding_ns), sum(&|part| part.running_ns));
    let runnable = sum(&|part| part.runnable_ns.unwrap_or(0));
    vec![
        figure("cpu.total", "CPU", Unit::Cores, cores(cpu_ns)),
        split("cpu.holding", "CPU with the GIL", holding),
        split("cpu.running", "CPU without it", running),
        figure("cpu.runnable", "waiting for a core", Unit::Cores, cores(runnable)),
    ]
}

/// What is not in the sums of CPU with and without the GIL.
fn split_note(snapshot: &Snapshot<'_>, unknown_ns: f64, cpu_ns: f64) -> Option<String> {
    if !snapshot.has_gil() {
        return Some("the GIL was not watched".to_owned());
    }
    let what = "of CPU of which it is not known whether the GIL was held";
    let share = percent(unknown_ns / cpu_ns);
    (unknown_ns > 0.0).then(|| format!("without {} {what} ({share})", duration(unknown_ns as u64)))
}

fn gil(snapshot: &Snapshot<'_>, range: Range) -> Vec<Figure> {
    let totals = snapshot.totals(range);
    let rate = |pick: fn(&crate::store::GilTotals) -> u64| {
        totals.and_then(|t| ratio(pick(&t), t.held_ns + t.free_ns)).map(|per_ns| per_ns * 1e9)
    };
    let share = |part: fn(&crate::store::GilTotals) -> u64,
                 whole: fn(&crate::store::GilTotals) -> u64| {
        totals.and_then(|t| ratio(part(&t), whole(&t)))
    };
    vec![
        figure("gil.held", "GIL held", Unit::Share, totals.and_then(|t| t.utilization())),
        figure(
            "gil.waiters",
            "threads waiting for it",
            Unit::Threads,
            totals.and_then(|t| t.waiters_mean()),
        ),
        figure("gil.acquires", "acquires", Unit::PerSecond, rate(|t| t.acquires)),
        figure(
            "gil.contended",
            "of which had to wait",
            Unit::Share,
            share(|t| t.acquires_contended, |t| t.acquires),
        ),
        figure("gil.handoffs", "handoffs", Unit::PerSecond, rate(|t| t.handoffs)),
        figure("gil.drop_requests", "drop requests", Unit::PerSecond, rate(|t| t.drop_requests)),
        figure(
            "gil.forced",
            "forced releases",
            Unit::Share,
            share(|t| t.releases_forced, |t| t.releases_forced + t.releases_voluntary),
        ),
    ]
}

/// One figure of a distribution.
type Quantile = fn(&Distribution) -> Option<u64>;

fn distribution(name: &str, title: &str, of: Option<&Distribution>) -> Vec<Figure> {
    let ns = |pick: Quantile| of.and_then(pick).map(|ns| ns as f64);
    let quantiles: [(&str, Quantile); 4] = [
        ("p50", |all| all.p50_ns),
        ("p95", |all| all.p95_ns),
        ("p99", |all| all.p99_ns),
        ("max", |all| all.max_ns),
    ];
    let one = |(part, pick): (&str, Quantile)| {
        figure(&format!("{name}.{part}"), &format!("{title} {part}"), Unit::Ns, ns(pick))
    };
    quantiles.map(one).to_vec()
}

/// Of a range in which something was imported; what two programs import is laid side by side as a whole.
fn imports(snapshot: &Snapshot<'_>, range: Range) -> Vec<Figure> {
    let rows = snapshot.imports(range);
    let value = |pick: fn(&ImportRows) -> Option<f64>| rows.as_ref().and_then(pick);
    vec![
        figure("imports.count", "imports", Unit::Count, value(|rows| Some(rows.count as f64))),
        figure(
            "imports.bytes",
            "memory that imports kept",
            Unit::Bytes,
            value(|rows| rows.total_bytes.map(|bytes| bytes as f64)),
        ),
        figure(
            "imports.time",
            "time of imports",
            Unit::Ns,
            value(|rows| Some(rows.total_ns as f64)),
        ),
    ]
}

/// A figure of one import by its name, "imports.pandas.bytes": all that it brought along included; the
/// first one, if it was asked for more than once. None if that is not how such figures are called.
pub fn import_figure(name: &str, snapshot: &Snapshot<'_>, range: Range) -> Option<Figure> {
    let (module, of) = name.strip_prefix("imports.")?.rsplit_once('.')?;
    let rows = snapshot.imports(range).map(|rows| rows.rows).unwrap_or_default();
    let row = rows.into_iter().find(|row| row.fact.name == module && !row.fact.failed);
    let value = |pick: fn(&ImportRow) -> Option<f64>| row.as_ref().and_then(pick);
    let (unit, value) = match of {
        "bytes" => (Unit::Bytes, value(|row| row.fact.bytes.map(|bytes| bytes as f64))),
        "bytes_self" => (Unit::Bytes, value(|row| row.bytes_self.map(|bytes| bytes as f64))),
        "peak_bytes" => (Unit::Bytes, value(|row| row.fact.peak_bytes.map(|bytes| bytes as f64))),
        "time" => (Unit::Ns, value(|row| row.fact.time_ns.map(|ns| ns as f64))),
        "time_self" => (Unit::Ns, value(|row| row.time_self_ns.map(|ns| ns as f64))),
        _ => return None,
    };
    Some(figure(name, &format!("import of {module}"), unit, value))
}

fn states(snapshot: &Snapshot<'_>, range: Range) -> Vec<Figure> {
    let totals = snapshot.states(range);
    let length_ns = totals.as_ref().map_or(0, |totals| totals.range.length_ns());
    let all = totals.map(|totals| totals.all);
    let each = |sum: fn(&StateCounters) -> u64| all.and_then(|all| ratio(sum(&all), all.cycles));
    let rate = |sum: fn(&StateCounters) -> u64| all.and_then(|all| ratio(sum(&all), length_ns));
    let per_s = |sum| rate(sum).map(|per_ns| per_ns * 1e9);
    let made = per_s(StateCounters::created);
    vec![
        figure("tstate.calls", "PyGILState_Ensure", Unit::PerSecond, per_s(StateCounters::calls)),
        figure("tstate.created", "thread states made", Unit::PerSecond, made),
        figure(
            "tstate.cost",
            "making and deleting them",
            Unit::Cores,
            rate(StateCounters::cost_ns),
        ),
        figure("tstate.cycle", "the same, for one", Unit::Ns, each(StateCounters::cost_ns)),
    ]
}

fn process(snapshot: &Snapshot<'_>, range: Range) -> Vec<Figure> {
    let series = snapshot.process(range, 1);
    let rss = series.rss_bytes.iter().flatten().max().map(|bytes| *bytes as f64);
    let threads = series.threads.iter().flatten().max().map(|count| f64::from(*count));
    let lost = total(snapshot.lost().values().copied()) as f64;
    vec![
        figure("process.rss", "memory in RAM, most", Unit::Bytes, rss),
        figure("process.threads", "threads, most", Unit::Count, threads),
        figure("loss.events", "events lost in the whole session", Unit::Count, Some(lost)),
    ]
}

/// At the end of the range.
fn frames(snapshot: &Snapshot<'_>, range: Range) -> Vec<Figure> {
    let figures = snapshot.frames(range).map(|frames| frames.figures()).unwrap_or_default();
    let bytes = |of: Option<u64>| of.map(|bytes| bytes as f64);
    let idle = "memory held for frames that do not run";
    let resident = "memory in RAM, of all held for frames";
    vec![
        figure("frames.idle", idle, Unit::Bytes, bytes(figures.idle_bytes)),
        figure("frames.resident", resident, Unit::Bytes, bytes(figures.resident_bytes)),
    ]
}

/// What the threads of one name did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct ThreadFigures {
    /// How many threads have the name.
    pub threads: usize,
    /// Mean cores of those that were sampled; null if none was.
    pub cpu_cores: Option<f64>,
    /// Threads that are not in `cpu_cores`: they lived between two samples.
    pub unsampled: usize,
    /// Shares of the range; of several threads their sum. Null: the GIL is not watched.
    pub hold_share: Option<f64>,
    pub wait_share: Option<f64>,
    pub inflicted_share: Option<f64>,
}

/// The threads of a range by name, since that is all that two processes' threads have in common.
pub fn threads(snapshot: &Snapshot<'_>, range: Range) -> Vec<(String, ThreadFigures)> {
    let cpu_ns = snapshot.cpu(range, 1).range.length_ns();
    let gil_ns = snapshot.totals(range).map_or(0, |totals| totals.range.length_ns());
    let mut all: Vec<(String, ThreadFigures)> = Vec::new();
    for row in snapshot.thread_rows(range) {
        let known = all.iter().position(|(name, _)| *name == row.name);
        let at = known.unwrap_or_else(|| {
            all.push((row.name.clone(), ThreadFigures::default()));
            all.len() - 1
        });
        add(&mut all[at].1, &row, cpu_ns, gil_ns);
    }
    all
}

fn add(sum: &mut ThreadFigures, row: &ThreadRow, cpu_ns: u64, gil_ns: u64) {
    let plus = |sum: Option<f64>, more: Option<f64>| match (sum, more) {
        (None, None) => None,
        (sum, more) => Some(sum.unwrap_or(0.0) + more.unwrap_or(0.0)),
    };
    let gil = row.gil.as_ref();
    sum.threads += 1;
    sum.unsampled += usize::from(row.cpu.is_none());
    sum.cpu_cores = plus(sum.cpu_cores, row.cpu.and_then(|cpu| ratio(cpu.cpu_ns, cpu_ns)));
    sum.hold_share = plus(sum.hold_share, gil.and_then(|gil| ratio(gil.hold_ns, gil_ns)));
    sum.wait_share = plus(sum.wait_share, gil.and_then(|gil| ratio(gil.wait_ns, gil_ns)));
    let inflicted = gil.and_then(|gil| ratio(gil.wait_inflicted_ns, gil_ns));
    sum.inflicted_share = plus(sum.inflicted_share, inflicted);
}
