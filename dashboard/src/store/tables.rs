//! Tables over a range: totals, distributions, threads, blame, handoffs, events.
//!
//! The whole session is answered from the last cumulative figures, exact to the unit. An inner
//! range is answered from whole bins, exact for the bounds that the answer names.

use super::answers::*;
use super::bins::{CpuRow, Rows, add_cpu, add_rows};
use super::class::class;
use super::counters::{Counters, GilCounters, WaitCounters};
use super::snapshot::Snapshot;
use super::threads::{EXITED, Thread};
use super::{bins, hist};
use crate::batch::{Event, Hist, ThreadFact, ThreadKey, ThreadKind};

/// What the threads did in a range, before names.
struct ThreadSums {
    range: Range,
    cpu: Rows<ThreadKey, CpuRow>,
    exited: CpuRow,
    gil: Rows<ThreadKey, ThreadGilTotals>,
}

fn find<K: Ord + Copy, V: Copy>(rows: &Rows<K, V>, key: K) -> Option<V> {
    rows.binary_search_by_key(&key, |row| row.0).ok().map(|at| rows[at].1)
}

impl<'a> Snapshot<'a> {
    /// The GIL's totals; null when it is not watched.
    pub fn totals(&self, range: Range) -> Option<GilTotals> {
        let last = self.store.gil_last.as_ref()?;
        if self.is_whole(range) {
            let window = Range::new(last.window_start_ns, last.at_ns);
            return Some(GilCounters::from(last).over(window));
        }
        let (bounds, bins) = self.store.gil.within(range);
        let mut sum = GilCounters::default();
        bins.for_each(|bin| sum.add(&bin.totals));
        Some(sum.over(bounds))
    }

    /// The GIL's distributions; null when it is not watched.
    pub fn histograms(&self, range: Range) -> Option<Histograms> {
        let last = self.store.gil_last.as_ref()?;
        let whole = [&last.hold, &last.wait, &last.drop_to_release, &last.wake];
        let (bounds, hists) = if self.is_whole(range) {
            (Range::new(last.window_start_ns, last.at_ns), whole.map(Hist::clone))
        } else {
            let (bounds, bins) = self.store.gil.within(range);
            let mut sums: [Hist; 4] = Default::default();
            for bin in bins {
                sums.iter_mut().zip(&bin.hists).for_each(|(sum, more)| hist::add(sum, more));
            }
            (bounds, sums)
        };
        let answer = |at: usize| hist::distribution(&hists[at], whole[at].max_ns);
        Some(Histograms {
            range: bounds,
            hold: answer(0),
            wait: answer(1),
            drop_to_release: answer(2),
            wake: answer(3),
        })
    }

    /// One row a thread that was there in the range, in the order of first sight; then one for the
    /// exited threads if there are any.
    pub fn thread_rows(&self, range: Range) -> Vec<ThreadRow> {
        let sums = (!self.is_whole(range)).then(|| self.thread_sums(range));
        let present =
            |thread: &&Thread| sums.as_ref().is_none_or(|s| was_there(&thread.fact, s.range));
        let threads = self.store.threads.iter().filter(present);
        let mut rows: Vec<_> = threads.map(|thread| self.thread_row(thread, &sums)).collect();
        rows.extend(self.exited_row(&sums));
        rows
    }

    fn thread_row(&self, thread: &Thread, sums: &Option<ThreadSums>) -> ThreadRow {
        let fact = &thread.fact;
        let (mut cpu, mut gil) = (thread.cpu(), thread.gil());
        let mut parts = thread.parts();
        if let Some(sums) = sums {
            let row = find(&sums.cpu, fact.key).unwrap_or_default();
            (cpu, parts) = (cpu.map(|_| row.totals), row.parts);
            gil = find(&sums.gil, fact.key).unwrap_or_default();
        }
        let gil = self.has_gil().then_some(gil);
        let session = self.range();
        let watched = sums.as_ref().map_or(session, |sums| sums.range);
        let life = Range::new(fact.first_seen_ns, fact.ended_ns.unwrap_or(u64::MAX));
        let length_ns = watched.intersection(&life).length_ns();
        ThreadRow {
            key: fact.key,
            thread_id: fact.thread_id,
            name: self.thread_name(fact.key),
            is_main: fact.is_main,
            kind: fact.kind,
            alive: fact.alive,
            cpu,
            cpu_parts: cpu.map(|_| parts),
            gil,
            class: class(cpu.as_ref(), gil.as_ref(), length_ns),
        }
    }

    /// Whether there is CPU of threads that were never seen one by one.
    pub fn has_exited(&self) -> bool {
        self.store.process.is_some_and(|(first, last)| last.exited_cpu_ns > first.exited_cpu_ns)
    }

