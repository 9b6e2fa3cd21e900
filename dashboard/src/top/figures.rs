//! What `gilscope top` shows, taken out of a snapshot: shares and rates over the last moments.
//!
//! Does not know how it is drawn. What is not known is none, never 0.

use crate::store::{BlameRow, Class, EXITED, Range, Snapshot, ThreadRow, ratio};
use crate::talk::printable;
use crate::units::base_name;

/// Lines of blame that are kept; a terminal shows the first few.
const BLAME_ROWS: usize = 20;

/// What the threads are sorted by: greatest first, names by the alphabet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sort {
    Cpu,
    #[default]
    Gil,
    Waited,
    Inflicted,
    Name,
}

/// One look at a target.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) pid: u32,
    pub(crate) name: String,
    pub(crate) python_version: String,
    /// Since watching began.
    pub(crate) watched_ns: u64,
    /// What the GIL's figures cover; 0 before the first.
    pub(crate) window_ns: u64,
    /// Held share of the window, 0 to 1.
    pub(crate) utilization: Option<f64>,
    /// Threads waiting at a time, on average.
    pub(crate) waiting: Option<f64>,
    pub(crate) handoffs_per_s: Option<f64>,
    /// Of the process.
    pub(crate) cpu_cores: Option<f64>,
    /// Since watching began.
    pub(crate) events_lost: u64,
    pub(crate) threads: Vec<ThreadFigures>,
    pub(crate) blame: Vec<BlameFigures>,
    pub(crate) marks: usize,
}

/// A thread. Shares are of the window, 0 to 1 (all exited threads together may have more).
#[derive(Clone, Debug)]
pub(crate) struct ThreadFigures {
    pub(crate) name: String,
    pub(crate) class: Option<Class>,
    pub(crate) cpu: Option<f64>,
    pub(crate) held: Option<f64>,
    pub(crate) waited: Option<f64>,
    pub(crate) inflicted: Option<f64>,
    pub(crate) voluntary_per_s: Option<f64>,
    pub(crate) forced_per_s: Option<f64>,
}

/// A line of Python at which others waited.
#[derive(Clone, Debug)]
pub(crate) struct BlameFigures {
    /// None: the holder was not looked at.
    pub(crate) function: Option<String>,
    /// "app.py:12".
    pub(crate) place: String,
    pub(crate) module: String,
    /// Of all waiting that has a holder to blame, 0 to 1.
    pub(crate) share: f64,
    pub(crate) waits_per_s: f64,
}

impl Figures {
    /// The figures of the last `window_ns` of the session.
    pub(crate) fn of(snapshot: &Snapshot<'_>, window_ns: u64) -> Self {
        let session = snapshot.range();
        let range = Range::new(session.end_ns.saturating_sub(window_ns), session.end_ns);
        let totals = snapshot.totals(range).filter(|totals| !totals.range.is_empty());
        let gil_ns = totals.map_or(0, |totals| totals.range.length_ns());
        let cpu_ns = snapshot.cpu(range, 1).range.length_ns();
        let rows = snapshot.thread_rows(range);
        let known = snapshot.has_cpu() && cpu_ns > 0;
        let process_ns: u64 = rows.iter().filter_map(|row| row.cpu).map(|cpu| cpu.cpu_ns).sum();
        let target = snapshot.target();
        Self {
            pid: target.pid,
            name: printable(&target.cmdline.join(" ")),
            python_version: target.python_version.clone(),
            watched_ns: session.length_ns(),
            window_ns: gil_ns.max(cpu_ns),
            utilization: totals.and_then(|totals| totals.utilization()),
            waiting: totals.and_then(|totals| totals.waiters_mean()),
            handoffs_per_s: totals.and_then(|totals| per_s(totals.handoffs, gil_ns)),
            cpu_cores: known.then(|| process_ns as f64 / cpu_ns as f64),
            events_lost: snapshot.lost().values().sum(),
            threads: rows
                .iter()
                .filter(|row| is_shown(row))
                .map(|row| thread(row, cpu_ns, gil_ns))
                .collect(),
            blame: blame(snapshot.blame(range), gil_ns),
            marks: snapshot.marks().len(),
        }
    }

    /// Sorts the threads by a key, greatest first; what is not known comes last.
    pub(crate) fn sort(&mut self, by: Sort) {
        if by == Sort::Name {
            return self.threads.sort_by(|one, other| one.name.cmp(&other.name));
        }
        let key = |thread: &ThreadFigures| match by {
            Sort::Cpu => thread.cpu,
            Sort::Gil => thread.held,
            Sort::Waited => thread.waited,
            Sort::Inflicted | Sort::Name => thread.inflicted,
        };
        let key = |thread: &ThreadFigures| key(thread).unwrap_or(-1.0);
        self.threads.sort_by(|one, other| key(other).total_cmp(&key(one)));
    }
}

/// The living, and the dead as long as the window has something of them.
fn is_shown(row: &ThreadRow) -> bool {
    let ran = row.cpu.is_some_and(|cpu| cpu.cpu_ns > 0);
    let locked = row.gil.is_some_and(|gil| gil.acquires > 0 || gil.hold_ns > 0);
    row.alive || ran || (locked && row.key != EXITED)
}

fn thread(row: &ThreadRow, cpu_ns: u64, gil_ns: u64) -> ThreadFigures {
    let gil = row.gil.as_ref();
    ThreadFigures {
        name: printable(&row.name),
        class: row.class,
        cpu: row.cpu.and_then(|cpu| ratio(cpu.cpu_ns, cpu_ns)),
        held: gil.and_then(|gil| ratio(gil.hold_ns, gil_ns)),
        waited: gil.and_then(|gil| ratio(gil.wait_ns, gil_ns)),
        inflicted: gil.and_then(|gil| ratio(gil.wait_inflicted_ns, gil_ns)),
        voluntary_per_s: gil.and_then(|gil| per_s(gil.releases_voluntary, gil_ns)),
        forced_per_s: gil.and_then(|gil| per_s(gil.releases_forced, gil_ns)),
    }
}

/// Rows of one line in several threads are one line here.
fn blame(rows: Vec<BlameRow>, gil_ns: u64) -> Vec<BlameFigures> {
    let all_ns: u64 = rows.iter().map(|row| row.wait_inflicted_ns).sum();
    let mut lines: Vec<BlameFigures> = Vec::new();
    for row in rows {
        let place = match (&row.file, row.line) {
            (Some(file), Some(line)) => format!("{}:{line}", base_name(file)),
            (Some(file), None) => base_name(file).to_owned(),
            (None, _) => String::new(),
        };
        let place = printable(&place);
        let function = row.function.as_deref().map(printable);
        let module = printable(base_name(row.native_module.as_deref().unwrap_or_default()));
        let share = ratio(row.wait_inflicted_ns, all_ns).unwrap_or(0.0);
        let waits_per_s = per_s(row.waits, gil_ns).unwrap_or(0.0);
        let same = |line: &&mut BlameFigures| {
            line.function == function && line.place == place && line.module == module
        };
        match lines.iter_mut().find(same) {
            Some(line) => {
                line.share += share;
                line.waits_per_s += waits_per_s;
            }
            None => lines.push(BlameFigures { function, place, module, share, waits_per_s }),
        }
    }
    lines.sort_by(|one, other| other.share.total_cmp(&one.share));
    lines.truncate(BLAME_ROWS);
    lines
}

fn per_s(count: u64, window_ns: u64) -> Option<f64> {
    ratio(count, window_ns).map(|per_ns| per_ns * 1e9)
}
