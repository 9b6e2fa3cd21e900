//! The store: everything that is known of one target, in bounded memory.
//!
//! [`Store::apply`] is the only mutation; a [`Snapshot`] is the only way to read. A live target, a
//! replayed recording and the test generator feed it the same batches, so it knows none of them,
//! reads no clock and opens no file.
//!
//! Memory, at the default [`Limits`], is at most about 100 MB a target and usually a few: 600,000
//! rows of up to 100 bytes in the timelines, 65,536 events of 88 bytes, 640 dead threads. Living
//! threads and code entries are bounded by the target and by the agent's tables. Whatever is let go
//! of costs resolution or age; totals of the whole session stay exact.

pub mod answers;
mod bins;
mod catch_up;
pub mod class;
mod counters;
mod frames;
mod frames_answers;
mod hist;
mod imports;
pub mod lanes;
mod series;
mod snapshot;
mod state;
mod states;
mod states_answers;
mod tables;
mod threads;
mod timeline;

#[cfg(test)]
mod tests;

pub use answers::*;
pub use counters::{Counters, total};
pub use frames_answers::{FramesAt, FramesFigure, FramesFigures, FramesSeries};
pub use imports::{ImportRow, ImportRows};
pub use snapshot::Snapshot;
pub use state::STATE_VERSION;
pub use states_answers::{StateRow, StateSeries, StateTotals};
pub use threads::EXITED;

use crate::batch::*;
use bins::{BlameKey, CpuBin, CpuRow, GilBin, HandoffKey};
use counters::{GilCounters, WaitCounters};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use threads::Threads;
use timeline::{Keep, Timeline};

/// What the store keeps at most.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bins of 100 ms, 1 s, 10 s and 1 min: by default 5 minutes, half an hour, 4 hours, 2 days.
    pub bins: [usize; 4],
    /// Rows over all bins, for CPU and GIL each; beyond it bins grow coarser sooner.
    pub rows: usize,
    /// Threads kept one by one; beyond it the longest dead become "exited threads".
    pub threads: usize,
    /// Single events, newest kept.
    pub events: usize,
    pub marks: usize,
    /// Rows of each table that has no time: codes, blamed places, pairs of threads, modules, notes.
    /// An honest target has far fewer; what comes on top is passed over.
    pub table: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let bins = [3_000, 1_800, 1_440, 2_880];
        Self { bins, rows: 300_000, threads: 512, events: 65_536, marks: 10_000, table: 65_536 }
    }
}

impl Limits {
    fn keep(&self) -> Keep {
        Keep { bins: self.bins, rows: self.rows }
    }
}

/// See the module's text.
#[derive(Debug, Serialize, Deserialize)]
pub struct Store {
    #[serde(skip)]
    limits: Limits,
    target: Target,
    threads: Threads,
    cpu: Timeline<CpuBin>,
    gil: Timeline<GilBin>,
    /// First and last sample of CPU: the session's own figures.
    process: Option<(ProcessSample, ProcessSample)>,
    cpu_at_ns: Option<u64>,
    gil_last: Option<GilSample>,
    /// Counted since the last bin of `gil`.
    gil_pending: GilBin,
    blame: BTreeMap<BlameKey, (WaitCounters, Option<String>)>,
    handoffs: BTreeMap<HandoffKey, WaitCounters>,
    codes: BTreeMap<u32, CodeFact>,
    native_modules: BTreeMap<u32, String>,
    events: VecDeque<Event>,
    events_let_go: u64,
    marks: Vec<Mark>,
    changes: Vec<Change>,
    lost: BTreeMap<String, u64>,
    notes: BTreeMap<String, String>,
    ended: Option<Ended>,
    frames: frames::Frames,
    callers: BTreeMap<u32, CallerFact>,
    /// Cumulative, by caller; empty while thread states are not watched.
    states: BTreeMap<u32, StateCounters>,
    imports: imports::Imports,
}

impl Store {
    pub fn new(target: Target) -> Self {
        Self::with_limits(target, Limits::default())
    }

    /// A store that keeps more or less than usual.
    pub fn with_limits(target: Target, limits: Limits) -> Self {
        let keep = limits.keep();
        Self {
            limits,
            target,
            threads: Threads::default(),
            cpu: Timeline::new(keep),
            gil: Timeline::new(keep),
            process: None,
            cpu_at_ns: None,
            gil_last: None,
            gil_pending: GilBin::default(),
            blame: BTreeMap::new(),
            handoffs: BTreeMap::new(),
            codes: BTreeMap::new(),
            native_modules: BTreeMap::new(),
            events: VecDeque::new(),
            events_let_go: 0,
            marks: Vec::new(),
            changes: Vec::new(),
            lost: BTreeMap::new(),
            notes: BTreeMap::new(),
            ended: None,
            frames: frames::Frames::default(),
            callers: BTreeMap::new(),
            states: BTreeMap::new(),
            imports: imports::Imports::default(),
        }
    }

