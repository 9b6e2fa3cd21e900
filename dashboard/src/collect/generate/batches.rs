//! What a collector would see of the simulation: one batch a tick.

use super::Scenario;
use super::frames::Frames;
use super::gil::{Gil, Habit};
use super::imports;
use super::random::Random;
use super::states;
use crate::batch::*;
use std::collections::BTreeMap;

/// CPU that the main thread burnt before the session: the store must not count it.
const BEFORE_NS: u64 = 2_000_000_000;

/// Code that the threads run: function, file, first line.
const CODES: [(&str, &str, u32); 5] = [
    ("serve_forever", "/usr/lib/python3.12/socketserver.py", 214),
    ("render_template", "/srv/app/views.py", 88),
    ("tokenize", "/srv/app/text.py", 31),
    ("recv_into", "/usr/lib/python3.12/ssl.py", 1251),
    ("_worker", "/usr/lib/python3.12/concurrent/futures/thread.py", 69),
];

/// See the module's text.
pub struct Batches {
    scenario: Scenario,
    random: Random,
    gil: Gil,
    frames: Frames,
    at_ns: u64,
    begun: bool,
    done: bool,
    births_due: f64,
    marks_set: u32,
    /// What was last told of each thread.
    told: BTreeMap<usize, (ThreadFact, ThreadGil)>,
    sampled_cpu: BTreeMap<ThreadKey, u64>,
    /// CPU of threads that are no longer shown, and what was ever sampled of it.
    gone_cpu_ns: u64,
    gone_sampled_ns: u64,
}

impl Batches {
    pub fn new(scenario: Scenario) -> Self {
        let mut this = Self {
            random: Random::new(scenario.seed ^ 0xBA7C),
            frames: Frames::new(scenario.seed),
            gil: Gil::new(scenario.seed, 3_141_592, scenario.trace, scenario.calm),
            at_ns: 0,
            begun: false,
            done: false,
            births_due: 0.0,
            marks_set: 0,
            told: BTreeMap::new(),
            sampled_cpu: BTreeMap::new(),
            gone_cpu_ns: 0,
            gone_sampled_ns: 0,
            scenario,
        };
        this.add("MainThread".into(), Habit::Main);
        let kinds = [
            (this.scenario.cpu_threads, "cruncher", Habit::Cpu),
            (this.scenario.io_threads, "fetcher", Habit::Io),
            (this.scenario.native_threads, "blas", Habit::Native),
        ];
        for (count, name, habit) in kinds {
            (1..=count).for_each(|n| this.add(format!("{name}-{n}"), habit));
        }
        this
    }

    fn add(&mut self, name: String, habit: Habit) {
        let number = self.gil.threads.len() as u32 + 1;
        let kind = if habit == Habit::Native { ThreadKind::Native } else { ThreadKind::Python };
        let fact = ThreadFact {
            key: ThreadKey(number),
            thread_id: 4241 + number,
            name,
            is_main: habit == Habit::Main,
            kind,
            alive: true,
            first_seen_ns: self.at_ns,
            ended_ns: None,
        };
        let code = match habit {
            Habit::Main => 1,
            Habit::Cpu => 2 + number % 2,
            Habit::Io => 4,
            _ => 5,
        };
        self.gil.add_thread(fact, habit, code);
    }

    fn advance(&mut self) {
        let jitter = self.random.between(0, self.scenario.tick_ns / 10 + 1);
        let to_ns = self.at_ns + self.scenario.tick_ns - self.scenario.tick_ns / 20 + jitter;
        let ns = to_ns - self.at_ns;
        self.births_due += f64::from(self.scenario.churn_per_s) * ns as f64 / 1e9;
        while self.births_due >= 1.0 {
            self.births_due -= 1.0;
            let holds = self.random.between(1, 40) as u32;
            let number = self.gil.threads.len();
            self.add(format!("pool-1_{number}"), Habit::Brief(holds));
        }
        self.at_ns = to_ns;
        self.gil.run(to_ns);
        for &at in &self.gil.shown {
            if self.gil.threads[at].habit == Habit::Native {
                self.gil.threads[at].cpu_ns += ns / 16 * self.random.between(4, 15);
            }
        }
    }

