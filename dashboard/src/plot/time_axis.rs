//! A chart over time: axis in a fitting unit, grid, marks as labelled vertical lines.

use super::canvas::*;
use crate::batch::Mark;
use crate::store::{Pixels, Range};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

/// Room above the plot for the labels of marks, in rows.
const LABEL_ROWS: usize = 2;
const LABEL_ROW_PX: i32 = 16;

pub type Chart<'a, 'b> =
    ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// A value axis: its end, its title, and how a value reads.
pub struct Values<'a> {
    pub max: f64,
    pub title: &'a str,
    pub label: &'a dyn Fn(&f64) -> String,
}

/// The unit of a time axis: what a second is in it, and its name.
fn unit(range: Range) -> (f64, &'static str) {
    match range.length_ns() / 1_000_000_000 {
        0..=300 => (1.0, "s"),
        301..=10_800 => (1.0 / 60.0, "min"),
        _ => (1.0 / 3_600.0, "h"),
    }
}

/// Where a moment stands on the axis of `range`: time since the session began.
pub fn x(range: Range, at_ns: u64) -> f64 {
    at_ns as f64 / 1e9 * unit(range).0
}

/// A chart with axes and grid. `with_time` is off for the upper of two charts that share an axis.
pub fn chart<'a, 'b>(
    area: &'a Area<'b>,
    range: Range,
    values: &Values<'_>,
    with_time: bool,
) -> Result<Chart<'a, 'b>, super::PlotError> {
    let mut chart = ChartBuilder::on(area)
        .margin_left(px(16))
        .margin_right(px(20))
        .margin_top(px(LABEL_ROWS as i32 * LABEL_ROW_PX + 2))
        .x_label_area_size(px(if with_time { 44 } else { 8 }))
        .y_label_area_size(px(52))
        .build_cartesian_2d(x(range, range.start_ns)..x(range, range.end_ns), 0.0..values.max)
        .map_err(failed)?;
    let title = format!("time since the session began ({})", unit(range).1);
    let mut mesh = chart.configure_mesh();
    mesh.disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID.stroke_width(SCALE as u32))
        .axis_style(FAINT_INK.stroke_width(SCALE as u32))
        .label_style(text(11.0, INK))
        .axis_desc_style(text(12.0, INK))
        .x_labels(if with_time { 9 } else { 0 })
        .y_labels(8)
        .set_all_tick_mark_size(px(4))
        .x_label_formatter(&|value| plain(*value))
        .y_label_formatter(values.label)
        .y_desc(values.title);
    if with_time {
        mesh.x_desc(title);
    }
    mesh.draw().map_err(failed)?;
    Ok(chart)
}

/// A number without needless zeros.
pub fn plain(value: f64) -> String {
    let rounded = (value * 1_000.0).round() / 1_000.0;
    format!("{}", if rounded == 0.0 { 0.0 } else { rounded })
}

/// Points of a line through the pixels' middles, drawn out to the range's ends.
pub fn points(range: Range, pixels: &Pixels, values: &[f64]) -> Vec<(f64, f64)> {
    let middle = |pixel: usize| {
        let span = pixels.span(pixel).intersection(&range);
        x(range, span.start_ns + span.length_ns() / 2)
    };
    let (Some(first), Some(last)) = (values.first(), values.last()) else { return vec![] };
    let inner = values.iter().enumerate().map(|(pixel, value)| (middle(pixel), *value));
    let start = (x(range, range.start_ns), *first);
    let end = (x(range, range.end_ns), *last);
    std::iter::once(start).chain(inner).chain([end]).collect()
}

/// The outline of what lies between two lines through the same pixels.
pub fn between(range: Range, pixels: &Pixels, lower: &[f64], upper: &[f64]) -> Vec<(f64, f64)> {
    let floor = points(range, pixels, lower);
    points(range, pixels, upper).into_iter().chain(floor.into_iter().rev()).collect()
}

/// The outline of what lies under a line.
pub fn under(line: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let ends = [line.last(), line.first()].map(|end| end.map_or((0.0, 0.0), |end| (end.0, 0.0)));
    line.iter().copied().chain(ends).collect()
}

/// Draws the marks of the range over a chart. Labels go above it, where there is room for them.
pub fn draw_marks(
    area: &Area<'_>,
    chart: &Chart<'_, '_>,
    range: Range,
    marks: &[Mark],
    labels: bool,
) -> Drawn {
    let (columns, rows) = chart.plotting_area().get_pixel_range();
    let (left, top) = area.get_base_pixel();
    let mut taken = [i32::MIN; LABEL_ROWS];
    for mark in
        marks.iter().filter(|mark| range.start_ns <= mark.at_ns && mark.at_ns <= range.end_ns)
    {
        let share = (mark.at_ns - range.start_ns) as f64 / range.length_ns().max(1) as f64;
        let at = columns.start - left + ((columns.end - columns.start) as f64 * share) as i32;
        let (from, to) = (rows.start - top, rows.end - top);
        dash(area, at, from - px(2), to)?;
        if labels {
            label(area, (at, from), columns.end - left, &mark.name, &mut taken)?;
        }
    }
    Ok(())
}

fn dash(area: &Area<'_>, at: i32, from: i32, to: i32) -> Drawn {
    let mut y = from;
    while y < to {
        let piece = vec![(at, y), (at, (y + px(5)).min(to))];
        area.draw(&PathElement::new(piece, INK.stroke_width(SCALE as u32))).map_err(failed)?;
        y += px(8);
    }
    Ok(())
}

/// Sets a label into the lowest row where it hits no other; a crowded one is left out.
fn label(
    area: &Area<'_>,
    (at, bottom): (i32, i32),
    right: i32,
    name: &str,
    taken: &mut [i32; LABEL_ROWS],
) -> Drawn {
    let style = anchored(11.0, INK, HPos::Left, VPos::Bottom);
    let name = fit(area, name, &style, px(190));
    let wide = width(area, &name, &style);
    let start = at.min(right - wide);
    let Some(row) = taken.iter().position(|end| *end < start) else { return Ok(()) };
    taken[row] = start + wide + px(8);
    let y = bottom - px(2 + LABEL_ROW_PX * row as i32);
    area.draw_text(&name, &style, (start, y)).map_err(failed)
}
