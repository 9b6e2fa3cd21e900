//! The figures that the rules look at, gathered once, and how they are put into words.

use super::Evidence;
use crate::batch::ThreadKey;
use crate::store::{
    BlameRow, Class, CpuTotals, GilTotals, HandoffRow, Range, Snapshot, ThreadGilTotals, ThreadRow,
    total,
};
use crate::units::base_name;

/// A thread with both kinds of figures, and how long it was there.
pub struct Thread {
    pub row: ThreadRow,
    pub cpu: CpuTotals,
    pub gil: ThreadGilTotals,
    /// Its life within the span, ns; at least 1.
    pub life_ns: u64,
}

impl Thread {
    /// Share of its life that it waited for the GIL.
    pub fn wait_share(&self) -> f64 {
        self.share(self.gil.wait_ns)
    }

    /// `part_ns` of its life.
    pub fn share(&self, part_ns: u64) -> f64 {
        part_ns as f64 / self.life_ns as f64
    }

    /// Voluntary releases in a second of its life.
    pub fn polls_per_s(&self) -> f64 {
        self.gil.releases_voluntary as f64 * 1e9 / self.life_ns as f64
    }

    /// Of its voluntary releases, the share in which it went to sleep.
    pub fn sleeps_per_poll(&self) -> f64 {
        self.cpu.switches_voluntary as f64 / self.gil.releases_voluntary.max(1) as f64
    }

    pub fn is(&self, class: Class) -> bool {
        self.row.class == Some(class)
    }
}

/// See the module's text.
pub struct Facts<'a> {
    pub snapshot: Snapshot<'a>,
    pub range: Range,
    /// What the figures cover, ns.
    pub span_ns: u64,
    /// Null when the GIL is not watched.
    pub totals: Option<GilTotals>,
    pub threads: Vec<Thread>,
    /// Most wait inflicted first.
    pub blame: Vec<BlameRow>,
    pub handoffs: Vec<HandoffRow>,
}

impl<'a> Facts<'a> {
    pub fn of(snapshot: &Snapshot<'a>, range: Range) -> Self {
        let range = range.intersection(&snapshot.range());
        let totals = snapshot.totals(range);
        let covered = totals.map_or(range, |totals| totals.range);
        let life = |key: ThreadKey| {
            let fact = snapshot.thread(key)?;
            let life = Range::new(fact.first_seen_ns, fact.ended_ns.unwrap_or(u64::MAX));
            Some(life.intersection(&covered).length_ns().max(1))
        };
        let rows = snapshot.thread_rows(range).into_iter();
        // The sum of exited threads is no thread: rules are about who is there.
        let threads = rows.filter_map(|row| {
            let life_ns = life(row.key)?;
            let (cpu, gil) = (row.cpu.unwrap_or_default(), row.gil.unwrap_or_default());
            Some(Thread { row, cpu, gil, life_ns })
        });
        Self {
            snapshot: *snapshot,
            range,
            span_ns: covered.length_ns(),
            totals,
            threads: threads.collect(),
            blame: snapshot.blame(range),
            handoffs: snapshot.handoffs(range),
        }
    }

    /// `count` in so many a second of the span.
    pub fn per_s(&self, count: u64) -> f64 {
        count as f64 * 1e9 / self.span_ns.max(1) as f64
    }

    /// `part_ns` in threads: 1 is one thread during the whole span.
    pub fn in_threads(&self, part_ns: u64) -> f64 {
        part_ns as f64 / self.span_ns.max(1) as f64
    }

    pub fn thread(&self, key: ThreadKey) -> Option<&Thread> {
        self.threads.iter().find(|thread| thread.row.key == key)
    }

    /// The CPU thread that a thread waited for most, and the share of its waiting that was for that one.
    pub fn waited_for_cpu(&self, key: ThreadKey) -> Option<(&Thread, f64)> {
        let waits = || self.handoffs.iter().filter(|row| row.to == key && row.from != key);
        let all_ns = total(waits().map(|row| row.wait_ns));
        let of = |row: &HandoffRow| self.thread(row.from).filter(|from| from.is(Class::Cpu));
        let holders = waits().filter_map(|row| Some((of(row)?, row.wait_ns)));
        let (holder, wait_ns) = holders.max_by_key(|(_, wait_ns)| *wait_ns)?;
        (all_ns > 0).then(|| (holder, wait_ns as f64 / all_ns as f64))
    }

    /// What a holder ran while others waited for it longest, of what was seen by a look.
    pub fn blamed(&self, holder: ThreadKey) -> Option<&BlameRow> {
        self.blame.iter().find(|row| row.thread == holder && row.function.is_some())
    }

    /// A page that shows a thread, and what that one ran.
    pub fn evidence(&self, page: &'static str, thread: &Thread) -> Evidence {
        Evidence::of(page, thread.row.key, &thread.row.name, self.blamed(thread.row.key))
    }
}

/// "json.dumps, app.py:88".
pub fn place(row: &BlameRow) -> String {
    let function = row.function.as_deref().unwrap_or("code that was not looked at");
    let Some(file) = row.file.as_deref().filter(|file| !file.is_empty()) else {
        return function.to_owned();
    };
    let file = base_name(file);
    match row.line {
        Some(line) => format!("{function}, {file}:{line}"),
        None => format!("{function}, {file}"),
    }
}

/// " in work, app.py:88", or nothing when it is not known.
pub fn in_place(row: Option<&BlameRow>) -> String {
    row.map_or(String::new(), |row| format!(" in {}", place(row)))
}

/// "41 %": a sentence needs no tenths.
pub fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// "io-0", "io-0 and io-1", "io-0 and 3 more".
pub fn names(threads: &[&Thread], more: &str) -> String {
    let name = |at: usize| threads[at].row.name.clone();
    match threads.len() {
        0 => String::new(),
        1 => name(0),
        2 => format!("{} and {}", name(0), name(1)),
        all => format!("{} and {} more {more}", name(0), all - 1),
    }
}
