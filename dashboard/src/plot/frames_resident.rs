//! `frames-resident`: memory held for frames over time, stacked by kind, and how much of it is in RAM.

use super::canvas::{self, *};
use super::table::{Table, known, seconds};
use super::time_axis::{self, Values};
use super::{Plot, PlotError};
use crate::batch::FramesModel;
use crate::store::{FramesFigure, FramesFigures, FramesSeries, Range, Snapshot};
use crate::units;
use plotters::prelude::*;

/// Pixels over the width of the plot.
const PIXELS: usize = 320;

type Kind = (FramesModel, &'static str, RGBColor, FramesFigure);

/// Kinds of memory, from the bottom of the stack; of each model its own.
const KINDS: [Kind; 5] = [
    (FramesModel::Zombie, "zombies", PALETTE[4], |f| f.zombie_bytes),
    (FramesModel::Zombie, "free list", PALETTE[1], |f| f.free_list_bytes),
    (FramesModel::Chunk, "in use", REST, |f| f.used_bytes),
    (FramesModel::Chunk, "slack in chunks", PALETTE[0], |f| f.slack_bytes),
    (FramesModel::Chunk, "cached chunks", PALETTE[5], |f| f.cached_bytes),
];

fn series(snapshot: &Snapshot<'_>, range: Range) -> Option<FramesSeries> {
    let series = snapshot.frames_series(range, PIXELS)?;
    series.points.iter().any(Option::is_some).then_some(series)
}

fn values(series: &FramesSeries, of: FramesFigure) -> Vec<Option<u64>> {
    series.points.iter().map(|point| point.as_ref().and_then(of)).collect()
}

fn kinds(model: FramesModel) -> Vec<Kind> {
    KINDS.into_iter().filter(|kind| kind.0 == model).collect()
}

/// The most that the stack or the line reaches; a page at least.
fn highest_bytes(series: &FramesSeries) -> u64 {
    let kinds = kinds(series.model);
    let stack = |point: &FramesFigures| kinds.iter().filter_map(|(.., of)| of(point)).sum::<u64>();
    let points = series.points.iter().flatten();
    points.map(|point| stack(point).max(point.resident_bytes.unwrap_or(0))).fold(4096, u64::max)
}

pub fn draw(snapshot: &Snapshot<'_>, range: Range) -> Option<Result<String, PlotError>> {
    let series = series(snapshot, range)?;
    let last = series.points.iter().rev().flatten().next().copied().unwrap_or_default();
    let said = |value: Option<u64>| value.map_or(units::UNKNOWN.into(), units::bytes);
    let mut entries: Vec<Entry> = kinds(series.model)
        .iter()
        .rev()
        .map(|(_, name, color, of)| Entry {
            color: *color,
            name: (*name).into(),
            figure: said(of(&last)),
        })
        .collect();
    let resident = said(last.resident_bytes);
    entries.push(Entry { color: INK, name: "in RAM (line)".into(), figure: resident.clone() });
    let sheet = Sheet {
        title: Plot::FramesResident.title().into(),
        summary: format!(
            "at the end {} held for frames that do not run; {resident} in RAM",
            said(last.idle_bytes)
        ),
        legend: Some(("at the end", entries)),
        patterns: Default::default(),
        description: "Stacked area of memory held for frames over time, by kind.".into(),
    };
    let body = |area: &Area<'_>| draw_stack(area, snapshot, &series);
    Some(canvas::draw(snapshot, series.range, &sheet, body))
}

fn draw_stack(area: &Area<'_>, snapshot: &Snapshot<'_>, series: &FramesSeries) -> Drawn {
    let highest = highest_bytes(series);
    let (unit, name) = units::byte_unit(highest);
    let numbers = |of: FramesFigure| -> Vec<f64> {
        let known = values(series, of).into_iter().map(|value| value.unwrap_or(0));
        known.map(|bytes| bytes as f64 / unit as f64).collect()
    };
    let mut edges = vec![(RGBColor(255, 255, 255), vec![0.0; series.pixels.count])];
    for (_, _, color, of) in kinds(series.model) {
        let below = edges.last().map(|(_, below)| below.clone()).unwrap_or_default();
        let upper = below.iter().zip(numbers(of)).map(|(low, more)| low + more).collect();
        edges.push((color, upper));
    }
    let resident = numbers(|figures| figures.resident_bytes);
    let title = format!("memory ({name})");
    let label = |value: &f64| time_axis::plain(*value);
    let values = Values { max: highest as f64 / unit as f64 * 1.06, title: &title, label: &label };
    let mut chart = time_axis::chart(area, series.range, &values, true)?;
    for pair in edges.windows(2) {
        let [(_, lower), (color, upper)] = pair else { continue };
        let outline = time_axis::between(series.range, &series.pixels, lower, upper);
        chart.draw_series([Polygon::new(outline, color.filled())]).map_err(failed)?;
    }
    let line = time_axis::points(series.range, &series.pixels, &resident);
    let line = PathElement::new(line, INK.stroke_width(SCALE as u32 * 3 / 2));
    chart.draw_series([line]).map_err(failed)?;
    time_axis::draw_marks(area, &chart, series.range, snapshot.marks(), true)
}

pub fn table(snapshot: &Snapshot<'_>, range: Range) -> Option<Table> {
    let series = series(snapshot, range)?;
    let mut table = Table::new(&["time_s"]);
    table.header.extend(FramesFigures::ALL.map(|(name, _)| name.to_owned()));
    for (pixel, point) in series.points.iter().enumerate() {
        let start = seconds(series.pixels.span(pixel).intersection(&series.range).start_ns);
        let cells = FramesFigures::ALL.map(|(_, of)| known(point.as_ref().and_then(of)));
        table.rows.push(std::iter::once(start).chain(cells).collect());
    }
    Some(table)
}
