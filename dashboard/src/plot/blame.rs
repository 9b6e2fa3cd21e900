//! `gil-blame`: a flame graph of the waiting that holders inflicted: thread, file and C module,
//! function, line.

use super::canvas::{self, *};
use super::table::{Table, known};
use super::{Plot, PlotError};
use crate::store::{BlameRow, Range, Snapshot};
use crate::units::{self, base_name};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};
use std::collections::BTreeMap;

/// Narrower boxes are left out: they would be lines.
const NARROWEST_PX: f64 = 1.5;
/// Narrower ones have no name: nothing that can be read fits in.
const NAMED_PX: i32 = 28;
const ROW_PX: i32 = 34;
/// One a level, from the top; dark text can be read on each.
const COLORS: [RGBColor; 5] = [
    RGBColor(0xDF, 0xE3, 0xE8),
    RGBColor(0xEE, 0xB7, 0x9D),
    RGBColor(0xF3, 0xC9, 0xB5),
    RGBColor(0xF0, 0xBF, 0xA8),
    RGBColor(0xF8, 0xDD, 0xD0),
];

#[derive(Default)]
struct Node {
    wait_ns: u64,
    children: BTreeMap<String, Node>,
}

impl Node {
    fn add(&mut self, names: &[String], wait_ns: u64) {
        self.wait_ns = self.wait_ns.saturating_add(wait_ns);
        if let Some((first, rest)) = names.split_first() {
            self.children.entry(first.clone()).or_default().add(rest, wait_ns);
        }
    }
}

fn rows(snapshot: &Snapshot<'_>, range: Range) -> Option<Vec<BlameRow>> {
    let inflicts = |row: &BlameRow| row.wait_inflicted_ns > 0;
    let rows: Vec<_> = snapshot.blame(range).into_iter().filter(inflicts).collect();
    (!rows.is_empty()).then_some(rows)
}

fn levels(row: &BlameRow) -> Vec<String> {
    let Some(function) = &row.function else {
        return vec![row.thread_name.clone(), "not looked at".into()];
    };
    let file = row.file.as_deref().map_or("unknown file", base_name);
    let native = row.native_module.as_deref().map(|module| base_name(module).split('.').next());
    let native = native.flatten().map_or(String::new(), |module| format!(" · {module}"));
    let line = row.line.map_or("line unknown".into(), |line| format!("line {line}"));
    vec![row.thread_name.clone(), format!("{file}{native}"), function.clone(), line]
}

pub fn draw(snapshot: &Snapshot<'_>, range: Range) -> Option<Result<String, PlotError>> {
    let rows = rows(snapshot, range)?;
    let mut root = Node::default();
    rows.iter().for_each(|row| root.add(&levels(row), row.wait_inflicted_ns));
    let drawn = snapshot.range().intersection(&range);
    let sheet = Sheet {
        title: Plot::GilBlame.title().into(),
        summary: format!(
            "{} of waiting inflicted in {} (thread, file and C module, function, line)",
            units::duration(root.wait_ns),
            units::duration(drawn.length_ns())
        ),
        legend: None,
        patterns: Default::default(),
        description: "Flame graph: each box is as wide as the waiting that it inflicted.".into(),
    };
    let body = |area: &Area<'_>| {
        let all = format!("all waits · {}", units::duration(root.wait_ns));
        draw_node(area, &all, &root, 0, (f64::from(px(20)), f64::from(px(SIZE.0 - 40))))
    };
    Some(canvas::draw(snapshot, drawn, &sheet, body))
}

fn draw_node(
    area: &Area<'_>,
    name: &str,
    node: &Node,
    depth: usize,
    (left, width): (f64, f64),
) -> Drawn {
    let (top, gap) = (px(16 + ROW_PX * depth as i32), px(1));
    let corners = [(left as i32, top), ((left + width) as i32 - gap, top + px(ROW_PX) - gap)];
    area.draw(&Rectangle::new(corners, COLORS[depth.min(4)].filled())).map_err(failed)?;
    if width > f64::from(px(NAMED_PX)) {
        let style = anchored(12.0, INK, HPos::Left, VPos::Center);
        let words = fit(area, name, &style, width as i32 - px(12));
        let place = (left as i32 + px(6), top + px(ROW_PX) / 2);
        area.draw_text(&words, &style, place).map_err(failed)?;
    }
    let mut children: Vec<_> = node.children.iter().collect();
    children.sort_by_key(|(_, child)| std::cmp::Reverse(child.wait_ns));
    let mut at = left;
    for (name, child) in children {
        let share = width * child.wait_ns as f64 / node.wait_ns.max(1) as f64;
        if share >= NARROWEST_PX * f64::from(SCALE) {
            draw_node(area, name, child, depth + 1, (at, share))?;
        }
        at += share;
    }
    Ok(())
}

pub fn table(snapshot: &Snapshot<'_>, range: Range) -> Option<Table> {
    let head = [
        "thread_id",
        "thread",
        "file",
        "native_module",
        "function",
        "line",
        "waits",
        "samples",
        "wait_inflicted_ns",
    ];
    let mut table = Table::new(&head);
    for row in rows(snapshot, range)? {
        table.rows.push(vec![
            row.thread_id.to_string(),
            row.thread_name,
            row.file.unwrap_or_default(),
            row.native_module.unwrap_or_default(),
            row.function.unwrap_or_default(),
            known(row.line),
            row.waits.to_string(),
            row.samples.to_string(),
            row.wait_inflicted_ns.to_string(),
        ]);
    }
    Some(table)
}
