//! `gil-timeline`: one lane a thread with the share of each moment that it held the GIL, waited for it
//! or ran without it; and, in a range short enough, each handoff as an arrow from holder to waiter.

use super::canvas::{self, *};
use super::table::{Table, seconds};
use super::time_axis::{self, Chart, Values};
use super::{Plot, PlotError};
use crate::batch::{ThreadKey, ThreadKind};
use crate::store::lanes::{Detail, Lane, Lanes, Missing, STATES, SpanKind};
use crate::store::{Range, Snapshot};
use crate::units;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

/// Columns over the width of the plot, and rows of the CSV per thread.
const PIXELS: usize = 300;
/// Lanes on a sheet; beyond it those that used the GIL least are left out, and counted.
const LANES: usize = 20;
/// More arrows would be a blot.
const ARROWS: usize = 150;
/// Room for names, left of the chart's own margin.
const NAMES_PX: i32 = 90;

/// The states' colours and words, as on the page.
const LOOKS: [(RGBColor, &str); 4] = [
    (RGBColor(0x0B, 0x63, 0xB6), "holding the GIL"),
    (RGBColor(0xB0, 0x47, 0x1E), "waiting for it"),
    (RGBColor(0x7F, 0xB9, 0xA8), "on a core without it"),
    (RGBColor(0xEC, 0xEF, 0xF2), "off CPU or unknown"),
];

/// What a recording is to be asked for, if the range is older than the single events at hand.
pub fn missing(snapshot: &Snapshot<'_>, range: Range) -> Option<Missing> {
    snapshot.missing(range, PIXELS)
}

fn lanes(snapshot: &Snapshot<'_>, range: Range, detail: Option<&Detail>) -> Option<Lanes> {
    snapshot.totals(range)?;
    let rank = |key: &ThreadKey| {
        let fact = snapshot.thread(*key).expect("it is one of the snapshot's threads");
        (!fact.is_main, fact.kind == ThreadKind::Native, *key)
    };
    let mut keys: Vec<ThreadKey> = snapshot.threads().map(|fact| fact.key).collect();
    keys.sort_by_key(rank);
    let mut lanes = snapshot.lanes(range, PIXELS, &keys, detail);
    lanes.lanes.retain(|lane| sum(lane, 4) < lanes.pixels.step_ns * lanes.pixels.count as u64);
    (!lanes.lanes.is_empty()).then_some(lanes)
}

fn sum(lane: &Lane, state: usize) -> u64 {
    lane.pixels.iter().map(|parts| parts[state]).sum()
}

/// Those that used the GIL most, in their order; says how many are left out.
fn busiest(lanes: &Lanes) -> (Vec<&Lane>, usize) {
    let used = |lane: &&Lane| sum(lane, 0) + sum(lane, 1);
    let mut kept: Vec<(usize, &Lane)> = lanes.lanes.iter().enumerate().collect();
    kept.sort_by_key(|(_, lane)| std::cmp::Reverse(used(lane)));
    kept.truncate(LANES);
    kept.sort_by_key(|(place, _)| *place);
    let left_out = lanes.lanes.len() - kept.len();
    (kept.into_iter().map(|(_, lane)| lane).collect(), left_out)
}

pub fn draw(
    snapshot: &Snapshot<'_>,
    range: Range,
    detail: Option<&Detail>,
) -> Option<Result<String, PlotError>> {
    let lanes = lanes(snapshot, range, detail)?;
    let (shown, left_out) = busiest(&lanes);
    let whole: u64 = (0..4).map(|s| lanes.lanes.iter().map(|lane| sum(lane, s)).sum::<u64>()).sum();
    let figure = |state: usize| {
        let ns: u64 = lanes.lanes.iter().map(|lane| sum(lane, state)).sum();
        units::percent(ns as f64 / whole.max(1) as f64)
    };
    let entry = |(state, (color, name)): (usize, &(RGBColor, &str))| Entry {
        color: *color,
        name: (*name).into(),
        figure: figure(state),
    };
    let more = if left_out > 0 { format!(", {left_out} more are left out") } else { String::new() };
    let sheet = Sheet {
        title: Plot::GilTimeline.title().into(),
        summary: format!(
            "{} threads over {}, {} a column{more}",
            shown.len(),
            units::duration(lanes.range.length_ns()),
            units::duration(lanes.pixels.step_ns)
        ),
        legend: Some(("of all time", LOOKS.iter().enumerate().map(entry).collect())),
        patterns: Default::default(),
        description: "One lane a thread, from below: holding the GIL, waiting for it, running \
                      without it. Arrows go from the thread that let go to the one that took it."
            .into(),
    };
    let body = |area: &Area<'_>| draw_lanes(area, snapshot, &lanes, &shown);
    Some(canvas::draw(snapshot, lanes.range, &sheet, body))
}

