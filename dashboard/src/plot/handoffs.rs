//! `handoffs`: how often the GIL went from one thread to another, as a matrix.

use super::canvas::{self, *};
use super::table::Table;
use super::{Plot, PlotError};
use crate::batch::ThreadKey;
use crate::store::{HandoffRow, Range, Snapshot, total};
use crate::units;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};
use std::collections::BTreeMap;

/// Threads in the matrix; the rest are one row and one column.
const THREADS: usize = 12;

/// The counts by (from, to), as places in `names`.
struct Matrix {
    names: Vec<String>,
    /// How many of the names are single threads.
    named: usize,
    counts: BTreeMap<(usize, usize), u64>,
    total: u64,
}

fn rows(snapshot: &Snapshot<'_>, range: Range) -> Option<Vec<HandoffRow>> {
    // The very first acquire comes from nobody.
    let real = |row: &HandoffRow| row.from != ThreadKey(0) && row.count > 0;
    let rows: Vec<_> = snapshot.handoffs(range).into_iter().filter(real).collect();
    (!rows.is_empty()).then_some(rows)
}

fn matrix(snapshot: &Snapshot<'_>, rows: &[HandoffRow]) -> Matrix {
    let mut traffic: BTreeMap<ThreadKey, u64> = BTreeMap::new();
    for row in rows {
        for thread in [row.from, row.to] {
            let sum = traffic.entry(thread).or_default();
            *sum = sum.saturating_add(row.count);
        }
    }
    let mut busiest: Vec<_> = traffic.into_iter().collect();
    busiest.sort_by_key(|(key, count)| (std::cmp::Reverse(*count), *key));
    let more = busiest.len().saturating_sub(THREADS);
    busiest.truncate(THREADS);
    let mut keys: Vec<_> = busiest.into_iter().map(|(key, _)| key).collect();
    keys.sort_unstable();
    let place = |key| keys.binary_search(&key).unwrap_or(keys.len());
    let mut counts = BTreeMap::new();
    for row in rows {
        let sum: &mut u64 = counts.entry((place(row.from), place(row.to))).or_default();
        *sum = sum.saturating_add(row.count);
    }
    let mut names: Vec<_> = keys.iter().map(|key| snapshot.thread_name(*key)).collect();
    if more > 0 {
        names.push(format!("{more} others"));
    }
    Matrix { named: keys.len(), names, counts, total: total(rows.iter().map(|row| row.count)) }
}

pub fn draw(snapshot: &Snapshot<'_>, range: Range) -> Option<Result<String, PlotError>> {
    let matrix = matrix(snapshot, &rows(snapshot, range)?);
    let drawn = snapshot.range().intersection(&range);
    let sheet = Sheet {
        title: Plot::Handoffs.title().into(),
        summary: format!(
            "{} times the GIL went to another thread in {}",
            units::count(matrix.total),
            units::duration(drawn.length_ns())
        ),
        legend: None,
        patterns: Default::default(),
        description: "Matrix of GIL handoffs: rows give, columns take.".into(),
    };
    Some(canvas::draw(snapshot, drawn, &sheet, |area| draw_cells(area, &matrix)))
}

/// Left of, above, and the size of the cells.
struct Grid {
    left: i32,
    top: i32,
    cell: (i32, i32),
}

fn draw_cells(area: &Area<'_>, matrix: &Matrix) -> Drawn {
    let n = matrix.names.len() as i32;
    let (left, top) = (px(190), px(120));
    let cell = (((px(980) - left) / n).min(px(92)), ((px(440) - top) / n).min(px(48)));
    let grid = Grid { left, top, cell };
    draw_names(area, matrix, &grid)?;
    // The sums of others would take all the contrast from the threads.
    let named = matrix.counts.iter().filter(|((from, to), _)| (*from).max(*to) < matrix.named);
    let most = named.map(|(_, count)| *count).max().unwrap_or(1);
    for from in 0..matrix.names.len() {
        for to in 0..matrix.names.len() {
            let count = matrix.counts.get(&(from, to)).copied().unwrap_or(0);
            draw_cell(area, &grid, (from as i32, to as i32), (count, most))?;
        }
    }
    Ok(())
}

