//! `gil-utilization`: how much of the time the GIL is held, and how many threads wait for it.

use super::canvas::{self, *};
use super::table::{Table, seconds};
use super::time_axis::{self, Values};
use super::{Plot, PlotError};
use crate::store::{GilSeries, Range, Snapshot};
use crate::units;
use plotters::prelude::*;

/// Pixels over the width of the plot.
const PIXELS: usize = 480;

const HELD: RGBColor = PALETTE[0];
const WAITING: RGBColor = PALETTE[4];
const HELD_MAX: RGBColor = RGBColor(0xA9, 0xD0, 0xE8);
const WAITING_MAX: RGBColor = RGBColor(0xF3, 0xC6, 0xA0);

fn series(snapshot: &Snapshot<'_>, range: Range) -> Option<GilSeries> {
    snapshot.gil(range, PIXELS).filter(|series| series.pixels.count > 0)
}

pub fn draw(snapshot: &Snapshot<'_>, range: Range) -> Option<Result<String, PlotError>> {
    let series = series(snapshot, range)?;
    let totals = snapshot.totals(range)?;
    let held = totals.utilization().map_or(units::UNKNOWN.into(), units::percent);
    let waiting = totals.waiters_mean().map_or(units::UNKNOWN.into(), |mean| format!("{mean:.2}"));
    let entry =
        |color, name: &str, figure: &str| Entry { color, name: name.into(), figure: figure.into() };
    let sheet = Sheet {
        title: Plot::GilUtilization.title().into(),
        summary: format!(
            "held {held} of {}, {waiting} threads waiting on average, {} handoffs",
            units::duration(totals.range.length_ns()),
            units::count(totals.handoffs)
        ),
        legend: Some((
            "",
            vec![
                entry(HELD, "held, mean", &held),
                entry(HELD_MAX, "held, peak", ""),
                entry(WAITING, "waiting, mean", &waiting),
                entry(WAITING_MAX, "waiting, peak", ""),
            ],
        )),
        patterns: Default::default(),
        description: "Above: share of time in which the GIL is held. Below: threads waiting."
            .into(),
    };
    let body = |area: &Area<'_>| draw_both(area, snapshot, &series);
    Some(canvas::draw(snapshot, series.range, &sheet, body))
}

fn draw_both(area: &Area<'_>, snapshot: &Snapshot<'_>, series: &GilSeries) -> Drawn {
    let (upper, lower) = area.split_vertically(px(232));
    let share = |value: &f64| format!("{:.0} %", value * 100.0);
    let values = Values { max: 1.0, title: "GIL held", label: &share };
    let held = (&series.utilization_mean, &series.utilization_max);
    draw_one(&upper, snapshot, series, &values, (held, (HELD, HELD_MAX), false))?;
    let highest = series.waiters_max.iter().copied().fold(1.0, f32::max);
    let label = |value: &f64| time_axis::plain(*value);
    let values = Values { max: f64::from(highest) * 1.06, title: "threads waiting", label: &label };
    let waiters = (&series.waiters_mean, &series.waiters_max);
    draw_one(&lower, snapshot, series, &values, (waiters, (WAITING, WAITING_MAX), true))
}

type MeanAndPeak<'a> = ((&'a Vec<f32>, &'a Vec<f32>), (RGBColor, RGBColor), bool);

fn draw_one(
    area: &Area<'_>,
    snapshot: &Snapshot<'_>,
    series: &GilSeries,
    values: &Values<'_>,
    ((mean, peak), (color, peak_color), below): MeanAndPeak<'_>,
) -> Drawn {
    let mut chart = time_axis::chart(area, series.range, values, below)?;
    for (values, color) in [(peak, peak_color), (mean, color)] {
        let values: Vec<f64> = values.iter().map(|value| f64::from(*value)).collect();
        let edge = time_axis::points(series.range, &series.pixels, &values);
        let outline = time_axis::under(&edge);
        chart.draw_series([Polygon::new(outline, color.filled())]).map_err(failed)?;
    }
    time_axis::draw_marks(area, &chart, series.range, snapshot.marks(), !below)
}

pub fn table(snapshot: &Snapshot<'_>, range: Range) -> Option<Table> {
    let series = series(snapshot, range)?;
    let mut table = Table::new(&[
        "time_s",
        "utilization_mean",
        "utilization_max",
        "waiters_mean",
        "waiters_max",
        "handoffs_per_s",
        "drop_requests_per_s",
        "acquires_per_s",
    ]);
    for pixel in 0..series.pixels.count {
        let start = seconds(series.pixels.span(pixel).intersection(&series.range).start_ns);
        let columns = [
            &series.utilization_mean,
            &series.utilization_max,
            &series.waiters_mean,
            &series.waiters_max,
            &series.handoffs_per_s,
            &series.drop_requests_per_s,
            &series.acquires_per_s,
        ];
        let figures = columns.into_iter().map(|column| column[pixel].to_string());
        table.rows.push(std::iter::once(start).chain(figures).collect());
    }
    Some(table)
}
