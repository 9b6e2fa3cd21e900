//! Spans: what single events say of each thread, as pieces of time that never overlap.
//!
//! A wait has an event of its own. A hold has one if it was ended by a drop request, was long, or if
//! every cycle is traced. Between them, a waiter that saw one and the same holder at its begin and at
//! its end is a witness of that hold. What nobody recorded or saw makes no span: it is left to the
//! counters. Knows nothing of pixels.

use crate::batch::{Event, EventKind, ThreadKey};
use crate::store::Range;
use std::collections::BTreeMap;

/// What a span is, and what it rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SpanKind {
    /// A contended acquire: the thread waited for the GIL.
    Wait = 0,
    /// A hold with an event of its own.
    Hold = 1,
    /// A hold that a drop request ended.
    HoldForced = 2,
    /// A hold that only a waiter tells of; it may have had gaps.
    HoldSeen = 3,
}

/// A piece of time in which one thread waited for the GIL or held it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    pub thread: ThreadKey,
    pub kind: SpanKind,
    pub range: Range,
    /// Wait: who held the GIL last before this thread got it.
    pub holder: ThreadKey,
    /// Wait: who held it when the wait began.
    pub holder_start: ThreadKey,
    /// What the holder ran as a waiter saw it; 0 is "not looked at".
    pub code: u32,
    pub line: Option<u32>,
    pub native_module: Option<u32>,
    /// Wait: the part in which nobody held the GIL, ns.
    pub free_ns: u64,
    /// Wait: drop requests that this waiter set.
    pub drop_requests: u16,
    /// Forced hold: from the drop request to the release, ns.
    pub drop_to_release_ns: u64,
}

impl Span {
    fn of(event: &Event, kind: SpanKind) -> Self {
        Self {
            thread: event.thread,
            kind,
            range: Range::new(event.at_ns.saturating_sub(event.duration_ns), event.at_ns),
            holder: event.holder_end,
            holder_start: event.holder_start,
            code: event.code,
            line: event.line,
            native_module: event.native_module,
            free_ns: event.free_ns,
            drop_requests: event.drop_requests,
            drop_to_release_ns: event.drop_to_release_ns,
        }
    }

    /// The hold that this wait is a witness of.
    fn seen_hold(&self) -> Option<Self> {
        let end_ns = self.range.end_ns.saturating_sub(self.free_ns);
        let known = self.holder != ThreadKey(0) && self.holder == self.holder_start;
        let seen = known && self.holder != self.thread && self.range.start_ns < end_ns;
        seen.then(|| Self {
            thread: self.holder,
            kind: SpanKind::HoldSeen,
            range: Range::new(self.range.start_ns, end_ns),
            holder: ThreadKey(0),
            holder_start: ThreadKey(0),
            free_ns: 0,
            drop_requests: 0,
            drop_to_release_ns: 0,
            ..*self
        })
    }
}

/// Spans by thread, each thread's in order and apart.
pub type Spans = BTreeMap<ThreadKey, Vec<Span>>;

/// The spans of some events, which may come in any order.
pub fn spans<'a>(events: impl IntoIterator<Item = &'a Event>) -> Spans {
    let mut recorded = Spans::new();
    let mut seen = Spans::new();
    let mut waits = Vec::new();
    for event in events {
        let kind = match event.kind {
            EventKind::Wait => SpanKind::Wait,
            EventKind::ForcedRelease => SpanKind::HoldForced,
            EventKind::LongHold | EventKind::Hold => SpanKind::Hold,
            EventKind::ForcedSwitchWait => continue, // a moment, told by the wait that follows
        };
        let span = Span::of(event, kind);
        recorded.entry(span.thread).or_default().push(span);
        if kind == SpanKind::Wait {
            waits.push(span);
            if let Some(hold) = span.seen_hold() {
                seen.entry(hold.thread).or_default().push(hold);
            }
        }
    }
    recorded.values_mut().for_each(set_apart);
    for (thread, holds) in seen {
        fill_gaps(recorded.entry(thread).or_default(), holds);
    }
    waits.iter().for_each(|wait| name_hold(&mut recorded, wait));
    recorded
}

/// Sorts spans and takes from each what an earlier one covers: stamps of two threads may differ a bit.
fn set_apart(spans: &mut Vec<Span>) {
    spans.sort_by_key(|span| (span.range.start_ns, span.range.end_ns));
    let mut covered_ns = 0;
    spans.retain_mut(|span| {
        span.range = Range::new(span.range.start_ns.max(covered_ns), span.range.end_ns);
        covered_ns = covered_ns.max(span.range.end_ns);
        !span.range.is_empty()
    });
}

/// Adds the parts of `more` that nothing in `spans` covers.
fn fill_gaps(spans: &mut Vec<Span>, mut more: Vec<Span>) {
    set_apart(&mut more);
    let mut parts = Vec::new();
    for span in more {
        let mut from_ns = span.range.start_ns;
        let first = spans.partition_point(|known| known.range.end_ns <= from_ns);
        for known in spans[first..].iter().take_while(|k| k.range.start_ns < span.range.end_ns) {
            parts.push(Span { range: Range::new(from_ns, known.range.start_ns), ..span });
            from_ns = known.range.end_ns;
        }
        parts.push(Span { range: Range::new(from_ns, span.range.end_ns), ..span });
    }
    spans.extend(parts.into_iter().filter(|part| !part.range.is_empty()));
    spans.sort_by_key(|span| span.range.start_ns);
}

/// Gives the hold that a wait ended with the code that the waiter saw.
fn name_hold(spans: &mut Spans, wait: &Span) {
    let Some(holds) = spans.get_mut(&wait.holder).filter(|_| wait.code != 0) else { return };
    let at_ns = wait.range.end_ns.saturating_sub(wait.free_ns.saturating_add(1));
    let place = holds.partition_point(|hold| hold.range.end_ns <= at_ns);
    let Some(hold) = holds.get_mut(place) else { return };
    if hold.kind != SpanKind::Wait && hold.code == 0 && hold.range.start_ns <= at_ns {
        (hold.code, hold.line, hold.native_module) = (wait.code, wait.line, wait.native_module);
    }
}
