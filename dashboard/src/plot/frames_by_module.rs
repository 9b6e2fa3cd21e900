//! `frames-by-module`: whose frames the memory is held for, as a treemap: the area of a module is its bytes.

use super::canvas::{self, *};
use super::table::Table;
use super::{Plot, PlotError};
use crate::batch::{HeldModule, Tally};
use crate::store::{Range, Snapshot};
use crate::units;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Modules with a tile of their own; the rest is one.
const TILES: usize = 40;
/// Smaller tiles have no name: nothing that can be read fits in.
const NAMED_PX: (i32, i32) = (40, 18);
const SHADES: [RGBColor; 5] = [
    RGBColor(0xF3, 0xC9, 0xB5),
    RGBColor(0xF6, 0xDC, 0xAE),
    RGBColor(0xCF, 0xE3, 0xF1),
    RGBColor(0xDF, 0xE9, 0xB4),
    RGBColor(0xDF, 0xE3, 0xE8),
];

/// Most bytes first. Of Python 3.11 and later: frames in generators, and those that outlive their call.
fn modules(snapshot: &Snapshot<'_>, range: Range) -> Option<Vec<HeldModule>> {
    let mut sums = BTreeMap::<String, Tally>::new();
    for row in snapshot.frames(range)?.census?.held().flat_map(|held| &held.modules) {
        sums.entry(row.module.clone()).or_default().add(row.tally);
    }
    let mut rows: Vec<_> =
        sums.into_iter().map(|(module, tally)| HeldModule { module, tally }).collect();
    rows.sort_by_key(|row| Reverse(row.tally.bytes));
    (!rows.is_empty()).then_some(rows)
}

pub fn draw(snapshot: &Snapshot<'_>, range: Range) -> Option<Result<String, PlotError>> {
    let mut rows = modules(snapshot, range)?;
    let mut all = Tally::default();
    rows.iter().for_each(|row| all.add(row.tally));
    let n_modules = rows.len();
    if rows.len() > TILES {
        let mut rest = HeldModule {
            module: format!("{} more modules", rows.len() - TILES),
            tally: Tally::default(),
        };
        rows.drain(TILES..).for_each(|row| rest.tally.add(row.tally));
        rows.push(rest);
        rows.sort_by_key(|row| Reverse(row.tally.bytes));
    }
    let sheet = Sheet {
        title: Plot::FramesByModule.title().into(),
        summary: format!(
            "{} in {} frames of {n_modules} modules",
            units::bytes(all.bytes),
            units::count(all.count)
        ),
        legend: None,
        patterns: Default::default(),
        description: "Treemap: the area of each module is the memory that its frames take.".into(),
    };
    let drawn = snapshot.range().intersection(&range);
    let body = |area: &Area<'_>| {
        let (width, height) = area.dim_in_pixel();
        let (left, top) = (f64::from(px(20)), f64::from(px(8)));
        let room = (f64::from(width) - 2.0 * left, f64::from(height) - 2.0 * top);
        draw_tiles(area, &rows, (left, top), room, 0)
    };
    Some(canvas::draw(snapshot, drawn, &sheet, body))
}

/// Halves the rows by weight along the longer side until each has its tile.
fn draw_tiles(
    area: &Area<'_>,
    rows: &[HeldModule],
    (left, top): (f64, f64),
    (width, height): (f64, f64),
    first: usize,
) -> Drawn {
    if let [row] = rows {
        return draw_tile(area, row, (left, top), (width, height), SHADES[first % SHADES.len()]);
    }
    let bytes = |rows: &[HeldModule]| rows.iter().map(|row| row.tally.bytes as f64).sum::<f64>();
    let whole = bytes(rows).max(1.0);
    let at = (1..rows.len()).find(|at| bytes(&rows[..*at]) * 2.0 >= whole).unwrap_or(1);
    let (these, those) = rows.split_at(at);
    let share = bytes(these) / whole;
    let (one, two, place) = if width >= height {
        ((width * share, height), (width * (1.0 - share), height), (left + width * share, top))
    } else {
        ((width, height * share), (width, height * (1.0 - share)), (left, top + height * share))
    };
    draw_tiles(area, these, (left, top), one, first)?;
    draw_tiles(area, those, place, two, first + at)
}

fn draw_tile(
    area: &Area<'_>,
    row: &HeldModule,
    (left, top): (f64, f64),
    (width, height): (f64, f64),
    shade: RGBColor,
) -> Drawn {
    let gap = px(1);
    let corners =
        [(left as i32, top as i32), ((left + width) as i32 - gap, (top + height) as i32 - gap)];
    area.draw(&Rectangle::new(corners, shade.filled())).map_err(failed)?;
    let (wide, high) = (width as i32 - px(10), height as i32);
    if wide < px(NAMED_PX.0) || high < px(NAMED_PX.1) {
        return Ok(());
    }
    let lines = [row.module.clone(), units::bytes(row.tally.bytes)];
    for (line, words) in
        lines.iter().take(if high < px(2 * NAMED_PX.1) { 1 } else { 2 }).enumerate()
    {
        let color = if line == 0 { INK } else { FAINT_INK };
        let style = anchored(12.0, color, HPos::Left, VPos::Top);
        let place = (left as i32 + px(5), top as i32 + px(3 + 16 * line as i32));
        area.draw_text(&fit(area, words, &style, wide), &style, place).map_err(failed)?;
    }
    Ok(())
}

pub fn table(snapshot: &Snapshot<'_>, range: Range) -> Option<Table> {
    let mut table = Table::new(&["module", "frames", "bytes"]);
    for HeldModule { module, tally } in modules(snapshot, range)? {
        table.rows.push(vec![module, tally.count.to_string(), tally.bytes.to_string()]);
    }
    Some(table)
}
