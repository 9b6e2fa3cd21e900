//! `tstate-rate`: thread states made and deleted over time. `tstate-cost`: what one cycle takes, in parts.

use super::canvas::{self, *};
use super::table::{Table, known, seconds};
use super::time_axis::{self, Values};
use super::{Plot, PlotError};
use crate::batch::StateCounters;
use crate::store::{Range, Snapshot, StateSeries, StateTotals};
use crate::units;
use plotters::prelude::*;

/// Pixels over the width of the plot.
const PIXELS: usize = 480;

const CREATED: RGBColor = PALETTE[0];
const KEPT: RGBColor = PALETTE[4];

/// The parts of a cycle from the bottom up; the page draws them in the same order.
const PARTS: [(&str, RGBColor); 5] = [
    ("making the state", PALETTE[0]),
    ("mapping chunks", PALETTE[1]),
    ("deleting", PALETTE[2]),
    ("waiting for the GIL", PALETTE[3]),
    ("running", PALETTE[5]),
];

/// Drawn over only as much of it as was watched.
fn series(snapshot: &Snapshot<'_>, range: Range) -> Option<StateSeries> {
    snapshot.state_series(range, PIXELS).filter(|series| series.pixels.count > 0)
}

fn parts(series: &StateSeries) -> [&Vec<Option<f32>>; 5] {
    [&series.create_ns, &series.chunk_ns, &series.delete_ns, &series.gil_wait_ns, &series.run_ns]
}

pub fn draw(
    snapshot: &Snapshot<'_>,
    plot: Plot,
    range: Range,
) -> Option<Result<String, PlotError>> {
    let series = series(snapshot, range)?;
    let totals = snapshot.states(range)?;
    let is_rate = plot == Plot::TstateRate;
    let (legend, description) = if is_rate { rate_legend() } else { cost_legend(&totals) };
    let sheet = Sheet {
        title: plot.title().into(),
        summary: summary(&totals),
        legend: Some(("", legend)),
        patterns: Default::default(),
        description: description.into(),
    };
    let body = |area: &Area<'_>| match is_rate {
        true => draw_rate(area, snapshot, &series),
        false => draw_cost(area, snapshot, &series),
    };
    Some(canvas::draw(snapshot, series.range, &sheet, body))
}

fn summary(totals: &StateTotals) -> String {
    let all = &totals.all;
    format!(
        "{} calls of PyGILState_Ensure in {}, {} made a state; making and deleting took {} a cycle",
        units::count(all.calls()),
        units::duration(totals.range.length_ns()),
        units::count(all.fresh_in_all()),
        each(all, all.cost_ns()),
    )
}

/// A sum over all cycles as that of one.
fn each(all: &StateCounters, ns: u64) -> String {
    units::maybe(ns.checked_div(all.cycles))
}

fn entry(color: RGBColor, name: &str, figure: String) -> Entry {
    Entry { color, name: name.into(), figure }
}

fn rate_legend() -> (Vec<Entry>, &'static str) {
    let entries = vec![
        entry(CREATED, "states made", String::new()),
        entry(KEPT, "calls with a kept state", String::new()),
    ];
    (entries, "Thread states made a second, and calls that found one that was kept.")
}

fn cost_legend(totals: &StateTotals) -> (Vec<Entry>, &'static str) {
    let all = &totals.all;
    let sums = [all.create_ns, all.chunk_ns, all.delete_ns, all.gil_wait_ns, all.run_ns];
    let figure = |ns| each(all, ns);
    let entries = PARTS.iter().zip(sums).map(|((name, color), ns)| entry(*color, name, figure(ns)));
    (entries.collect(), "What one way through a temporary thread state takes, in its parts.")
}

fn draw_rate(area: &Area<'_>, snapshot: &Snapshot<'_>, series: &StateSeries) -> Drawn {
    let lines = [(&series.created_per_s, CREATED), (&series.kept_per_s, KEPT)];
    let highest = lines.iter().flat_map(|(values, _)| values.iter()).copied().fold(1.0, f32::max);
    let label = |value: &f64| time_axis::plain(*value);
    let values = Values { max: f64::from(highest) * 1.06, title: "per second", label: &label };
    let mut chart = time_axis::chart(area, series.range, &values, true)?;
    for (values, color) in lines {
        let values: Vec<f64> = values.iter().map(|value| f64::from(*value)).collect();
        let edge = time_axis::points(series.range, &series.pixels, &values);
        let outline = time_axis::under(&edge);
        chart.draw_series([Polygon::new(outline, color.mix(0.2).filled())]).map_err(failed)?;
        chart.draw_series([PathElement::new(edge, color.stroke_width(2))]).map_err(failed)?;
    }
    time_axis::draw_marks(area, &chart, series.range, snapshot.marks(), true)
}

fn draw_cost(area: &Area<'_>, snapshot: &Snapshot<'_>, series: &StateSeries) -> Drawn {
    let mut below = vec![0.0; series.pixels.count];
    let mut tops = Vec::new();
    for part in parts(series) {
        for (sum, value) in below.iter_mut().zip(part) {
            *sum += f64::from(value.unwrap_or(0.0)) / 1000.0;
        }
        tops.push(below.clone());
    }
    let highest = below.iter().copied().fold(1.0, f64::max);
    let label = |value: &f64| time_axis::plain(*value);
    let values = Values { max: highest * 1.06, title: "µs a cycle", label: &label };
    let mut chart = time_axis::chart(area, series.range, &values, true)?;
    for (top, (_, color)) in tops.iter().zip(PARTS).rev() {
        let edge = time_axis::points(series.range, &series.pixels, top);
        let outline = time_axis::under(&edge);
        chart.draw_series([Polygon::new(outline, color.filled())]).map_err(failed)?;
    }
    time_axis::draw_marks(area, &chart, series.range, snapshot.marks(), true)
}

pub fn table(snapshot: &Snapshot<'_>, range: Range) -> Option<Table> {
    let series = series(snapshot, range)?;
    let mut table = Table::new(&[
        "time_s",
        "created_per_s",
        "deleted_per_s",
        "kept_per_s",
        "create_ns",
        "chunk_ns",
        "delete_ns",
        "gil_wait_ns",
        "run_ns",
    ]);
    for pixel in 0..series.pixels.count {
        let start = seconds(series.pixels.span(pixel).intersection(&series.range).start_ns);
        let rates = [&series.created_per_s, &series.deleted_per_s, &series.kept_per_s];
        let rates = rates.into_iter().map(|column| column[pixel].to_string());
        let means = parts(&series).into_iter();
        let means = means.map(|column| known(column[pixel]));
        table.rows.push(std::iter::once(start).chain(rates).chain(means).collect());
    }
    Some(table)
}