    fn batch(&mut self) -> Batch {
        let first = !std::mem::replace(&mut self.begun, true);
        let mut batch = Batch { at_ns: self.at_ns, ..Default::default() };
        if first {
            batch.codes = (1..).zip(CODES).map(code_fact).collect();
            batch.callers = states::callers();
            batch.imports = Some(imports::at_the_start());
        } else {
            batch.gil = Some(self.gil.totals.clone());
            (batch.blame, batch.handoffs) = self.gil.take_changed();
            batch.events = std::mem::take(&mut self.gil.events);
            batch.states = states::totals(self.at_ns);
        }
        self.tell_threads(&mut batch);
        self.sample_cpu(&mut batch);
        let living = self.gil.shown.iter().map(|&at| self.gil.threads[at].fact.key);
        batch.frames = self.frames.look(self.at_ns, living);
        if self.scenario.marks {
            self.mark(&mut batch);
        }
        batch
    }

    fn tell_threads(&mut self, batch: &mut Batch) {
        for &at in &self.gil.shown {
            let thread = &self.gil.threads[at];
            let now = (thread.fact.clone(), thread.gil.clone());
            let told = self.told.get(&at);
            if told.is_none_or(|told| told.0 != now.0) {
                batch.threads.push(now.0.clone());
            }
            if told.is_none_or(|told| told.1 != now.1) {
                batch.thread_gil.push(now.1.clone());
            }
            self.told.insert(at, now);
        }
    }

    /// Living threads only, as /proc has it: the rest of a dead one's CPU is nobody's.
    fn sample_cpu(&mut self, batch: &mut Batch) {
        let shown: Vec<usize> = self.gil.shown.iter().copied().collect();
        let mut shown_cpu_ns = 0;
        for thread in shown.iter().map(|&at| &self.gil.threads[at]) {
            shown_cpu_ns += thread.cpu_ns;
            if !thread.fact.alive {
                continue;
            }
            let before_ns = if thread.fact.is_main { BEFORE_NS } else { 0 };
            let cpu_ns = before_ns + thread.cpu_ns;
            self.sampled_cpu.insert(thread.fact.key, cpu_ns);
            batch.cpu.push(ThreadCpu {
                key: thread.fact.key,
                cpu_ns,
                cpu_user_ns: cpu_ns - cpu_ns / 8,
                cpu_system_ns: cpu_ns / 8,
                runqueue_ns: cpu_ns / 20,
                switches_voluntary: thread.gil.releases_voluntary,
                switches_forced: thread.gil.releases_forced / 3,
            });
        }
        let cpu_ns = BEFORE_NS + self.gone_cpu_ns + shown_cpu_ns;
        let sampled_ns = self.gone_sampled_ns + self.sampled_cpu.values().sum::<u64>();
        let alive = shown.iter().filter(|&&at| self.gil.threads[at].fact.alive).count();
        let rss_bytes = 80 << 20 | (self.at_ns / 1_000_000) << 10;
        batch.process = Some(ProcessSample {
            at_ns: self.at_ns,
            cpu_ns,
            exited_cpu_ns: cpu_ns - sampled_ns,
            rss_bytes,
            uss_bytes: Some(rss_bytes - (12 << 20)),
            threads: alive as u32,
            host_cpu_ratio: 0.5,
        });
        self.forget_dead(&shown);
    }

    /// Everything has been told of them; a long session must not carry them along.
    fn forget_dead(&mut self, shown: &[usize]) {
        for &at in shown {
            let thread = &self.gil.threads[at];
            if !thread.fact.alive {
                self.gone_cpu_ns += thread.cpu_ns;
                self.gone_sampled_ns += self.sampled_cpu.remove(&thread.fact.key).unwrap_or(0);
                self.gil.shown.remove(&at);
                self.told.remove(&at);
            }
        }
    }

    fn mark(&mut self, batch: &mut Batch) {
        let names = ["warm", "load doubled", "crunchers off"];
        let at_ns = self.scenario.duration_ns / 4 * u64::from(self.marks_set + 1);
        let Some(name) = names.get(self.marks_set as usize) else { return };
        if at_ns > batch.at_ns {
            return;
        }
        self.marks_set += 1;
        batch.marks.push(Mark { id: self.marks_set, name: (*name).into(), at_ns });
        match self.marks_set {
            2 => self.scenario.churn_per_s *= 2,
            3 => (2..=self.scenario.cpu_threads as usize).for_each(|at| self.gil.calm(at)),
            _ => {}
        }
    }
}

fn code_fact((code, (function, file, first_line)): (u32, (&str, &str, u32))) -> CodeFact {
    CodeFact { code, function: function.into(), file: file.into(), first_line }
}

impl Iterator for Batches {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        if self.done {
            return None;
        }
        if self.begun {
            self.advance();
        }
        let mut batch = self.batch();
        if self.at_ns >= self.scenario.duration_ns {
            self.done = true;
            let reason = "exited with status 0".into();
            batch.ended = self.scenario.ends.then_some(Ended { at_ns: self.at_ns, reason });
        }
        Some(batch)
    }
}
