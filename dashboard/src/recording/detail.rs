//! What a recording knows of a narrow range: its single events, and counters of about a second each.
//!
//! Only chunks whose events touch the range are read, in bounded memory: beyond [`EVENTS_MAX`] the
//! longest events stay, and the others are counted, exactly. A range that takes more than [`READ_MAX`]
//! events or [`READ_BYTES_MAX`] is none for single events: a page would wait for seconds.

#[cfg(test)]
mod tests;

use super::read::Recording;
use super::rows::{signed, unsigned};
use super::schema::FORMAT_WITH_EVENT_TIMES;
use super::{RecordingError, chunk};
use crate::batch::{Event, ThreadKey};
use crate::store::lanes::{Detail, DetailBin, Missing, spans};
use crate::store::{Range, total};
use rusqlite::params;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};

/// Events of an answer: some 20 MB.
pub const EVENTS_MAX: usize = 200_000;
/// Events that are unpacked for one answer: a good part of a second's work.
const READ_MAX: u64 = 4_000_000;
/// Bytes of chunks, packed, that are unpacked for one answer: likewise. Ten seconds of 300 threads.
const READ_BYTES_MAX: u64 = 6 << 20;
/// A first chunk that covers more time begins with what was known when a recording began in the
/// middle of a session; there are no events of that.
const FIRST_CHUNK_NS_MAX: u64 = 10_000_000_000;

/// Some of the events that were wanted, by end.
#[derive(Debug, Default, PartialEq)]
pub struct Found {
    pub events: Vec<Event>,
    pub left_out: u64,
}

/// A chunk with events of a range.
struct Piece {
    id: i64,
    events: u64,
    /// Of the chunk, packed.
    bytes: u64,
    /// From the first event's begin to the last one's end.
    range: Range,
}

impl Recording {
    /// What is missing, with its counters. Null if this recording cannot tell of it, or too much.
    pub fn detail(&self, missing: &Missing) -> Result<Option<Detail>, RecordingError> {
        if self.version < FORMAT_WITH_EVENT_TIMES {
            return Ok(None);
        }
        let bins = self.failing(self.bins(missing.range))?;
        let (Some(first), Some(last)) = (bins.first(), bins.last()) else { return Ok(None) };
        let range = Range::new(first.range.start_ns, last.range.end_ns);
        let pieces = self.failing(self.pieces(range))?;
        let sum = |of: fn(&Piece) -> u64| total(pieces.iter().map(of));
        if sum(|piece| piece.events) > READ_MAX || sum(|piece| piece.bytes) > READ_BYTES_MAX {
            return Ok(None);
        }
        let found = self.events_in(range, EVENTS_MAX)?;
        let known: HashSet<_> = found.events.iter().map(identity).collect();
        let later = missing.later.iter().filter(|event| !known.contains(&identity(event)));
        let spans = spans(found.events.iter().chain(later));
        Ok(Some(Detail { range, bins, spans, left_out: found.left_out }))
    }

    /// Events that touch the range, the longest `most` of them.
    pub fn events_in(&self, range: Range, most: usize) -> Result<Found, RecordingError> {
        let pieces = self.failing(self.pieces(range))?;
        let mut found = Found::default();
        for piece in &pieces {
            let events = self.read_piece(piece)?.into_iter();
            found.events.extend(events.filter(|event| touches(event, range)));
            if found.events.len() > most.saturating_mul(2) {
                found.shorten(most);
            }
        }
        found.shorten(most);
        found.events.sort_by_key(|event| event.at_ns);
        Ok(found)
    }

    /// Events that ended in the range, the newest `most` of them.
    pub fn newest_events(&self, range: Range, most: usize) -> Result<Found, RecordingError> {
        let mut found = Found::default();
        let ended = |event: &Event| range.start_ns <= event.at_ns && event.at_ns < range.end_ns;
        for piece in self.failing(self.pieces(range))?.iter().rev() {
            if found.events.len() >= most && piece.lies_in(range) {
                found.left_out += piece.events;
                continue;
            }
            found.events.extend(self.read_piece(piece)?.into_iter().filter(ended));
            found.keep_newest(most);
        }
        Ok(found)
    }

    fn read_piece(&self, piece: &Piece) -> Result<Vec<Event>, RecordingError> {
        let sql = "SELECT data FROM chunks WHERE id = ?";
        let read = self.db.prepare_cached(sql);
        let data = read.and_then(|mut query| query.query_row([piece.id], |row| row.get(0)));
        let data: Vec<u8> = self.failing(data)?;
        let batches =
            chunk::decode(&data, self.version).map_err(|cause| self.corrupt(piece.id, &cause))?;
        Ok(batches.into_iter().flat_map(|batch| batch.events).collect())
    }