/// White to blue, darker is more; bent a little so that small counts differ, too.
fn shade(count: u64, most: u64) -> (RGBColor, RGBColor) {
    if count == 0 {
        return (RGBColor(0xF6, 0xF6, 0xF6), REST);
    }
    let share = (count as f64 / most as f64).powf(0.75).clamp(0.0, 1.0);
    let mix = |light: u8, dark: u8| {
        (f64::from(light) + (f64::from(dark) - f64::from(light)) * share) as u8
    };
    let color = RGBColor(mix(0xE8, 0x00), mix(0xF2, 0x57), mix(0xF9, 0x8F));
    (color, if share > 0.72 { WHITE } else { BLACK })
}

fn draw_cell(
    area: &Area<'_>,
    grid: &Grid,
    (from, to): (i32, i32),
    (count, most): (u64, u64),
) -> Drawn {
    let (x, y) = (grid.left + to * grid.cell.0, grid.top + from * grid.cell.1);
    let (color, ink) = shade(count, most);
    let gap = px(1);
    let corners = [(x + gap, y + gap), (x + grid.cell.0 - gap, y + grid.cell.1 - gap)];
    area.draw(&Rectangle::new(corners, color.filled())).map_err(failed)?;
    if count == 0 {
        return Ok(());
    }
    let style = anchored(10.5, ink, HPos::Center, VPos::Center);
    let words = short(count);
    area.draw_text(&words, &style, (x + grid.cell.0 / 2, y + grid.cell.1 / 2)).map_err(failed)
}

/// At most four digits: "9999", "12k", "3M".
fn short(count: u64) -> String {
    match count {
        0..10_000 => count.to_string(),
        10_000..10_000_000 => format!("{}k", count / 1_000),
        _ => format!("{}M", count / 1_000_000),
    }
}

fn draw_names(area: &Area<'_>, matrix: &Matrix, grid: &Grid) -> Drawn {
    let title = anchored(12.0, FAINT_INK, HPos::Left, VPos::Bottom);
    area.draw_text("from ↓   to →", &title, (px(20), grid.top - px(8))).map_err(failed)?;
    let row = anchored(11.5, INK, HPos::Right, VPos::Center);
    let column = text(11.5, INK).transform(FontTransform::Rotate270);
    let column = column.pos(plotters::style::text_anchor::Pos::new(HPos::Left, VPos::Center));
    let upright = anchored(11.5, INK, HPos::Center, VPos::Bottom);
    let widest = matrix.names.iter().map(|name| width(area, name, &upright)).max().unwrap_or(0);
    for (at, name) in (0..).zip(&matrix.names) {
        let y = grid.top + at * grid.cell.1 + grid.cell.1 / 2;
        let words = fit(area, name, &row, px(160));
        area.draw_text(&words, &row, (grid.left - px(8), y)).map_err(failed)?;
        let x = grid.left + at * grid.cell.0 + grid.cell.0 / 2;
        if widest < grid.cell.0 - px(4) {
            area.draw_text(name, &upright, (x, grid.top - px(8))).map_err(failed)?;
        } else {
            let words = fit(area, name, &upright, grid.top - px(16));
            area.draw_text(&words, &column, (x, grid.top - px(8))).map_err(failed)?;
        }
    }
    Ok(())
}

pub fn table(snapshot: &Snapshot<'_>, range: Range) -> Option<Table> {
    let mut table = Table::new(&[
        "from_thread_id",
        "from_thread",
        "to_thread_id",
        "to_thread",
        "count",
        "wait_ns",
    ]);
    let id = |key| snapshot.thread(key).map_or(0, |fact| fact.thread_id).to_string();
    for row in rows(snapshot, range)? {
        table.rows.push(vec![
            id(row.from),
            snapshot.thread_name(row.from),
            id(row.to),
            snapshot.thread_name(row.to),
            row.count.to_string(),
            row.wait_ns.to_string(),
        ]);
    }
    Some(table)
}
