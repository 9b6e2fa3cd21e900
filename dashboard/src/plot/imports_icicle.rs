//! `imports-icicle`: what was imported by what, each as wide as the memory that it keeps; as the time that it
//! took where memory is not known.

use super::canvas::{self, *};
use super::flame::{NARROWEST_PX, ROW_PX, TOP_PX, draw_box};
use super::table::{Table, known, seconds};
use super::{Plot, PlotError};
use crate::store::{ImportRow, ImportRows, Range, Snapshot};
use crate::units;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Deeper imports count for the one above them.
const DEEPEST: u32 = 40;

fn imports(snapshot: &Snapshot<'_>, range: Range) -> Option<ImportRows> {
    snapshot.imports(range).filter(|imports| !imports.rows.is_empty())
}

/// A box: its own weight, then with all below it.
struct Node {
    name: String,
    depth: u32,
    weight: u64,
    children: Vec<usize>,
}

/// The first is all imports.
fn nodes(imports: &ImportRows) -> Vec<Node> {
    let weight = |row: &ImportRow| match imports.total_bytes {
        Some(_) => u64::try_from(row.bytes_self.unwrap_or(0)).unwrap_or(0),
        None => row.time_self_ns.unwrap_or(0),
    };
    let node =
        |name: &str, depth, weight| Node { name: name.into(), depth, weight, children: vec![] };
    let mut nodes = vec![node("", 0, 0)];
    let mut parents = vec![0];
    let mut places = BTreeMap::new();
    for row in &imports.rows {
        let parent = places.get(&row.fact.parent).copied().unwrap_or(0);
        let depth = nodes[parent].depth + 1;
        if depth > DEEPEST {
            nodes[parent].weight = nodes[parent].weight.saturating_add(weight(row));
            places.insert(row.fact.number, parent);
            continue;
        }
        let at = nodes.len();
        nodes.push(node(&row.fact.name, depth, weight(row)));
        nodes[parent].children.push(at);
        parents.push(parent);
        places.insert(row.fact.number, at);
    }
    for at in (1..nodes.len()).rev() {
        let (weight, parent) = (nodes[at].weight, parents[at]);
        nodes[parent].weight = nodes[parent].weight.saturating_add(weight);
    }
    nodes
}

pub fn draw(snapshot: &Snapshot<'_>, range: Range) -> Option<Result<String, PlotError>> {
    let imports = imports(snapshot, range)?;
    let mut nodes = nodes(&imports);
    let text = if imports.total_bytes.is_some() { units::bytes } else { units::duration };
    let what =
        if imports.total_bytes.is_some() { "memory that it keeps" } else { "time that it took" };
    nodes[0].name = format!("all imports · {}", text(nodes[0].weight));
    let kept = imports.total_bytes.map(|kept| units::bytes(kept.max(0).unsigned_abs()));
    let kept = kept.map_or("memory not known".into(), |kept| format!("{kept} kept"));
    let took = units::duration(imports.total_ns);
    let sheet = Sheet {
        title: Plot::ImportsIcicle.title().into(),
        summary: format!(
            "{} imports, {kept}, {took} (width: the {what})",
            units::count(imports.count as u64)
        ),
        legend: None,
        patterns: Default::default(),
        description: format!("Icicle: each import is as wide as the {what}, below its importer."),
    };
    let drawn = snapshot.range().intersection(&range);
    Some(canvas::draw(snapshot, drawn, &sheet, |area| draw_nodes(area, &nodes)))
}

fn draw_nodes(area: &Area<'_>, nodes: &[Node]) -> Drawn {
    let (_, height) = area.dim_in_pixel();
    let levels = nodes.iter().map(|node| node.depth + 1).max().unwrap_or(1) as i32;
    let row = px(ROW_PX).min((height as i32 - px(2 * TOP_PX)) / levels);
    let mut places = vec![(0, (f64::from(px(20)), f64::from(px(SIZE.0 - 40))))];
    while let Some((at, (left, width))) = places.pop() {
        let node = &nodes[at];
        draw_box(area, &node.name, node.depth as usize, (left, width), row)?;
        let mut children = node.children.clone();
        children.sort_by_key(|child| Reverse(nodes[*child].weight));
        let mut at = left;
        for child in children {
            let share = width * nodes[child].weight as f64 / node.weight.max(1) as f64;
            if share >= NARROWEST_PX * f64::from(SCALE) {
                places.push((child, (at, share)));
            }
            at += share;
        }
    }
    Ok(())
}

pub fn table(snapshot: &Snapshot<'_>, range: Range) -> Option<Table> {
    let head = [
        "module",
        "depth",
        "importer",
        "function",
        "file",
        "line",
        "thread_id",
        "at_s",
        "time_ns",
        "time_self_ns",
        "bytes",
        "bytes_self",
        "peak_bytes",
        "failed",
    ];
    let mut table = Table::new(&head);
    for ImportRow { fact, depth, time_self_ns, bytes_self } in imports(snapshot, range)?.rows {
        table.rows.push(vec![
            fact.name,
            depth.to_string(),
            fact.importer,
            fact.function,
            fact.file,
            known((fact.line != 0).then_some(fact.line)),
            fact.thread_id.to_string(),
            seconds(fact.at_ns),
            known(fact.time_ns),
            known(time_self_ns),
            known(fact.bytes),
            known(bytes_self),
            known(fact.peak_bytes),
            fact.failed.to_string(),
        ]);
    }
    Some(table)
}