    fn exited_row(&self, sums: &Option<ThreadSums>) -> Option<ThreadRow> {
        let folded = self.store.threads.folded();
        let (cpu, parts, gil) = match sums {
            Some(sums) => {
                (sums.exited.totals, sums.exited.parts, find(&sums.gil, EXITED).unwrap_or_default())
            }
            None => {
                let between = self.store.process.map_or(0, |(first, last)| {
                    last.exited_cpu_ns.saturating_sub(first.exited_cpu_ns)
                });
                let mut cpu = folded.cpu;
                cpu.add(&CpuTotals { cpu_ns: between, ..Default::default() });
                let mut parts = folded.parts;
                parts.add(&CpuParts { unknown_ns: between, ..Default::default() });
                (cpu, parts, folded.gil)
            }
        };
        if folded.threads == 0 && cpu == CpuTotals::default() {
            return None;
        }
        let kind = if gil.acquires > 0 { ThreadKind::Python } else { ThreadKind::Native };
        Some(ThreadRow {
            key: EXITED,
            thread_id: 0,
            name: self.thread_name(EXITED),
            is_main: false,
            kind,
            alive: false,
            cpu: self.has_cpu().then_some(cpu),
            cpu_parts: self.has_cpu().then_some(parts),
            // Of threads that were never kept one by one nothing is known but CPU.
            gil: (self.has_gil() && folded.threads > 0).then_some(gil),
            class: None,
        })
    }

    fn thread_sums(&self, range: Range) -> ThreadSums {
        let (cpu_bounds, cpu_bins) = self.store.cpu.within(range);
        let (gil_bounds, gil_bins) = self.store.gil.within(range);
        let range = cpu_bounds.union(&gil_bounds);
        let mut sums = ThreadSums { range, cpu: vec![], exited: CpuRow::default(), gil: vec![] };
        for bin in cpu_bins {
            add_rows(&mut sums.cpu, bin.threads.clone(), add_cpu);
            add_cpu(&mut sums.exited, &bin.exited);
        }
        gil_bins.for_each(|bin| add_rows(&mut sums.gil, bin.threads.clone(), Counters::add));
        sums
    }

    /// Most wait inflicted first.
    pub fn blame(&self, range: Range) -> Vec<BlameRow> {
        let whole: Rows<bins::BlameKey, WaitCounters> = if self.is_whole(range) {
            self.store.blame.iter().map(|(key, row)| (*key, row.0)).collect()
        } else {
            let mut sum = vec![];
            let (_, bins) = self.store.gil.within(range);
            bins.for_each(|bin| add_rows(&mut sum, bin.blame.clone(), Counters::add));
            sum
        };
        let mut rows: Vec<_> = whole.iter().map(|(key, row)| self.blame_row(*key, row)).collect();
        rows.sort_by_key(|row| (std::cmp::Reverse(row.wait_inflicted_ns), row.thread, row.line));
        rows
    }

    fn blame_row(&self, key: bins::BlameKey, row: &WaitCounters) -> BlameRow {
        let (thread, code, line) = key;
        let fact = self.code(code);
        BlameRow {
            thread,
            thread_id: self.thread(thread).map_or(0, |fact| fact.thread_id),
            thread_name: self.thread_name(thread),
            function: fact.map(|fact| fact.function.clone()),
            file: fact.map(|fact| fact.file.clone()),
            line,
            waits: row.count,
            samples: row.samples,
            wait_inflicted_ns: row.wait_ns,
            native_module: self.store.blame.get(&key).and_then(|row| row.1.clone()),
        }
    }

    /// Most frequent first.
    pub fn handoffs(&self, range: Range) -> Vec<HandoffRow> {
        let whole: Rows<bins::HandoffKey, WaitCounters> = if self.is_whole(range) {
            self.store.handoffs.iter().map(|(key, row)| (*key, *row)).collect()
        } else {
            let mut sum = vec![];
            let (_, bins) = self.store.gil.within(range);
            bins.for_each(|bin| add_rows(&mut sum, bin.handoffs.clone(), Counters::add));
            sum
        };
        let row = |((from, to), row): (bins::HandoffKey, WaitCounters)| HandoffRow {
            from,
            to,
            count: row.count,
            wait_ns: row.wait_ns,
        };
        let mut rows: Vec<_> = whole.into_iter().map(row).collect();
        rows.sort_by_key(|row| (std::cmp::Reverse(row.count), row.from, row.to));
        rows
    }

    /// Single events that ended in the range, the newest `limit` of them, oldest first.
    pub fn events(&self, range: Range, limit: usize) -> Events<'a> {
        let inside = |event: &&Event| range.start_ns <= event.at_ns && event.at_ns < range.end_ns;
        let mut events: Vec<&Event> = self.store.events.iter().filter(inside).collect();
        let left_out = events.len().saturating_sub(limit);
        events.sort_by_key(|event| event.at_ns);
        events.drain(..left_out);
        Events { events, left_out: left_out as u64 }
    }

    /// Events of the session that the store has let go of, oldest first; not lost, only old.
    pub fn events_let_go(&self) -> u64 {
        self.store.events_let_go
    }

    /// Whether the store has all events from a moment on.
    pub fn has_events_from(&self, at_ns: u64) -> bool {
        self.detail_from_ns() <= at_ns
    }
}

fn was_there(fact: &ThreadFact, range: Range) -> bool {
    fact.first_seen_ns < range.end_ns && fact.ended_ns.is_none_or(|end| end >= range.start_ns)
}