    fn pieces(&self, range: Range) -> rusqlite::Result<Vec<Piece>> {
        let mut query = self.db.prepare_cached(
            "SELECT id, events, events_from_ns, events_to_ns, length(data) FROM chunks \
             WHERE events > 0 AND events_to_ns > ? AND events_from_ns < ? ORDER BY id",
        )?;
        let pieces =
            query.query_map(params![signed(range.start_ns), signed(range.end_ns)], |row| {
                let range = Range::new(unsigned(row.get(2)?), unsigned(row.get(3)?));
                let (events, bytes) = (unsigned(row.get(1)?), unsigned(row.get(4)?));
                Ok(Piece { id: row.get(0)?, events, bytes, range })
            })?;
        pieces.collect()
    }

    /// Counters of the chunks whose time touches the range, by chunk.
    fn bins(&self, range: Range) -> rusqlite::Result<Vec<DetailBin>> {
        let mut edges = self.edges(range)?.into_iter();
        let Some(mut from_ns) = edges.next() else { return Ok(Vec::new()) };
        let mut bins = Vec::new();
        let mut query = self.db.prepare_cached(
            "SELECT thread_key, hold_ns, wait_ns, cpu_ns FROM rollups WHERE at_ns = ?",
        )?;
        for to_ns in edges {
            let rows = query.query_map([signed(to_ns)], |row| {
                let ns = |at| row.get(at).map(unsigned);
                Ok((ThreadKey(row.get(0)?), [ns(1)?, ns(2)?, ns(3)?]))
            })?;
            let counted = rows.collect::<rusqlite::Result<BTreeMap<_, _>>>()?;
            bins.push(DetailBin { range: Range::new(from_ns, to_ns), counted });
            from_ns = to_ns;
        }
        Ok(bins)
    }

    /// Where chunks end that touch the range, and first where the first of them begins.
    fn edges(&self, range: Range) -> rusqlite::Result<Vec<u64>> {
        let (start, end) = (signed(range.start_ns), signed(range.end_ns));
        let begin = "SELECT first_ns, last_ns FROM chunks ORDER BY id LIMIT 1";
        let begin = self
            .db
            .query_row(begin, [], |row| Ok((unsigned(row.get(0)?), unsigned(row.get(1)?))))?;
        let first_ns =
            if begin.1 - begin.0.min(begin.1) > FIRST_CHUNK_NS_MAX { begin.1 } else { begin.0 };
        let before = "SELECT max(last_ns) FROM chunks WHERE last_ns <= ?";
        let before: Option<i64> = self.db.query_row(before, [start], |row| row.get(0))?;
        let from_ns = before.map_or(first_ns, unsigned).max(first_ns);
        let last = "SELECT min(last_ns) FROM chunks WHERE last_ns >= ?";
        let last: Option<i64> = self.db.query_row(last, [end], |row| row.get(0))?;
        let mut query = self.db.prepare_cached(
            "SELECT DISTINCT last_ns FROM chunks WHERE last_ns > ? AND last_ns <= ? ORDER BY last_ns",
        )?;
        let ends = query
            .query_map(params![signed(from_ns), last.unwrap_or(i64::MAX)], |row| row.get(0))?;
        let ends = ends.map(|end| end.map(unsigned)).collect::<rusqlite::Result<Vec<u64>>>()?;
        Ok(std::iter::once(from_ns).chain(ends).collect())
    }
}

impl Piece {
    /// Whether all of its events began and ended in the range.
    fn lies_in(&self, range: Range) -> bool {
        range.start_ns < self.range.start_ns && self.range.end_ns < range.end_ns
    }
}

impl Found {
    /// With events that are not in the file yet.
    pub fn with_later(mut self, later: &[Event], most: usize) -> Self {
        let known: HashSet<_> = self.events.iter().map(identity).collect();
        self.events.extend(later.iter().filter(|event| !known.contains(&identity(event))).cloned());
        self.keep_newest(most);
        self
    }

    fn keep_newest(&mut self, most: usize) {
        let surplus = self.events.len().saturating_sub(most);
        self.events.sort_by_key(|event| event.at_ns);
        self.events.drain(..surplus);
        self.left_out += surplus as u64;
    }

    fn shorten(&mut self, most: usize) {
        let surplus = self.events.len().saturating_sub(most);
        if surplus > 0 {
            self.events.sort_by_key(|event| (Reverse(event.duration_ns), event.at_ns));
            self.events.truncate(most);
            self.left_out += surplus as u64;
        }
    }
}

/// Two events of one thread never end at the same moment after the same time.
fn identity(event: &Event) -> (ThreadKey, u64, u64, u8) {
    (event.thread, event.at_ns, event.duration_ns, event.kind as u8)
}

fn touches(event: &Event, range: Range) -> bool {
    event.at_ns > range.start_ns && event.at_ns.saturating_sub(event.duration_ns) < range.end_ns
}