    /// A view of what is known now.
    pub fn snapshot(&self) -> Snapshot<'_> {
        Snapshot::new(self)
    }

    /// Takes a batch in. Figures of a thread that no `ThreadFact` introduced are passed over: it was
    /// folded long after its end.
    pub fn apply(&mut self, batch: &Batch) {
        batch.threads.iter().for_each(|fact| self.threads.learn(fact));
        let most = self.limits.table;
        extend(&mut self.codes, batch.codes.iter().map(|code| (code.code, code.clone())), most);
        extend(&mut self.native_modules, batch.native_modules.iter().cloned(), most);
        extend(&mut self.lost, batch.lost.clone(), most);
        extend(&mut self.notes, batch.notes.clone(), most);
        self.apply_gil(batch); // first: it says how much of the CPU was spent with the GIL in hand
        self.apply_cpu(batch);
        self.apply_events(batch);
        batch.frames.iter().for_each(|sample| self.frames.take(sample));
        batch.imports.iter().for_each(|sample| self.imports.take(sample, most));
        let room = self.limits.marks.saturating_sub(self.changes.len());
        self.changes.extend(batch.changes.iter().take(room).cloned());
        self.ended = batch.ended.clone().or(self.ended.take());
        let folded = self.threads.fold(self.limits.threads);
        if !folded.is_empty() {
            self.fold(&folded);
        }
    }

    fn apply_cpu(&mut self, batch: &Batch) {
        if batch.cpu.is_empty() && batch.process.is_none() {
            return;
        }
        let at_ns = batch.process.map_or(batch.at_ns, |process| process.at_ns);
        let first = self.cpu_at_ns.is_none();
        let range = Range::new(self.cpu_at_ns.unwrap_or(at_ns), at_ns);
        let mut bin = CpuBin { range, ..Default::default() };
        let cores = |cpu_ns: u64| cpu_ns as f32 / range.length_ns().max(1) as f32;
        for sample in &batch.cpu {
            if let Some(totals) = self.threads.take_cpu(sample, first)
                && totals != CpuTotals::default()
            {
                let parts = self.split(batch, range, sample.key, totals.cpu_ns);
                let row = CpuRow { totals, parts, cores_max: cores(totals.cpu_ns) };
                bins::add_rows(&mut bin.threads, vec![(sample.key, row)], bins::add_cpu);
            }
        }
        match batch.process {
            Some(sample) => self.take_process(&mut bin, sample),
            None => {
                bin.process_cpu_ns = total(bin.threads.iter().map(|row| row.1.totals.cpu_ns));
            }
        }
        bin.exited.cores_max = cores(bin.exited.totals.cpu_ns);
        bin.cores_max = cores(bin.process_cpu_ns);
        self.cpu_at_ns = Some(range.end_ns);
        if !range.is_empty() {
            self.cpu.push(bin);
        }
    }

    /// What a thread's CPU of the span before this batch was.
    fn split(&mut self, batch: &Batch, range: Range, key: ThreadKey, cpu_ns: u64) -> CpuParts {
        let exact = |gil: &GilSample| {
            gil.window_start_ns <= range.start_ns && gil.acquires_timed == gil.acquires
        };
        let watched = batch.gil.as_ref().is_some_and(exact);
        // A thread for which the agent had no slot may have held the GIL all the same.
        let all_seen = self.lost.get("no_slot").is_none_or(|lost| *lost == 0);
        let Some(thread) = self.threads.get_mut(key) else { return CpuParts::default() };
        let known = watched && (all_seen || thread.has_taken_gil());
        thread.split(cpu_ns, known)
    }

    fn take_process(&mut self, bin: &mut CpuBin, sample: ProcessSample) {
        let (first, last) = self.process.unwrap_or((sample, sample));
        bin.process = Some(sample);
        bin.process_cpu_ns = sample.cpu_ns.saturating_sub(last.cpu_ns);
        bin.exited.totals.cpu_ns = sample.exited_cpu_ns.saturating_sub(last.exited_cpu_ns);
        bin.exited.parts.unknown_ns = bin.exited.totals.cpu_ns;
        bin.host_busy_ns = f64::from(sample.host_cpu_ratio) * bin.range.length_ns() as f64;
        bin.rss_bytes_max = sample.rss_bytes;
        bin.uss_bytes_max = sample.uss_bytes;
        bin.threads_max = sample.threads;
        self.process = Some((first, sample));
    }

    fn apply_gil(&mut self, batch: &Batch) {
        for sample in &batch.thread_gil {
            if let Some(more) = self.threads.take_gil(sample)
                && more != ThreadGilTotals::default()
            {
                let rows = vec![(sample.key, more)];
                bins::add_rows(&mut self.gil_pending.threads, rows, Counters::add);
            }
        }
        batch.blame.iter().for_each(|row| self.take_blame(row));
        batch.handoffs.iter().for_each(|row| self.take_handoff(row));
        self.take_states(batch);
        if let Some(sample) = &batch.gil {
            self.take_gil_totals(sample);
        }
    }

    /// Rows of a folded thread still come as they were: the known part must not count twice.
    fn is_known(&self, key: ThreadKey) -> bool {
        key == ThreadKey(0) || self.threads.get(key).is_some()
    }

    fn take_blame(&mut self, row: &BlameTotal) {
        if !self.is_known(row.holder) {
            return;
        }
        let (count, samples, wait_ns) = (row.waits, row.samples, row.wait_inflicted_ns);
        let now = WaitCounters { count, samples, wait_ns };
        let key = (row.holder, row.code, row.line);
        if !has_room(&self.blame, &key, self.limits.table) {
            return;
        }
        let last = self.blame.entry(key).or_default();
        let more = now.since(&last.0);
        last.0 = now;
        last.1 = row.native_module.clone();
        if more != WaitCounters::default() {
            bins::add_rows(&mut self.gil_pending.blame, vec![(key, more)], Counters::add);
        }
    }

    fn take_handoff(&mut self, row: &HandoffTotal) {
        if !self.is_known(row.from) || !self.is_known(row.to) {
            return;
        }
        let now = WaitCounters { count: row.count, samples: 0, wait_ns: row.wait_ns };
        let key = (row.from, row.to);
        if !has_room(&self.handoffs, &key, self.limits.table) {
            return;
        }
        let more = now.since(&self.handoffs.insert(key, now).unwrap_or_default());
        if more != WaitCounters::default() {
            bins::add_rows(&mut self.gil_pending.handoffs, vec![(key, more)], Counters::add);
        }
    }

    fn take_gil_totals(&mut self, sample: &GilSample) {
        let before = self
            .gil_last
            .replace(sample.clone())
            .unwrap_or_else(|| GilSample { at_ns: sample.window_start_ns, ..Default::default() });
        let bin = &mut self.gil_pending;
        let more = GilCounters::from(sample).since(&GilCounters::from(&before));
        bin.totals.add(&more);
        let now = [&sample.hold, &sample.wait, &sample.drop_to_release, &sample.wake];
        let then = [&before.hold, &before.wait, &before.drop_to_release, &before.wake];
        for (sum, (now, then)) in bin.hists.iter_mut().zip(now.into_iter().zip(then)) {
            hist::add(sum, &hist::difference(now, then));
        }
        bin.range = Range::new(before.at_ns, sample.at_ns);
        bin.waiters_max = bin.waiters_max.max(sample.waiters_now as f32);
        if !bin.range.is_empty() {
            let totals = bin.totals.over(bin.range);
            bin.utilization_max = totals.utilization().unwrap_or(0.0) as f32;
            bin.waiters_max = bin.waiters_max.max(totals.waiters_mean().unwrap_or(0.0) as f32);
            self.gil.push(std::mem::take(bin));
        }
    }

    fn apply_events(&mut self, batch: &Batch) {
        self.events.extend(batch.events.iter().cloned());
        let surplus = self.events.len().saturating_sub(self.limits.events);
        self.events.drain(..surplus);
        self.events_let_go += surplus as u64;
        for mark in &batch.marks {
            self.marks.retain(|known| known.id != mark.id); // it comes again under another name
            let at = self.marks.partition_point(|known| known.at_ns <= mark.at_ns);
            self.marks.insert(at, mark.clone());
        }
        self.marks.retain(|mark| !batch.marks_removed.contains(&mark.id));
        let surplus = self.marks.len().saturating_sub(self.limits.marks);
        self.marks.drain(..surplus);
    }

    /// Moves what is keyed by the folded threads over to [`EXITED`].
    fn fold(&mut self, folded: &BTreeSet<ThreadKey>) {
        let new = |key: ThreadKey| if folded.contains(&key) { EXITED } else { key };
        self.cpu.for_each_mut(|bin| {
            let gone = bin.threads.extract_if(.., |row| folded.contains(&row.0));
            gone.for_each(|row| bins::add_cpu(&mut bin.exited, &row.1));
        });
        let rename = |bin: &mut GilBin| {
            bins::rename_rows(&mut bin.threads, new, Counters::add);
            bins::rename_rows(&mut bin.blame, |key| (new(key.0), key.1, key.2), Counters::add);
            bins::rename_rows(&mut bin.handoffs, |key| (new(key.0), new(key.1)), Counters::add);
        };
        self.gil.for_each_mut(rename);
        rename(&mut self.gil_pending);
        self.frames.rename(new);
        for (key, row) in std::mem::take(&mut self.blame) {
            let sum = self.blame.entry((new(key.0), key.1, key.2)).or_default();
            sum.0.add(&row.0);
            sum.1 = row.1.or(sum.1.take());
        }
        for (key, row) in std::mem::take(&mut self.handoffs) {
            self.handoffs.entry((new(key.0), new(key.1))).or_default().add(&row);
        }
    }
}

/// True if the table knows the key or may take one more.
fn has_room<K: Ord, V>(table: &BTreeMap<K, V>, key: &K, most: usize) -> bool {
    table.len() < most || table.contains_key(key)
}

fn extend<K: Ord, V>(
    table: &mut BTreeMap<K, V>,
    rows: impl IntoIterator<Item = (K, V)>,
    most: usize,
) {
    for (key, row) in rows {
        if has_room(table, &key, most) {
            table.insert(key, row);
        }
    }
}
