//! What each page is made of, as messages of the WebSocket.
//!
//! A part is computed and sent as a whole, and only if its bytes differ from those sent last; see
//! `ws`. Small things and tables are JSON text, series are [`Frame`]s.

use super::{Frame, SessionView, View};
use crate::batch::ThreadKind;
use crate::findings::findings;
use crate::hub::SessionId;
use crate::report::{frames, imports};
use crate::store::{
    CpuSeries, FramesFigures, FramesSeries, GilSeries, Pixels, ProcessSeries, Range, Snapshot,
    StateSeries,
};
use serde::Deserialize;
use serde_json::{Value, json};

/// Rows of a table that a page can make use of; programs get all by HTTP.
const ROWS_MAX: usize = 500;

/// A page of the dashboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Page {
    Overview,
    Cpu,
    Gil,
    Frames,
    Imports,
    States,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    Text(String),
    Binary(Vec<u8>),
}

/// Threads with a band of their own; a palette tells no more apart.
const BANDS_MAX: usize = 8;

type Parts = Vec<(&'static str, Part)>;

/// What a page wants to see.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub struct Wish {
    pub page: Page,
    #[serde(flatten)]
    pub view: View,
    /// The span that tables are about, if it is not the one of the charts.
    pub select: Option<Range>,
    /// Whether bands of CPU come in their parts.
    #[serde(default)]
    pub split: bool,
}

/// All parts of a page, in the order to send them. Without `tables` those are left out that need not
/// come with every tick.
pub fn parts(wish: Wish, id: SessionId, snapshot: &Snapshot<'_>, tables: bool) -> Parts {
    let Wish { page, view, select, split } = wish;
    let whole = snapshot.range();
    let charted = view.range_in(whole);
    let range = select.map_or(charted, |select| select.intersection(&whole));
    let stack = || match split {
        true => snapshot.cpu_in_parts(charted, view.px()),
        false => snapshot.cpu(charted, view.px()),
    };
    let cpu = || ("cpu", cpu(id, &stack().busiest(BANDS_MAX)));
    let gil = || ("gil", gil(id, snapshot.gil(charted, view.px()).as_ref()));
    let process = || ("process", process(id, &snapshot.process(charted, view.px())));
    let table = |name: &'static str, data: Value| (name, text(name, id, data));
    let threads = || table("threads", rows(snapshot.thread_rows(range)));
    let totals = || table("totals", json!(snapshot.totals(range)));
    let blame = || table("blame", rows(snapshot.blame(range)));
    let mut parts = vec![table("session", json!(SessionView::of(id, snapshot)))];
    match page {
        Page::Overview => parts.extend([cpu(), gil(), process(), totals()]),
        Page::Cpu => parts.push(cpu()),
        Page::Gil => parts.extend([gil(), totals()]),
        Page::Frames => {
            parts.push(("frames", frames_of(id, snapshot.frames_series(charted, view.px()))));
        }
        Page::Imports => parts.push(process()),
        Page::States => {
            let foreign =
                |key| snapshot.thread(key).is_some_and(|thread| thread.kind == ThreadKind::Foreign);
            let stack = snapshot.cpu(charted, view.px()).together("foreign threads", foreign);
            parts.push(("cpu", self::cpu(id, &stack.busiest(BANDS_MAX))));
            parts.push(("states", states(id, snapshot.state_series(charted, view.px()).as_ref())));
        }
    }
    match page {
        _ if !tables => {}
        Page::Frames => {
            parts.push(table("kept", json!(frames::build(snapshot, range, |at_ns| at_ns as i64))));
        }
        // Most programs import when they begin: without a selection it is the whole session's imports.
        Page::Imports => {
            let found = snapshot.imports(select.unwrap_or(whole));
            let told = found.map(|rows| imports::imports(rows, |at_ns| at_ns as i64));
            parts.push(table("imports", json!(told)));
        }
        Page::Overview => {
            parts.extend([table("findings", json!(findings(snapshot, range))), blame()]);
        }
        Page::Cpu => parts.push(threads()),
        Page::States => parts.push(table("callers", json!(snapshot.states(range)))),
        Page::Gil => parts.extend([
            table("histograms", json!(snapshot.histograms(range))),
            threads(),
            blame(),
            table("handoffs", rows(snapshot.handoffs(range))),
        ]),
    }
    parts
}

/// A JSON message: `{"part": …, "session": …, "data": …}`.
fn text(part: &str, id: SessionId, data: Value) -> Part {
    Part::Text(json!({ "part": part, "session": id, "data": data }).to_string())
}

/// The first rows of a table, and how many there are.
fn rows<T: serde::Serialize>(all: Vec<T>) -> Value {
    json!({ "rows": &all[..all.len().min(ROWS_MAX)], "n_rows": all.len() })
}

