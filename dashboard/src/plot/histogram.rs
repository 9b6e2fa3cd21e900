//! `gil-wait`, `gil-hold`, `gil-drop-to-release`, `gil-wake`: how long each lasts. Both axes are logarithmic: what hurts
//! is rare and long.

use super::canvas::{self, *};
use super::table::Table;
use super::{Plot, PlotError};
use crate::store::{Distribution, Range, Snapshot};
use crate::units;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

/// Bars end here when a bucket has no lower end: nothing is shorter than this anyway.
const SHORTEST_NS: u64 = 4;

const BAR: RGBColor = PALETTE[0];
const LINE: RGBColor = PALETTE[4];

fn distribution(snapshot: &Snapshot<'_>, plot: Plot, range: Range) -> Option<Distribution> {
    let histograms = snapshot.histograms(range)?;
    let of = match plot {
        Plot::GilWait => histograms.wait,
        Plot::GilDropToRelease => histograms.drop_to_release,
        Plot::GilWake => histograms.wake,
        _ => histograms.hold,
    };
    (of.count > 0).then_some(of)
}

pub fn draw(
    snapshot: &Snapshot<'_>,
    plot: Plot,
    range: Range,
) -> Option<Result<String, PlotError>> {
    let figures = distribution(snapshot, plot, range)?;
    let thing = match plot {
        Plot::GilWait => "contended waits",
        Plot::GilDropToRelease => "forced releases",
        Plot::GilWake => "wake-ups",
        _ => "holds",
    };
    let [p50, p95, p99] = [figures.p50_ns, figures.p95_ns, figures.p99_ns].map(units::maybe);
    let most = if figures.max_is_bound { "at most " } else { "max " };
    let sheet = Sheet {
        title: plot.title().into(),
        summary: format!(
            "{} {thing}, {} in all · p50 {p50} · p95 {p95} · p99 {p99} · {most}{}",
            units::count(figures.count),
            units::duration(figures.sum_ns),
            units::maybe(figures.max_ns)
        ),
        legend: None,
        patterns: Default::default(),
        description: format!("Histogram of {thing} by duration with quantiles as lines."),
    };
    let drawn = snapshot.range().intersection(&range);
    Some(canvas::draw(snapshot, drawn, &sheet, |area| draw_bars(area, &figures, thing)))
}

/// Whole decades around the data, as powers of ten.
fn decades(figures: &Distribution) -> (i32, i32) {
    let low = figures.buckets.first().map_or(1, |bucket| bucket.low_ns.max(SHORTEST_NS));
    let high = figures.max_ns.unwrap_or(low).max(low + 1);
    ((low as f64).log10().floor() as i32, (high as f64).log10().ceil() as i32)
}

fn draw_bars(area: &Area<'_>, figures: &Distribution, thing: &str) -> Drawn {
    let (low, high) = decades(figures);
    let most = figures.buckets.iter().map(|bucket| bucket.count).max().unwrap_or(1);
    // Half a count as the floor, so that a single one is a bar that can be seen.
    let y = (0.5..(most as f64 * 2.0).max(10.0)).log_scale();
    let mut chart = ChartBuilder::on(area)
        .margin_left(px(16))
        .margin_right(px(24))
        .margin_top(px(54))
        .x_label_area_size(px(44))
        .y_label_area_size(px(64))
        .build_cartesian_2d(f64::from(low)..f64::from(high), y)
        .map_err(failed)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID.stroke_width(SCALE as u32))
        .axis_style(FAINT_INK.stroke_width(SCALE as u32))
        .label_style(text(11.0, INK))
        .axis_desc_style(text(12.0, INK))
        .set_all_tick_mark_size(px(4))
        .x_labels((high - low) as usize + 2)
        .x_label_formatter(&|power| round_duration(*power))
        .y_label_formatter(&|count| units::count(*count as u64))
        .x_desc("duration (logarithmic)")
        .y_desc(format!("{thing} per bucket (logarithmic)"))
        .draw()
        .map_err(failed)?;
    let log = |ns: u64| (ns.max(SHORTEST_NS) as f64).log10().clamp(f64::from(low), f64::from(high));
    let bars = figures.buckets.iter().map(|bucket| {
        let corners = [(log(bucket.low_ns), 0.5), (log(bucket.high_ns), bucket.count as f64)];
        let mut bar = Rectangle::new(corners, BAR.filled());
        bar.set_margin(0, 0, SCALE as u32 / 2, SCALE as u32 / 2);
        bar
    });
    chart.draw_series(bars).map_err(failed)?;
    let (columns, rows) = chart.plotting_area().get_pixel_range();
    let (left, top) = area.get_base_pixel();
    let plot = [columns.start - left, columns.end - left, rows.start - top, rows.end - top];
    draw_quantiles(area, figures, plot, |ns| (log(ns) - f64::from(low)) / f64::from(high - low))
}

/// Lines with labels above the plot, each to the right of the one before.
fn draw_quantiles(
    area: &Area<'_>,
    figures: &Distribution,
    [left, right, top, bottom]: [i32; 4],
    share: impl Fn(u64) -> f64,
) -> Drawn {
    let quantiles = [("p50", figures.p50_ns), ("p95", figures.p95_ns), ("p99", figures.p99_ns)];
    let style = anchored(11.0, LINE, HPos::Left, VPos::Bottom);
    let mut taken = [i32::MIN; 3];
    for (name, ns) in quantiles {
        let Some(ns) = ns else { continue };
        let at = left + (f64::from(right - left) * share(ns)) as i32;
        let line = vec![(at, top), (at, bottom)];
        let stroke = LINE.stroke_width(3 * SCALE as u32 / 2);
        area.draw(&PathElement::new(line, stroke)).map_err(failed)?;
        let words = format!("{name} {}", units::duration(ns));
        let wide = width(area, &words, &style);
        let start = at.min(right - wide);
        let row = taken.iter().position(|end| *end < start).unwrap_or(0);
        taken[row] = start + wide + px(10);
        let place = (start, top - px(2 + 16 * row as i32));
        area.draw_text(&words, &style, place).map_err(failed)?;
    }
    Ok(())
}

/// A power of ten of ns: "100 µs"; nothing between the decades.
fn round_duration(power: f64) -> String {
    if (power - power.round()).abs() > 1e-6 {
        return String::new();
    }
    let power = power.round() as i32;
    let unit = ["ns", "µs", "ms", "s"][(power.clamp(0, 11) / 3) as usize];
    format!("{} {unit}", 10_u64.pow((power - power.clamp(0, 11) / 3 * 3).max(0) as u32))
}

pub fn table(snapshot: &Snapshot<'_>, plot: Plot, range: Range) -> Option<Table> {
    let figures = distribution(snapshot, plot, range)?;
    let mut table = Table::new(&["low_ns", "high_ns", "count"]);
    for bucket in &figures.buckets {
        let row = [bucket.low_ns, bucket.high_ns, bucket.count];
        table.rows.push(row.iter().map(u64::to_string).collect());
    }
    Some(table)
}
