//! `imports-memory`: the process's memory in RAM, and what the imports that had ended by then keep of it.

use super::canvas::{self, *};
use super::memory::{self, RSS, draw_bytes, last, last_bytes};
use super::table::{Table, known, seconds};
use super::{Plot, PlotError};
use crate::store::{ImportRows, ProcessSeries, Range, Snapshot};
use crate::units;
use plotters::style::RGBColor;

/// As on the pages: `--accent` in dashboard/web/src/style.css.
const KEPT: RGBColor = RGBColor(0x0B, 0x63, 0xB6);

/// Memory over time, and bytes kept at the end of each pixel; the latter null where they are not known.
fn series(snapshot: &Snapshot<'_>, range: Range) -> Option<(ProcessSeries, Vec<Option<u64>>)> {
    let imports = snapshot.imports(snapshot.range())?;
    let series = memory::series(snapshot, range)?;
    let kept = kept(&imports, &series);
    Some((series, kept))
}

fn kept(imports: &ImportRows, series: &ProcessSeries) -> Vec<Option<u64>> {
    let mut ends: Vec<(u64, i64)> = imports
        .rows
        .iter()
        .filter_map(|row| Some((row.fact.at_ns.saturating_add(row.fact.time_ns?), row.bytes_self?)))
        .collect();
    ends.sort_unstable();
    let (mut ends, mut sum) = (ends.into_iter().peekable(), 0i64);
    let at_pixel = |pixel| {
        let until = series.pixels.span(pixel).end_ns;
        while let Some((_, bytes)) = ends.next_if(|(at_ns, _)| *at_ns <= until) {
            sum = sum.saturating_add(bytes);
        }
        imports.total_bytes.map(|_| u64::try_from(sum).unwrap_or(0))
    };
    (0..series.pixels.count).map(at_pixel).collect()
}

pub fn draw(snapshot: &Snapshot<'_>, range: Range) -> Option<Result<String, PlotError>> {
    let (series, kept) = series(snapshot, range)?;
    let (rss, imports) = (last_bytes(&series.rss_bytes), last_bytes(&kept));
    let mut legend = vec![Entry { color: RSS, name: "in RAM (RSS)".into(), figure: rss.clone() }];
    let of_it = match last(&kept) {
        None => "what imports keep is not known".into(),
        Some(_) => format!("{imports} kept by imports"),
    };
    if last(&kept).is_some() {
        legend.push(Entry { color: KEPT, name: "kept by imports".into(), figure: imports });
    }
    let sheet = Sheet {
        title: Plot::ImportsMemory.title().into(),
        summary: format!(
            "{rss} in RAM, {of_it}, at the end of {}",
            units::duration(series.range.length_ns())
        ),
        legend: Some(("at the end", legend)),
        patterns: Default::default(),
        description: "Memory of the process in RAM over time, and what imports keep.".into(),
    };
    let areas = [(&series.rss_bytes[..], RSS), (&kept[..], KEPT)];
    let body = |area: &Area<'_>| draw_bytes(area, snapshot, &series, areas, true);
    Some(canvas::draw(snapshot, series.range, &sheet, body))
}

pub fn table(snapshot: &Snapshot<'_>, range: Range) -> Option<Table> {
    let (series, kept) = series(snapshot, range)?;
    let mut table = Table::new(&["time_s", "rss_bytes", "imports_kept_bytes"]);
    for (pixel, kept) in kept.into_iter().enumerate() {
        table.rows.push(vec![
            seconds(series.pixels.span(pixel).intersection(&series.range).start_ns),
            known(series.rss_bytes[pixel]),
            known(kept),
        ]);
    }
    Some(table)
}