fn draw_lanes(area: &Area<'_>, snapshot: &Snapshot<'_>, lanes: &Lanes, shown: &[&Lane]) -> Drawn {
    let (names, area) = area.split_horizontally(px(NAMES_PX));
    let nothing = |_: &f64| String::new();
    let values = Values { max: shown.len() as f64, title: "", label: &nothing };
    let mut chart = time_axis::chart(&area, lanes.range, &values, true)?;
    for (row, lane) in shown.iter().enumerate() {
        // The first lane stands at the top.
        let bottom = (shown.len() - 1 - row) as f64 + 0.12;
        for state in (0..4).rev() {
            let outline = outline(lanes, lane, state, bottom);
            chart.draw_series([Polygon::new(outline, LOOKS[state].0.filled())]).map_err(failed)?;
        }
    }
    draw_names(&names, snapshot, &chart, shown)?;
    draw_arrows(&mut chart, lanes, shown)?;
    time_axis::draw_marks(&area, &chart, lanes.range, snapshot.marks(), true)
}

/// A stair along the tops of a state's shares, and of all states below it; then back along the bottom.
fn outline(lanes: &Lanes, lane: &Lane, state: usize, bottom: f64) -> Vec<(f64, f64)> {
    let x = |at_ns| time_axis::x(lanes.range, at_ns);
    let mut points = vec![(x(lanes.range.start_ns), bottom)];
    for (pixel, parts) in lane.pixels.iter().enumerate() {
        let span = lanes.pixels.span(pixel).intersection(&lanes.range);
        let upto = parts[..=state].iter().sum::<u64>() as f64 / span.length_ns().max(1) as f64;
        let top = bottom + 0.76 * upto.min(1.0);
        points.extend([(x(span.start_ns), top), (x(span.end_ns), top)]);
    }
    points.push((x(lanes.range.end_ns), bottom));
    points.dedup();
    points
}

fn draw_names(
    area: &Area<'_>,
    snapshot: &Snapshot<'_>,
    chart: &Chart<'_, '_>,
    shown: &[&Lane],
) -> Drawn {
    let (_, rows) = chart.plotting_area().get_pixel_range();
    let (_, top) = area.get_base_pixel();
    let style = anchored(11.0, INK, HPos::Right, VPos::Center);
    for (row, lane) in shown.iter().enumerate() {
        let height = f64::from(rows.end - rows.start) / shown.len() as f64;
        let y = rows.start - top + (height * (row as f64 + 0.5)) as i32;
        let name = snapshot.thread_name(lane.thread);
        let right = px(NAMES_PX + 60);
        let name = fit(area, &name, &style, right - px(18));
        area.draw_text(&name, &style, (right, y)).map_err(failed)?;
    }
    Ok(())
}

/// From the holder at its release to the waiter at its acquire.
fn draw_arrows(chart: &mut Chart<'_, '_>, lanes: &Lanes, shown: &[&Lane]) -> Drawn {
    let row = |key| shown.iter().position(|lane| lane.thread == key);
    let waits = lanes.spans.iter().filter(|span| span.kind == SpanKind::Wait);
    let ends = waits.filter_map(|wait| {
        let inside = wait.range.end_ns < lanes.range.end_ns;
        let rows = row(wait.holder).zip(row(wait.thread)).filter(|(from, to)| from != to);
        rows.filter(|_| inside).map(|rows| (wait, rows))
    });
    let ends: Vec<_> = ends.collect();
    if ends.len() > ARROWS {
        return Ok(());
    }
    for (wait, (from, to)) in ends {
        let y = |row: usize, edge: f64| (shown.len() - 1 - row) as f64 + edge;
        let (leave, arrive) = if to > from { (0.12, 0.88) } else { (0.88, 0.12) };
        let x = |at_ns| time_axis::x(lanes.range, at_ns);
        let released_ns = wait.range.end_ns.saturating_sub(wait.free_ns);
        let line = [(x(released_ns), y(from, leave)), (x(wait.range.end_ns), y(to, arrive))];
        let stroke = INK.stroke_width(SCALE as u32 * 3 / 4);
        chart.draw_series(LineSeries::new(line, stroke)).map_err(failed)?;
        let head = TriangleMarker::new(line[1], px(2), INK.filled());
        chart.draw_series([head]).map_err(failed)?;
    }
    Ok(())
}

pub fn table(snapshot: &Snapshot<'_>, range: Range, detail: Option<&Detail>) -> Option<Table> {
    let lanes = lanes(snapshot, range, detail)?;
    let states = STATES.map(|state| format!("{state}_ns"));
    let head = ["thread_id", "thread", "time_s"].into_iter();
    let mut table =
        Table::new(&head.chain(states.iter().map(String::as_str)).collect::<Vec<&str>>());
    for lane in &lanes.lanes {
        let thread_id = snapshot.thread(lane.thread).map_or(0, |fact| fact.thread_id);
        let name = snapshot.thread_name(lane.thread);
        for (pixel, parts) in lane.pixels.iter().enumerate() {
            let start = seconds(lanes.pixels.span(pixel).start_ns);
            let begin = [thread_id.to_string(), name.clone(), start].into_iter();
            table.rows.push(begin.chain(parts.iter().map(u64::to_string)).collect());
        }
    }
    Some(table)
}
