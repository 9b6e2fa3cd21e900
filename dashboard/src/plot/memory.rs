//! `memory`: the process's memory in RAM, and how many threads it had.

use super::canvas::{self, *};
use super::table::{Table, known, seconds};
use super::time_axis::{self, Values};
use super::{Plot, PlotError};
use crate::store::{ProcessSeries, Range, Snapshot};
use crate::units;
use plotters::prelude::*;

/// Pixels over the width of the plot.
const PIXELS: usize = 480;

/// As on the pages: dashboard/web/src/style.css, `--memory` and `--cpu`.
pub const RSS: RGBColor = RGBColor(0x17, 0x77, 0x65);
const USS: RGBColor = RGBColor(0x8C, 0xC6, 0xB8);
const THREADS: RGBColor = RGBColor(0x44, 0x50, 0x5E);

/// Null without a single sample.
pub fn series(snapshot: &Snapshot<'_>, range: Range) -> Option<ProcessSeries> {
    let series = snapshot.process(range, PIXELS);
    series.rss_bytes.iter().any(Option::is_some).then_some(series)
}

pub fn draw(snapshot: &Snapshot<'_>, range: Range) -> Option<Result<String, PlotError>> {
    let series = series(snapshot, range)?;
    let threads = last(&series.threads);
    let threads = threads.map_or(units::UNKNOWN.into(), |value| units::count(value.into()));
    let [rss, uss] = [&series.rss_bytes, &series.uss_bytes].map(|values| last_bytes(values));
    let entry =
        |color, name: &str, figure: &str| Entry { color, name: name.into(), figure: figure.into() };
    let mut legend = vec![entry(RSS, "in RAM (RSS)", &rss)];
    if last(&series.uss_bytes).is_some() {
        legend.push(entry(USS, "of it its own (USS)", &uss));
    }
    legend.push(entry(THREADS, "threads", &threads));
    let sheet = Sheet {
        title: Plot::Memory.title().into(),
        summary: format!(
            "{rss} in RAM and {threads} threads at the end of {}",
            units::duration(series.range.length_ns())
        ),
        legend: Some(("at the end", legend)),
        patterns: Default::default(),
        description: "Above: memory of the process in RAM. Below: its threads.".into(),
    };
    let body = |area: &Area<'_>| draw_both(area, snapshot, &series);
    Some(canvas::draw(snapshot, series.range, &sheet, body))
}

fn draw_both(area: &Area<'_>, snapshot: &Snapshot<'_>, series: &ProcessSeries) -> Drawn {
    let (upper, lower) = area.split_vertically(px(232));
    let areas = [(&series.rss_bytes[..], RSS), (&series.uss_bytes[..], USS)];
    draw_bytes(&upper, snapshot, series, areas, false)?;
    let most = series.threads.iter().flatten().copied().max().unwrap_or(1);
    let plain = |value: &f64| time_axis::plain(*value);
    let values = Values { max: f64::from(most.max(1)) * 1.06, title: "threads", label: &plain };
    let threads = series.threads.iter().map(|value| value.map(f64::from)).collect();
    draw_one(&lower, snapshot, series, &values, &[(threads, THREADS)], true)
}

/// Areas of memory over each other, from the highest down, in a unit that suits the highest.
pub fn draw_bytes(
    area: &Area<'_>,
    snapshot: &Snapshot<'_>,
    series: &ProcessSeries,
    areas: [(&[Option<u64>], RGBColor); 2],
    is_last: bool,
) -> Drawn {
    let all = areas.iter().flat_map(|(bytes, _)| bytes.iter().flatten());
    let highest = all.copied().max().unwrap_or(1);
    let (unit, name) = units::byte_unit(highest);
    let in_unit = |bytes: u64| bytes as f64 / unit as f64;
    let plain = |value: &f64| time_axis::plain(*value);
    let title = format!("memory ({name})");
    let values = Values { max: in_unit(highest) * 1.06, title: &title, label: &plain };
    let floats = |bytes: &[Option<u64>]| bytes.iter().map(|v| v.map(in_unit)).collect();
    let areas = areas.map(|(bytes, color)| (floats(bytes), color));
    draw_one(area, snapshot, series, &values, &areas, is_last)
}

/// The last figure that is known.
pub fn last<T: Copy>(values: &[Option<T>]) -> Option<T> {
    values.iter().rev().find_map(|value| *value)
}

/// The last amount that is known, in words.
pub fn last_bytes(values: &[Option<u64>]) -> String {
    last(values).map_or(units::UNKNOWN.into(), units::bytes)
}

/// Areas over each other; where a figure is not known there is a gap.
fn draw_one(
    area: &Area<'_>,
    snapshot: &Snapshot<'_>,
    series: &ProcessSeries,
    values: &Values<'_>,
    areas: &[(Vec<Option<f64>>, RGBColor)],
    below: bool,
) -> Drawn {
    let mut chart = time_axis::chart(area, series.range, values, below)?;
    for (figures, color) in areas {
        let known: Vec<f64> = figures.iter().map(|value| value.unwrap_or(0.0)).collect();
        // The edge begins and ends with the range, so it has a point more on each side.
        let edge = time_axis::points(series.range, &series.pixels, &known);
        let last = figures.len().saturating_sub(1);
        let places = edge.into_iter().enumerate();
        let places: Vec<_> =
            places.map(|(at, place)| (figures[at.saturating_sub(1).min(last)], place)).collect();
        for run in places.chunk_by(|a, b| a.0.is_some() == b.0.is_some()) {
            let (Some((Some(_), first)), Some((_, end))) = (run.first(), run.last()) else {
                continue;
            };
            let outline = run.iter().map(|(_, place)| *place);
            let outline: Vec<_> = outline.chain([(end.0, 0.0), (first.0, 0.0)]).collect();
            chart.draw_series([Polygon::new(outline, color.filled())]).map_err(failed)?;
        }
    }
    time_axis::draw_marks(area, &chart, series.range, snapshot.marks(), !below)
}

pub fn table(snapshot: &Snapshot<'_>, range: Range) -> Option<Table> {
    let series = series(snapshot, range)?;
    let mut table = Table::new(&["time_s", "rss_bytes", "uss_bytes", "threads", "host_cpu_ratio"]);
    for pixel in 0..series.pixels.count {
        table.rows.push(vec![
            seconds(series.pixels.span(pixel).intersection(&series.range).start_ns),
            known(series.rss_bytes[pixel]),
            known(series.uss_bytes[pixel]),
            known(series.threads[pixel]),
            known(series.host_cpu_ratio[pixel]),
        ]);
    }
    Some(table)
}
