//! `cpu` and `cpu-parts`: the ThreadWakeup graph. CPU per thread, stacked; the main thread in dark grey
//! at the bottom. With parts each band is what ran with the GIL, without it, and waited for a core.
//!
//! Order, colours and names are those of the CPU page (dashboard/web/src/charts/stack.ts); a test of
//! the pages holds them together.

use super::canvas::{self, *};
use super::patterns::{Pattern, Patterns, tint};
use super::table::{Table, seconds};
use super::time_axis::{self, Values};
use super::{Plot, PlotError};
use crate::store::{BandOf, CpuBand, CpuSeries, Range, Snapshot, total};
use crate::units;
use plotters::prelude::*;

/// Threads that are named besides the main one; the rest are summed.
const NAMED: usize = 8;
/// Pixels over the width of the plot.
const PIXELS: usize = 320;
/// What is left of a band's colour where it ran without the GIL, percent.
const RUNNING_TINT: u32 = 45;

/// One area of the stack.
struct Layer {
    name: String,
    values: Vec<f32>,
    color: RGBColor,
}

#[derive(Clone, Copy)]
enum Part {
    Holding,
    Running,
    Unknown,
    Runnable,
}

impl Part {
    const ALL: [Self; 4] = [Self::Holding, Self::Running, Self::Unknown, Self::Runnable];

    fn name(self) -> &'static str {
        match self {
            Self::Holding => "holding the GIL",
            Self::Running => "running without it",
            Self::Unknown => "running, the GIL not watched",
            Self::Runnable => "waiting for a core",
        }
    }

    fn paint(self, base: RGBColor, patterns: &mut Patterns) -> RGBColor {
        match self {
            Self::Holding => base,
            Self::Running => tint(base, RUNNING_TINT),
            Self::Unknown => patterns.paint(Pattern::Dots, base),
            Self::Runnable => patterns.paint(Pattern::Lines, base),
        }
    }

    /// Its time in the band, ns, and its mean cores per pixel; null: not asked for, or not known.
    fn of(self, band: &CpuBand) -> Option<(u64, &[f32])> {
        let parts = band.parts.as_ref()?;
        Some(match self {
            Self::Holding => (parts.holding_ns, &parts.holding),
            Self::Running => (parts.running_ns, &parts.running),
            Self::Unknown => (parts.unknown_ns, &parts.unknown),
            Self::Runnable => (parts.runnable_ns?, &parts.runnable),
        })
    }
}

/// Main at the bottom, then the threads by first sight, sums on top.
fn series(snapshot: &Snapshot<'_>, plot: Plot, range: Range) -> Option<CpuSeries> {
    let series = match plot {
        Plot::CpuParts => snapshot.cpu_in_parts(range, PIXELS),
        _ => snapshot.cpu(range, PIXELS),
    };
    (series.pixels.count > 0).then(|| series.busiest(NAMED))
}

/// From the bottom up.
fn layers(series: &CpuSeries, colors: &[RGBColor], patterns: &mut Patterns) -> Vec<Layer> {
    let mut layers = Vec::new();
    for (band, color) in series.bands.iter().zip(colors) {
        if band.parts.is_none() {
            let (name, values) = (band.name.clone(), band.mean.clone());
            layers.push(Layer { name, values, color: *color });
        }
        for part in Part::ALL {
            let Some((1.., values)) = part.of(band) else { continue };
            let name = format!("{}, {}", band.name, part.name());
            let color = part.paint(*color, patterns);
            layers.push(Layer { name, values: values.to_vec(), color });
        }
    }
    layers
}

pub fn draw(
    snapshot: &Snapshot<'_>,
    plot: Plot,
    range: Range,
) -> Option<Result<String, PlotError>> {
    let series = series(snapshot, plot, range)?;
    let length_s = series.range.length_ns() as f64 / 1e9;
    let cpu_ns = total(series.bands.iter().map(|band| band.cpu_ns));
    let cores = |ns: u64| format!("{:.2}", ns as f64 / 1e9 / length_s);
    let entry = |(color, band): (RGBColor, &CpuBand)| Entry {
        color,
        name: band.name.clone(),
        figure: cores(band.cpu_ns),
    };
    let colors = colors(&series.bands);
    let mut patterns = Patterns::default();
    let layers = layers(&series, &colors, &mut patterns);
    // The legend reads from top to bottom, as the stack does.
    let mut entries: Vec<_> = colors.iter().copied().zip(&series.bands).rev().map(entry).collect();
    for part in Part::ALL {
        let known = series.bands.iter().filter_map(|band| part.of(band));
        let sum_ns = total(known.map(|part| part.0));
        if sum_ns > 0 {
            let (color, name) = (part.paint(MAIN, &mut patterns), part.name().to_owned());
            entries.push(Entry { color, name, figure: cores(sum_ns) });
        }
    }
    let names: Vec<_> = series.bands.iter().map(|band| band.name.as_str()).collect();
    let sheet = Sheet {
        title: plot.title().into(),
        summary: format!(
            "{} cores on average over {}, {} of CPU",
            cores(cpu_ns),
            units::duration(series.range.length_ns()),
            units::duration(cpu_ns)
        ),
        legend: Some(("mean cores", entries)),
        description: format!("Stacked area of cores used over time by {}.", names.join(", ")),
        patterns,
    };
    let body = |area: &Area<'_>| draw_stack(area, snapshot, &series, &layers);
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
    layers: &[Layer],
) -> Drawn {
    let height = |pixel: usize| layers.iter().map(|layer| layer.values[pixel]).sum::<f32>();
    let highest = (0..series.pixels.count).map(height).fold(0.0, f32::max);
    let max = f64::from(highest.max(0.05)) * 1.06;
    let values = Values { max, title: "CPU (cores)", label: &|value| time_axis::plain(*value) };
    let mut chart = time_axis::chart(area, series.range, &values, true)?;
    let mut lower = vec![0.0; series.pixels.count];
    for layer in layers {
        let upper: Vec<f64> =
            lower.iter().zip(&layer.values).map(|(low, mean)| low + f64::from(*mean)).collect();
        let edge = time_axis::points(series.range, &series.pixels, &upper);
        let outline = time_axis::between(series.range, &series.pixels, &lower, &upper);
        chart.draw_series([Polygon::new(outline, layer.color.filled())]).map_err(failed)?;
        // A hair of white keeps neighbours apart for who cannot tell the colours.
        let line = PathElement::new(edge, WHITE.stroke_width(SCALE as u32 / 2));
        chart.draw_series([line]).map_err(failed)?;
        lower = upper;
    }
    time_axis::draw_marks(area, &chart, series.range, snapshot.marks(), true)
}

pub fn table(snapshot: &Snapshot<'_>, plot: Plot, range: Range) -> Option<Table> {
    let series = series(snapshot, plot, range)?;
    let layers = layers(&series, &colors(&series.bands), &mut Patterns::default());
    let mut table = Table::new(&["time_s"]);
    table.header.extend(layers.iter().map(|layer| format!("{} (cores)", layer.name)));
    table.header.push("process (cores)".into());
    for pixel in 0..series.pixels.count {
        let start = seconds(series.pixels.span(pixel).intersection(&series.range).start_ns);
        let bands = layers.iter().map(|layer| layer.values[pixel].to_string());
        let total = series.total_mean[pixel].to_string();
        table.rows.push(std::iter::once(start).chain(bands).chain([total]).collect());
    }
    Some(table)
}
