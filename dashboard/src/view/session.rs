//! A session at a glance, and its single events with names in place of numbers.

use crate::batch::{Ended, Event, Mark, Target};
use crate::hub::{HubError, HubHandle, SessionId};
use crate::store::{Range, Snapshot, total};
use serde::Serialize;
use std::collections::BTreeMap;

/// All facts of a session that fit on one line or in one box.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SessionView {
    pub id: SessionId,
    pub target: Target,
    pub range: Range,
    pub marks: Vec<Mark>,
    pub ended: Option<Over>,
    /// Probe name to the reason why its figures are missing.
    pub notes: BTreeMap<String, String>,
    pub events_lost: u64,
    pub lost_by_cause: BTreeMap<String, u64>,
    pub n_threads: usize,
    pub n_threads_alive: usize,
    /// Memory in RAM at the last sample; null without one.
    pub rss_bytes: Option<u64>,
    /// Share of the last five seconds in which the GIL was held; null when it is not watched.
    pub gil_utilization: Option<f64>,
    /// Cores used over the last five seconds; null without samples.
    pub cpu_cores: Option<f64>,
}

/// Why a session is over.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Over {
    #[serde(flatten)]
    pub ended: Ended,
    /// See [`Ended::how`].
    pub how: &'static str,
}

impl From<&Ended> for Over {
    fn from(ended: &Ended) -> Self {
        Self { ended: ended.clone(), how: ended.how() }
    }
}

/// What "now" means in the list of sessions.
const RECENT_NS: u64 = 5_000_000_000;

impl SessionView {
    pub fn of(id: SessionId, snapshot: &Snapshot<'_>) -> Self {
        let range = snapshot.range();
        let recent =
            Range::new(range.end_ns.saturating_sub(RECENT_NS).max(range.start_ns), range.end_ns);
        let lost = snapshot.lost();
        Self {
            id,
            target: snapshot.target().clone(),
            range,
            marks: snapshot.marks().to_vec(),
            ended: snapshot.ended().map(Over::from),
            notes: snapshot.notes().clone(),
            events_lost: total(lost.values().copied()),
            lost_by_cause: lost.clone(),
            n_threads: snapshot.threads().count(),
            n_threads_alive: snapshot.threads().filter(|thread| thread.alive).count(),
            rss_bytes: snapshot.process_points(recent, 1).last().map(|point| point.rss_bytes),
            gil_utilization: snapshot.totals(recent).and_then(|totals| totals.utilization()),
            cpu_cores: cores(snapshot, recent),
        }
    }
}

fn cores(snapshot: &Snapshot<'_>, recent: Range) -> Option<f64> {
    let series = snapshot.cpu(recent, 1);
    let cpu_ns = total(series.bands.iter().map(|band| band.cpu_ns));
    (!series.range.is_empty()).then(|| cpu_ns as f64 / series.range.length_ns() as f64)
}

/// All sessions in the order of their start.
pub async fn sessions(hub: &HubHandle) -> Result<Vec<SessionView>, HubError> {
    let mut views = Vec::new();
    for id in hub.sessions().await? {
        views.push(hub.with(id, move |snapshot| SessionView::of(id, snapshot)).await?);
    }
    Ok(views)
}

/// An event with names in place of numbers.
#[derive(Serialize)]
struct EventView<'a> {
    #[serde(flatten)]
    event: &'a Event,
    thread_name: String,
    /// Who held the GIL when the wait ended, or null.
    holder_name: Option<String>,
    function: Option<&'a str>,
    file: Option<&'a str>,
    module: Option<&'a str>,
}

/// Some events, and how many the answer leaves out.
pub fn events(snapshot: &Snapshot<'_>, events: &[Event], left_out: u64) -> serde_json::Value {
    let named = |event| {
        let &Event { thread, holder_end, code, native_module, .. } = event;
        let code = snapshot.code(code);
        EventView {
            event,
            thread_name: snapshot.thread_name(thread),
            holder_name: (holder_end.0 != 0).then(|| snapshot.thread_name(holder_end)),
            function: code.map(|code| code.function.as_str()),
            file: code.map(|code| code.file.as_str()),
            module: native_module.and_then(|index| snapshot.native_module(index)),
        }
    };
    let events: Vec<_> = events.iter().map(named).collect();
    let let_go = snapshot.events_let_go();
    serde_json::json!({ "events": events, "left_out": left_out, "let_go": let_go })
}
