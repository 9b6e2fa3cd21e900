//! `gil-classes`: I/O threads against CPU threads: what each class held, waited and made others wait.

use super::canvas::{self, *};
use super::table::Table;
use super::{Plot, PlotError};
use crate::store::{Class, Range, Snapshot, ThreadGilTotals, ThreadRow};
use crate::units;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

/// A figure's name, its colour on the pages, and where it is found.
type Figure = (&'static str, RGBColor, fn(&ThreadGilTotals) -> u64);

/// The three figures that are drawn.
const FIGURES: [Figure; 3] = [
    ("held", RGBColor(0x0B, 0x63, 0xB6), |gil| gil.hold_ns),
    ("waited", RGBColor(0xB0, 0x47, 0x1E), |gil| gil.wait_ns),
    ("inflicted on others", RGBColor(0x7A, 0x3F, 0x98), |gil| gil.wait_inflicted_ns),
];

/// One class of threads, with the sums over them.
struct Row {
    name: &'static str,
    /// Those that used the GIL.
    threads: usize,
    gil: ThreadGilTotals,
}

/// In the order and with the names of the pages: most inflicted first.
fn rows(snapshot: &Snapshot<'_>, range: Range) -> Option<Vec<Row>> {
    let threads = snapshot.thread_rows(range);
    let classes = [
        (Some(Class::Io), "I/O"),
        (Some(Class::Cpu), "CPU"),
        (Some(Class::Idle), "idle"),
        (None, "exited"),
    ];
    let rows =
        classes.map(|(class, name)| sum(name, threads.iter().filter(|row| row.class == class)));
    let mut rows: Vec<_> = rows.into_iter().filter(|row| row.threads > 0).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.gil.wait_inflicted_ns));
    (!rows.is_empty()).then_some(rows)
}

fn sum<'a>(name: &'static str, threads: impl Iterator<Item = &'a ThreadRow>) -> Row {
    let mut row = Row { name, threads: 0, gil: ThreadGilTotals::default() };
    for gil in threads.filter_map(|thread| thread.gil.as_ref()) {
        row.threads += usize::from(gil.acquires > 0);
        for (sum, part) in [
            (&mut row.gil.acquires, gil.acquires),
            (&mut row.gil.releases_voluntary, gil.releases_voluntary),
            (&mut row.gil.releases_forced, gil.releases_forced),
            (&mut row.gil.hold_ns, gil.hold_ns),
            (&mut row.gil.wait_ns, gil.wait_ns),
            (&mut row.gil.wait_inflicted_ns, gil.wait_inflicted_ns),
        ] {
            *sum = sum.saturating_add(part);
        }
    }
    row
}

pub fn draw(snapshot: &Snapshot<'_>, range: Range) -> Option<Result<String, PlotError>> {
    let rows = rows(snapshot, range)?;
    let drawn = snapshot.range().intersection(&range);
    let entries = FIGURES.map(|(name, color, of)| {
        let all = rows.iter().fold(0_u64, |sum, row| sum.saturating_add(of(&row.gil)));
        Entry { color, name: name.into(), figure: units::duration(all) }
    });
    let sheet = Sheet {
        title: Plot::GilClasses.title().into(),
        summary: format!(
            "{} threads used the GIL in {}",
            rows.iter().map(|row| row.threads).sum::<usize>(),
            units::duration(drawn.length_ns())
        ),
        legend: Some(("all threads", entries.into())),
        patterns: Default::default(),
        description: "For each class of threads: time with the GIL, time waiting for it, and the \
                      waiting of others while it held it."
            .into(),
    };
    Some(canvas::draw(snapshot, drawn, &sheet, |area| draw_bars(area, &rows)))
}

fn draw_bars(area: &Area<'_>, rows: &[Row]) -> Drawn {
    let longest = rows.iter().flat_map(|row| FIGURES.map(|(_, _, of)| of(&row.gil))).max();
    let longest = longest.unwrap_or(0).max(1) as f64;
    let (left, room, bar) = (px(130), f64::from(px(520)), px(24));
    for (at, row) in rows.iter().enumerate() {
        let top = px(24) + px(100) * at as i32;
        let name = format!("{} ({})", row.name, row.threads);
        let style = anchored(13.0, INK, HPos::Right, VPos::Center);
        area.draw_text(&name, &style, (left - px(10), top + bar * 3 / 2)).map_err(failed)?;
        for (line, (_, color, of)) in FIGURES.iter().enumerate() {
            let ns = of(&row.gil);
            let (y, wide) = (top + bar * line as i32, (ns as f64 / longest * room) as i32);
            let corners = [(left, y), (left + wide.max(1), y + bar - px(3))];
            area.draw(&Rectangle::new(corners, color.filled())).map_err(failed)?;
            let style = anchored(11.0, INK, HPos::Left, VPos::Center);
            let place = (left + wide + px(6), y + bar / 2 - px(1));
            area.draw_text(&units::duration(ns), &style, place).map_err(failed)?;
        }
    }
    Ok(())
}

pub fn table(snapshot: &Snapshot<'_>, range: Range) -> Option<Table> {
    let mut table = Table::new(&[
        "class",
        "threads",
        "hold_ns",
        "wait_ns",
        "wait_inflicted_ns",
        "acquires",
        "releases_forced",
        "releases_voluntary",
    ]);
    for Row { name, threads, gil } in rows(snapshot, range)? {
        let figures = [
            threads as u64,
            gil.hold_ns,
            gil.wait_ns,
            gil.wait_inflicted_ns,
            gil.acquires,
            gil.releases_forced,
            gil.releases_voluntary,
        ];
        let figures = figures.into_iter().map(|figure| figure.to_string());
        table.rows.push(std::iter::once(name.to_owned()).chain(figures).collect());
    }
    Some(table)
}
