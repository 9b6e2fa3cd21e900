//! The simulated GIL: one holder, a queue of waiters, drop requests after 5 ms.

use super::random::Random;
use crate::batch::*;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use wire::histogram;

/// CPython's default switch interval (Python/ceval_gil.h, DEFAULT_INTERVAL).
const SWITCH_INTERVAL_NS: u64 = 5_000_000;

/// How a simulated thread behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    Main,
    Cpu,
    Io,
    /// Dies after so many holds.
    Brief(u32),
    /// Never takes the GIL.
    Native,
}

/// One simulated thread.
#[derive(Clone, Debug)]
pub struct Thread {
    pub fact: ThreadFact,
    pub habit: Habit,
    pub gil: ThreadGil,
    pub cpu_ns: u64,
    /// What it runs while it holds the GIL.
    pub code: u32,
    /// When it next wants the GIL; `u64::MAX` while it holds it, waits or is dead.
    wants_ns: u64,
    wait_since_ns: u64,
    free_at_wait_ns: u64,
    waited_for: ThreadKey,
    drop_requests: u16,
}

/// See the module's text.
#[derive(Debug)]
pub struct Gil {
    pub now_ns: u64,
    pub totals: GilSample,
    pub threads: Vec<Thread>,
    /// Those that live, and those that died since they were last asked for.
    pub shown: BTreeSet<usize>,
    pub events: Vec<Event>,
    blame: Tally<(ThreadKey, u32), BlameTotal>,
    handoffs: Tally<(ThreadKey, ThreadKey), HandoffTotal>,
    random: Random,
    trace: bool,
    calm: u64,
    /// When threads want the GIL next, soonest first; what a thread no longer says is passed over.
    wakes: BinaryHeap<Reverse<(u64, usize)>>,
    holder: Option<usize>,
    last_holder: Option<usize>,
    hold_since_ns: u64,
    /// When the holder lets go by itself.
    hold_until_ns: u64,
    /// When a waiter gets a GIL that is free.
    taken_at_ns: u64,
    queue: VecDeque<usize>,
}

/// Rows by key, and which of them changed since they were last taken.
#[derive(Debug)]
struct Tally<K, V> {
    rows: BTreeMap<K, V>,
    changed: BTreeSet<K>,
}

impl<K: Ord + Copy, V: Clone> Tally<K, V> {
    fn new() -> Self {
        Self { rows: BTreeMap::new(), changed: BTreeSet::new() }
    }

    fn row(&mut self, key: K, new: impl FnOnce() -> V) -> &mut V {
        self.changed.insert(key);
        self.rows.entry(key).or_insert_with(new)
    }

    fn take_changed(&mut self) -> Vec<V> {
        let changed = std::mem::take(&mut self.changed);
        changed.iter().map(|key| self.rows[key].clone()).collect()
    }
}

impl Gil {
    pub fn new(seed: u64, window_start_ns: u64, trace: bool, calm: u64) -> Self {
        let totals = GilSample { window_start_ns, at_ns: window_start_ns, ..Default::default() };
        Self {
            now_ns: window_start_ns,
            totals,
            threads: vec![],
            shown: BTreeSet::new(),
            events: vec![],
            blame: Tally::new(),
            handoffs: Tally::new(),
            random: Random::new(seed),
            trace,
            calm,
            wakes: BinaryHeap::new(),
            holder: None,
            last_holder: None,
            hold_since_ns: 0,
            hold_until_ns: 0,
            taken_at_ns: u64::MAX,
            queue: VecDeque::new(),
        }
    }

    pub fn add_thread(&mut self, fact: ThreadFact, habit: Habit, code: u32) {
        let key = fact.key;
        let wants_ns = match habit {
            Habit::Native => u64::MAX,
            _ => self.now_ns + self.random.between(1_000, 3_000_000),
        };
        let at = self.threads.len();
        self.shown.insert(at);
        self.wakes.push(Reverse((wants_ns, at)));
        self.threads.push(Thread {
            fact,
            habit,
            gil: ThreadGil { key, ..Default::default() },
            cpu_ns: 0,
            code,
            wants_ns,
            wait_since_ns: 0,
            free_at_wait_ns: 0,
            waited_for: ThreadKey(0),
            drop_requests: 0,
        });
    }

    /// Rows of blame and of handoffs that changed since they were last taken.
    pub fn take_changed(&mut self) -> (Vec<BlameTotal>, Vec<HandoffTotal>) {
        (self.blame.take_changed(), self.handoffs.take_changed())
    }

