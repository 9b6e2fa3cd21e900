//! `gil-blame`: a flame graph of the waiting that holders inflicted: thread, file and C module,
//! function, line.

use super::canvas::{self, *};
use super::flame::{NARROWEST_PX, ROW_PX, draw_box};
use super::table::{Table, known};
use super::{Plot, PlotError};
use crate::store::{BlameRow, Range, Snapshot};
use crate::units::{self, base_name};
use std::collections::BTreeMap;

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
    draw_box(area, name, depth, (left, width), px(ROW_PX))?;
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
