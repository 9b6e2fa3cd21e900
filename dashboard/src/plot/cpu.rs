//! `cpu`: the ThreadWakeup graph. CPU per thread, stacked; the main thread in dark grey at the bottom.

use super::canvas::{self, *};
use super::table::{Table, seconds};
use super::time_axis::{self, Values};
use super::{Plot, PlotError};
use crate::store::{BandOf, CpuBand, CpuSeries, Range, Snapshot};
use crate::units;
use plotters::prelude::*;

/// Threads that are named besides the main one; the rest are summed.
const NAMED: usize = 8;
/// Pixels over the width of the plot.
const PIXELS: usize = 320;

/// Main at the bottom, then the busiest first, sums on top.
fn series(snapshot: &Snapshot<'_>, range: Range) -> Option<CpuSeries> {
    let mut series = snapshot.cpu(range, PIXELS).busiest(NAMED);
    series.bands.sort_by_key(|band| {
        let group = match band.of {
            BandOf::Main(_) => 0,
            BandOf::Thread(_) => 1,
            BandOf::More(_) => 2,
            BandOf::Exited => 3,
        };
        (group, std::cmp::Reverse(band.cpu_ns))
    });
    (series.pixels.count > 0).then_some(series)
}

pub fn draw(snapshot: &Snapshot<'_>, range: Range) -> Option<Result<String, PlotError>> {
    let series = series(snapshot, range)?;
    let length_s = series.range.length_ns() as f64 / 1e9;
    let cpu_ns: u64 = series.bands.iter().map(|band| band.cpu_ns).sum();
    let cores = |ns: u64| format!("{:.2}", ns as f64 / 1e9 / length_s);
    let entry = |(color, band): (RGBColor, &CpuBand)| Entry {
        color,
        name: band.name.clone(),
        figure: cores(band.cpu_ns),
    };
    let colors = colors(&series.bands);
    // The legend reads from top to bottom, as the stack does.
    let entries = colors.iter().copied().zip(&series.bands).rev().map(entry).collect();
    let names: Vec<_> = series.bands.iter().map(|band| band.name.as_str()).collect();
    let sheet = Sheet {
        title: Plot::Cpu.title().into(),
        summary: format!(
            "{} cores on average over {}, {} of CPU",
            cores(cpu_ns),
            units::duration(series.range.length_ns()),
            units::duration(cpu_ns)
        ),
        legend: Some(("mean cores", entries)),
        description: format!("Stacked area of cores used over time by {}.", names.join(", ")),
    };
    let body = |area: &Area<'_>| draw_stack(area, snapshot, &series, &colors);
    Some(canvas::draw(snapshot, series.range, &sheet, body))
}

fn colors(bands: &[CpuBand]) -> Vec<RGBColor> {
    let mut palette = PALETTE.into_iter().cycle();
    let color = |band: &CpuBand| match band.of {
        BandOf::Main(_) => MAIN,
        BandOf::Thread(_) => palette.next().expect("a cycle does not end"),
        BandOf::More(_) => REST,
        BandOf::Exited => canvas::EXITED,
    };
    bands.iter().map(color).collect()
}

fn draw_stack(
    area: &Area<'_>,
    snapshot: &Snapshot<'_>,
    series: &CpuSeries,
    colors: &[RGBColor],
) -> Drawn {
    let highest = series.total_mean.iter().copied().fold(0.0, f32::max);
    let max = f64::from(highest.max(0.05)) * 1.06;
    let values = Values { max, title: "CPU (cores)", label: &|value| time_axis::plain(*value) };
    let mut chart = time_axis::chart(area, series.range, &values, true)?;
    let mut lower = vec![0.0; series.pixels.count];
    for (band, color) in series.bands.iter().zip(colors) {
        let upper: Vec<f64> =
            lower.iter().zip(&band.mean).map(|(low, mean)| low + f64::from(*mean)).collect();
        let edge = time_axis::points(series.range, &series.pixels, &upper);
        let floor = time_axis::points(series.range, &series.pixels, &lower);
        let outline: Vec<_> = edge.iter().copied().chain(floor.into_iter().rev()).collect();
        chart.draw_series([Polygon::new(outline, color.filled())]).map_err(failed)?;
        // A hair of white keeps neighbours apart for who cannot tell the colours.
        let line = PathElement::new(edge, WHITE.stroke_width(SCALE as u32 / 2));
        chart.draw_series([line]).map_err(failed)?;
        lower = upper;
    }
    time_axis::draw_marks(area, &chart, series.range, snapshot.marks(), true)
}

pub fn table(snapshot: &Snapshot<'_>, range: Range) -> Option<Table> {
    let series = series(snapshot, range)?;
    let mut table = Table::new(&["time_s"]);
    table.header.extend(series.bands.iter().map(|band| format!("{} (cores)", band.name)));
    table.header.push("process (cores)".into());
    for pixel in 0..series.pixels.count {
        let start = seconds(series.pixels.span(pixel).intersection(&series.range).start_ns);
        let bands = series.bands.iter().map(|band| band.mean[pixel].to_string());
        let total = series.total_mean[pixel].to_string();
        table.rows.push(std::iter::once(start).chain(bands).chain([total]).collect());
    }
    Some(table)
}