    /// Who wants the GIL next, and when.
    fn sleeper(&mut self) -> Option<(u64, usize)> {
        while let Some(&Reverse((ns, at))) = self.wakes.peek() {
            if self.threads[at].wants_ns == ns && ns < u64::MAX {
                return Some((ns, at));
            }
            self.wakes.pop();
        }
        None
    }

    /// Lets time pass until `until_ns`, what is still going on included.
    pub fn run(&mut self, until_ns: u64) {
        loop {
            let sleeper = self.sleeper();
            let wakes_ns = sleeper.map_or(u64::MAX, |(ns, _)| ns);
            let forced_ns = self.forced_ns();
            let lets_go_ns = if self.holder.is_some() { self.hold_until_ns } else { u64::MAX };
            let next_ns = wakes_ns.min(forced_ns).min(lets_go_ns).min(self.taken_at_ns);
            if next_ns > until_ns {
                return self.pass(until_ns);
            }
            self.pass(next_ns.max(self.now_ns));
            if next_ns == self.taken_at_ns {
                let taker =
                    self.queue.pop_front().expect("it is only free until a waiter takes it");
                self.acquire(taker, true);
            } else if next_ns == wakes_ns {
                self.want(sleeper.expect("somebody wakes").1);
            } else {
                self.release(next_ns == forced_ns);
            }
        }
    }

    /// When the holder obeys a drop request; it takes up to 0.3 ms to notice.
    fn forced_ns(&self) -> u64 {
        let (Some(_), Some(&first)) = (self.holder, self.queue.front()) else { return u64::MAX };
        let since = self.hold_since_ns.max(self.threads[first].wait_since_ns);
        since + SWITCH_INTERVAL_NS + (since / 7) % 300_000
    }

    fn pass(&mut self, to_ns: u64) {
        let ns = to_ns - self.now_ns;
        let waiting = self.queue.len() as u64;
        self.now_ns = to_ns;
        self.totals.at_ns = to_ns;
        self.totals.waited_ns += ns * waiting;
        for &at in &self.queue {
            let gil = &mut self.threads[at].gil;
            gil.wait_ns += ns;
            gil.wait_free_ns += if self.holder.is_none() { ns } else { 0 };
        }
        match self.holder {
            None => self.totals.free_ns += ns,
            Some(at) => {
                self.totals.held_ns += ns;
                let holder = &mut self.threads[at];
                holder.gil.hold_ns += ns;
                holder.gil.wait_inflicted_ns += ns * waiting;
                holder.cpu_ns += ns;
                if waiting > 0 {
                    blame(&mut self.blame, holder).wait_inflicted_ns += ns * waiting;
                }
            }
        }
        self.totals.waiters_now = self.queue.len() as u32;
    }

    fn want(&mut self, at: usize) {
        self.threads[at].wants_ns = u64::MAX;
        match self.holder {
            None if self.queue.is_empty() => self.acquire(at, false),
            _ => self.wait(at),
        }
    }

    fn wait(&mut self, at: usize) {
        let waited_for = self.holder.map_or(ThreadKey(0), |at| self.threads[at].fact.key);
        let thread = &mut self.threads[at];
        thread.wait_since_ns = self.now_ns;
        thread.free_at_wait_ns = self.totals.free_ns;
        thread.waited_for = waited_for;
        self.queue.push_back(at);
        if let Some(at) = self.holder {
            let row = blame(&mut self.blame, &self.threads[at]);
            row.waits += 1;
            row.samples += 1;
        }
    }

    fn acquire(&mut self, at: usize, contended: bool) {
        let random = &mut self.random;
        let thread = &mut self.threads[at];
        let hold_ns = match thread.habit {
            Habit::Main => random.duration(2_000_000),
            Habit::Cpu => random.duration(400_000_000),
            _ => random.duration(150_000),
        };
        self.hold_since_ns = self.now_ns;
        self.hold_until_ns = self.now_ns + hold_ns;
        self.taken_at_ns = u64::MAX;
        self.totals.acquires += 1;
        self.totals.acquires_timed += 1;
        thread.gil.acquires += 1;
        let wait_ns = if contended { self.now_ns - thread.wait_since_ns } else { 0 };
        if contended {
            self.totals.acquires_contended += 1;
            thread.gil.acquires_contended += 1;
            record(&mut self.totals.wait, wait_ns);
            record(&mut thread.gil.wait, wait_ns);
            record(&mut self.totals.wake, self.totals.free_ns - thread.free_at_wait_ns);
        }
        let to = thread.fact.key;
        let from = self.last_holder.map_or(ThreadKey(0), |last| self.threads[last].fact.key);
        if contended {
            self.events.push(self.wait_event(at, from, wait_ns));
        }
        if from != to {
            self.totals.handoffs += 1;
            let new = || HandoffTotal { from, to, count: 0, wait_ns: 0 };
            let row = self.handoffs.row((from, to), new);
            row.count += 1;
            row.wait_ns += wait_ns;
        }
        self.threads[at].drop_requests = 0;
        self.holder = Some(at);
    }