/// What every frame of a series says of itself.
fn header(part: &str, id: SessionId, range: Range, pixels: &Pixels) -> Value {
    json!({ "part": part, "session": id, "range": range,
        "start_ns": pixels.start_ns, "step_ns": pixels.step_ns })
}

/// The frame of a series that there is not.
fn nothing(part: &str, id: SessionId) -> Part {
    Part::Binary(Frame::new(json!({ "part": part, "session": id }), 0).finish())
}

/// Columns "total" and "0", "1", … for the bands that the header describes; of a band that comes in
/// its parts, "0.holding", "0.running", "0.unknown" and "0.runnable", too.
fn cpu(id: SessionId, series: &CpuSeries) -> Part {
    let bands: Vec<Value> = series
        .bands
        .iter()
        .map(|band| {
            let mut said = json!({ "of": band.of, "name": band.name, "cpu_ns": band.cpu_ns });
            if let Some(parts) = &band.parts {
                said["parts"] = json!({ "holding_ns": parts.holding_ns, "running_ns": parts.running_ns,
                    "unknown_ns": parts.unknown_ns, "runnable_ns": parts.runnable_ns });
            }
            said
        })
        .collect();
    let mut header = header("cpu", id, series.range, &series.pixels);
    header["bands"] = bands.into();
    let mut frame = Frame::new(header, series.pixels.count);
    frame.column("total", series.total_mean.iter().copied());
    for (index, band) in series.bands.iter().enumerate() {
        frame.column(index.to_string(), band.mean.iter().copied());
        let Some(parts) = &band.parts else { continue };
        let columns = [
            ("holding", &parts.holding),
            ("running", &parts.running),
            ("unknown", &parts.unknown),
            ("runnable", &parts.runnable),
        ];
        for (name, values) in columns {
            frame.column(format!("{index}.{name}"), values.iter().copied());
        }
    }
    Part::Binary(frame.finish())
}

/// Without columns when the GIL is not watched.
fn gil(id: SessionId, series: Option<&GilSeries>) -> Part {
    let Some(series) = series else {
        return nothing("gil", id);
    };
    let mut frame =
        Frame::new(header("gil", id, series.range, &series.pixels), series.pixels.count);
    let columns = [
        ("utilization", &series.utilization_mean),
        ("waiters", &series.waiters_mean),
        ("waiters_max", &series.waiters_max),
        ("handoffs_per_s", &series.handoffs_per_s),
        ("acquires_per_s", &series.acquires_per_s),
    ];
    for (name, values) in columns {
        frame.column(name, values.iter().copied());
    }
    Part::Binary(frame.finish())
}

/// Without columns when the probe has no figures.
fn frames_of(id: SessionId, series: Option<FramesSeries>) -> Part {
    let Some(series) = series else {
        return nothing("frames", id);
    };
    let mut frame =
        Frame::new(header("frames", id, series.range, &series.pixels), series.pixels.count);
    for (name, of) in FramesFigures::ALL {
        let value = |point: &Option<FramesFigures>| point.as_ref().and_then(of);
        let values = series.points.iter().map(value);
        frame.column(name, values.map(|value| value.map_or(f32::NAN, |bytes| bytes as f32)));
    }
    Part::Binary(frame.finish())
}

/// Without columns when thread states are not watched.
fn states(id: SessionId, series: Option<&StateSeries>) -> Part {
    let Some(series) = series else {
        return nothing("states", id);
    };
    let mut frame =
        Frame::new(header("states", id, series.range, &series.pixels), series.pixels.count);
    let rates = [("created_per_s", &series.created_per_s), ("kept_per_s", &series.kept_per_s)];
    for (name, values) in rates {
        frame.column(name, values.iter().copied());
    }
    let means = [
        ("create_ns", &series.create_ns),
        ("chunk_ns", &series.chunk_ns),
        ("delete_ns", &series.delete_ns),
        ("gil_wait_ns", &series.gil_wait_ns),
        ("run_ns", &series.run_ns),
    ];
    for (name, values) in means {
        frame.column(name, values.iter().map(|value| value.unwrap_or(f32::NAN)));
    }
    Part::Binary(frame.finish())
}

fn process(id: SessionId, series: &ProcessSeries) -> Part {
    let mut frame =
        Frame::new(header("process", id, series.range, &series.pixels), series.pixels.count);
    frame.column(
        "rss_bytes",
        series.rss_bytes.iter().map(|value| value.map_or(f32::NAN, |v| v as f32)),
    );
    frame
        .column("threads", series.threads.iter().map(|value| value.map_or(f32::NAN, |v| v as f32)));
    frame.column(
        "host_cpu_ratio",
        series.host_cpu_ratio.iter().map(|value| value.unwrap_or(f32::NAN)),
    );
    Part::Binary(frame.finish())
}