    fn wait_event(&self, at: usize, holder_end: ThreadKey, duration_ns: u64) -> Event {
        let thread = &self.threads[at];
        let code = self.last_holder.map_or(0, |last| self.threads[last].code);
        Event {
            kind: EventKind::Wait,
            thread: thread.fact.key,
            at_ns: self.now_ns,
            duration_ns,
            free_ns: self.totals.free_ns - thread.free_at_wait_ns,
            drop_requests: thread.drop_requests,
            holder_start: thread.waited_for,
            holder_end,
            code,
            line: Some(10 + code),
            native_module: None,
            drop_to_release_ns: 0,
        }
    }

    fn hold_event(&self, at: usize, duration_ns: u64, forced: bool) -> Event {
        Event {
            kind: if forced { EventKind::ForcedRelease } else { EventKind::Hold },
            thread: self.threads[at].fact.key,
            at_ns: self.now_ns,
            duration_ns,
            free_ns: 0,
            drop_requests: 0,
            holder_start: ThreadKey(0),
            holder_end: ThreadKey(0),
            code: 0,
            line: None,
            native_module: None,
            drop_to_release_ns: 0,
        }
    }

    fn release(&mut self, forced: bool) {
        let at = self.holder.take().expect("only a holder releases");
        let hold_ns = self.now_ns - self.hold_since_ns;
        self.last_holder = Some(at);
        if self.trace {
            self.events.push(self.hold_event(at, hold_ns, forced));
        }
        let thread = &mut self.threads[at];
        record(&mut self.totals.hold, hold_ns);
        record(&mut thread.gil.hold, hold_ns);
        if forced {
            self.totals.releases_forced += 1;
            self.totals.drop_requests += 1;
            thread.gil.releases_forced += 1;
            thread.gil.drop_requests_received += 1;
            let asked_ns = self.hold_since_ns + SWITCH_INTERVAL_NS;
            record(&mut self.totals.drop_to_release, self.now_ns.saturating_sub(asked_ns));
            let first = self.queue[0];
            self.threads[first].drop_requests += 1;
            self.taken_at_ns = self.now_ns + self.random.between(4_000, 60_000);
            return self.wait(at);
        }
        self.totals.releases_voluntary += 1;
        thread.gil.releases_voluntary += 1;
        thread.wants_ns = self.now_ns + self.calm * away_ns(thread.habit, &mut self.random);
        self.wakes.push(Reverse((thread.wants_ns, at)));
        if let Habit::Brief(left) = &mut thread.habit {
            *left -= 1;
            if *left == 0 {
                thread.wants_ns = u64::MAX;
                thread.fact.alive = false;
                thread.fact.ended_ns = Some(self.now_ns);
            }
        }
        if !self.queue.is_empty() {
            self.taken_at_ns = self.now_ns + self.random.between(4_000, 60_000);
        }
    }

    /// From now on this thread computes no longer; it sleeps and wakes.
    pub fn calm(&mut self, at: usize) {
        self.threads[at].habit = Habit::Io;
        if self.holder == Some(at) {
            self.hold_until_ns = self.now_ns;
        }
    }
}

fn away_ns(habit: Habit, random: &mut Random) -> u64 {
    match habit {
        Habit::Main => random.duration(120_000_000),
        Habit::Cpu => random.duration(2_000_000),
        Habit::Brief(_) => random.duration(1_000_000),
        _ => random.duration(12_000_000),
    }
}

fn blame<'a>(
    table: &'a mut Tally<(ThreadKey, u32), BlameTotal>,
    holder: &Thread,
) -> &'a mut BlameTotal {
    let key = (holder.fact.key, holder.code);
    table.row(key, || BlameTotal {
        holder: key.0,
        code: key.1,
        line: Some(10 + key.1),
        samples: 0,
        waits: 0,
        wait_inflicted_ns: 0,
        native_module: (holder.habit == Habit::Cpu && key.1.is_multiple_of(2))
            .then(|| "_hashlib.cpython-312-x86_64-linux-gnu.so".into()),
    })
}

fn record(hist: &mut Hist, value_ns: u64) {
    let bucket = histogram::bucket(value_ns) as u8;
    match hist.buckets.binary_search_by_key(&bucket, |b| b.0) {
        Ok(at) => hist.buckets[at].1 += 1,
        Err(at) => hist.buckets.insert(at, (bucket, 1)),
    }
    hist.sum_ns += value_ns;
    hist.max_ns = hist.max_ns.max(value_ns);
}
