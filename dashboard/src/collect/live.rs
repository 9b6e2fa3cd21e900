//! A live target: each poll yields the batch of everything that is new since the last one.
//!
//! The agent's segment and `/proc` are read here and nowhere else. Knows no hub, no recording, and
//! not how the agent got in.

use super::clock::SessionClock;
use super::codes::Codes;
use super::cpu::CpuSampler;
use super::frames::{FramesReader, Interpreter};
use super::gil::{GilReader, Surroundings};
use super::imports::ImportsReader;
use super::mapping::Mapping;
use super::memory::TargetMemory;
use super::native::PcSample;
use super::policy::Wanted;
use super::python::Python;
use super::states::StatesReader;
use super::threads::Registry;
use crate::batch::{Batch, Ended, ThreadKey};
use crate::remedy::Remedy;
use cpython::outside::Roots;
use cpython::{Layout, Version};
use inject::Identity;
use std::collections::HashMap;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use wire::plan::probe;
use wire::segment::{error, status};

/// Python's own thread names are read again at least this often.
const NAMES_EVERY_NS: u64 = 2_000_000_000;
/// Dead threads whose names are kept for the tables; older ones read as "no thread".
const DEAD_THREADS_KEPT: usize = 20_000;

/// See the module's text.
pub struct Live {
    pid: u32,
    clock: SessionClock,
    mapping: Option<Mapping>,
    registry: Registry,
    cpu: CpuSampler,
    gil: GilReader,
    states: StatesReader,
    /// None while imports are not asked for.
    imports: Option<ImportsReader>,
    codes: Codes,
    frames: Option<FramesReader>,
    python: Option<Python>,
    no_blame: Option<String>,
    wanted: Wanted,
    named_ns: Option<u64>,
    n_threads_named: usize,
}

/// The process is gone.
#[derive(Debug, thiserror::Error)]
#[error("the process has ended")]
pub struct Gone;

/// Whether chunks of temporary thread states can be kept, or why not.
fn may_keep_chunks(version: Option<Version>, probes: u32) -> Result<(), String> {
    if probes & probe::TSTATE == 0 {
        return Err("the tstate probe is off; keep-chunks works through its hooks".to_owned());
    }
    match version.filter(|version| !version.has_data_stack()) {
        Some(version) => Err(format!(
            "Python {}.{} has no data-stack chunks: its temporary thread states map nothing that could be kept",
            version.major(),
            version.minor()
        )),
        None => Ok(()),
    }
}

impl Live {
    /// Errors if the process is gone.
    pub fn new(identity: &Identity, clock: SessionClock) -> Result<Self, Gone> {
        let pid = identity.pid();
        Ok(Self {
            pid,
            clock,
            mapping: None,
            registry: Registry::new(pid),
            cpu: CpuSampler::new(pid, identity.inner_pid() != pid).map_err(|_| Gone)?,
            gil: GilReader::default(),
            states: StatesReader::default(),
            imports: None,
            codes: Codes::default(),
            frames: None,
            python: None,
            no_blame: None,
            wanted: Wanted::default(),
            named_ns: None,
            n_threads_named: 0,
        })
    }

    /// From now on the agent's segment is read too. One that was read before is left behind.
    pub fn read_segment(&mut self, mapping: Mapping, plan: &wire::plan::Plan) {
        self.wanted.ask(mapping.header(), self.clock.now());
        self.mapping = Some(mapping);
        self.gil = GilReader::new(plan);
        self.states = StatesReader::default();
        let wanted = plan.probes & probe::IMPORTS != 0;
        let before = self.imports.take();
        self.imports =
            wanted.then(|| before.map_or_else(ImportsReader::default, |before| before.after()));
        self.codes = Codes::default();
    }

    /// From now on what is kept for frames is looked at too.
    pub fn read_frames(&mut self, reader: FramesReader) {
        self.frames = Some(reader);
    }

    /// What is kept for frames before this process is left.
    pub fn last_frames(&mut self) -> Option<Batch> {
        let frames = self.frames.as_mut()?.last_look(&self.registry)?;
        Some(Batch { at_ns: frames.at_ns, frames: Some(frames), ..Batch::default() })
    }

    /// Finds the interpreter from outside, for the names of threads where no agent tells of it. False while it is
    /// not found.
    pub fn find_from_outside(&mut self, target: &Identity) -> bool {
        if self.python.is_none() && self.mapping.is_none() {
            self.python = Python::from_outside(target, &self.clock);
        }
        self.python.is_some()
    }

    /// Whether [`Live::read_frames`] was called.
    pub fn reads_frames(&self) -> bool {
        self.frames.is_some()
    }

    /// Where the agent stands, a `wire::segment::status`; none without a segment.
    pub fn agent_status(&self) -> Option<u32> {
        self.mapping.as_ref().map(|mapping| mapping.header().status.load(Acquire))
    }

    /// Keeps waiters from looking at holders from now on; the reason stands in the notes.
    pub fn stop_blame(&mut self, why: &str) {
        if let Some(mapping) = &self.mapping {
            mapping.header().blame_off.store(1, Release);
            self.no_blame = Some(why.to_owned());
        }
    }

    /// Puts a remedy on the target from now on, or says why it cannot.
    pub fn try_remedy(&mut self, remedy: Remedy) -> Result<(), String> {
        let Some(mapping) = &self.mapping else {
            return Err("the gil probe is off; remedies work through it".to_owned());
        };
        let header = mapping.header();
        let hex = header.python_version.load(Acquire);
        let version = (hex != 0).then(|| Version::from_hex(hex << 8));
        if remedy == Remedy::KeepChunks {
            may_keep_chunks(version, header.plan.probes)?;
        } else if version.is_some_and(|version| version.major() < 3) {
            return Err(
                "Python 2 waits for its GIL on a semaphore, which has neither a deadline nor a \
                 switch interval; remedies need Python 3"
                    .to_owned(),
            );
        }
        if header.status.load(Acquire) == status::FAILED {
            return Err(format!("nothing can be tried: {}", failure(header.error.load(Relaxed))));
        }
        self.wanted.put(remedy);
        self.wanted.ask(header, self.clock.now());
        Ok(())
    }

    /// Takes a remedy back by its name; returns it, or none if it did not stand.
    pub fn undo_remedy(&mut self, name: &str) -> Option<Remedy> {
        let taken = self.wanted.take(name)?;
        if let Some(mapping) = &self.mapping {
            self.wanted.ask(mapping.header(), self.clock.now());
        }
        Some(taken)
    }

    /// Calls off an agent that still waits for the GIL: it leaves as soon as it gets it.
    pub fn call_off_boot(&self) {
        if let Some(mapping) = &self.mapping {
            mapping.header().cancel.store(1, Release);
        }
    }

    /// The stamp of this moment.
    pub fn now(&self) -> u64 {
        self.clock.now()
    }

    /// The interpreter's version as it says itself, once the agent has asked.
    pub fn python_version(&self) -> Option<String> {
        let hex = self.mapping.as_ref()?.header().python_version.load(Acquire);
        (hex != 0).then(|| format!("{}.{}.{}", hex >> 16 & 0xff, hex >> 8 & 0xff, hex & 0xff))
    }

    /// Takes events out of the target's rings before the next poll asks for them.
    pub fn make_room(&mut self) {
        if let Some(mapping) = &self.mapping {
            self.gil.make_room(mapping);
        }
    }

    /// Everything new. Errors if the process is gone: then [`Live::last`] gives what it left.
    pub fn poll(&mut self) -> Result<Batch, Gone> {
        let look = self.cpu.look(&mut self.registry, self.clock.now()).map_err(|_| Gone)?;
        let mut batch = self.read(false);
        self.name_threads(batch.at_ns);
        batch.cpu = look.threads;
        batch.process = Some(look.process);
        let frames = self.frames.as_mut();
        if let Some(frames) = frames {
            batch.frames = frames.look(&self.registry, batch.at_ns);
            let note = |why: &str| ("frames.census".to_owned(), why.to_owned());
            batch.notes.extend(frames.no_census().map(note));
        }
        batch.threads = self.registry.take_changes();
        self.registry.forget_beyond(DEAD_THREADS_KEPT);
        Ok(batch)
    }

    /// The last batch: what stands in the segment now that nobody writes to it any more.
    pub fn last(&mut self, reason: String) -> Batch {
        let mut batch = self.read(true);
        let ended = Ended { at_ns: batch.at_ns, reason };
        // Of a process that was left the threads go on.
        if ended.how() != Ended::DETACHED {
            self.registry.see(&[], batch.at_ns);
        }
        batch.threads = self.registry.take_changes();
        batch.ended = Some(ended);
        batch
    }

    fn read(&mut self, last: bool) -> Batch {
        self.find_python();
        let mut batch = Batch { at_ns: self.clock.now(), ..Batch::default() };
        let Some(mapping) = &self.mapping else { return batch };
        let clock = self.clock;
        if !last {
            self.wanted.renew(mapping.header(), clock.now());
        }
        let samples = self.python.as_mut().map(|python| python.native.take()).unwrap_or_default();
        let native =
            samples.into_iter().filter_map(|(id, list)| Some((self.registry.alive(id)?, list)));
        let mut native: HashMap<ThreadKey, Vec<PcSample>> = native.collect();
        if let (Some(python), Some(holder)) =
            (&mut self.python, GilReader::holder(mapping, &self.registry))
            && let Some(thread_id) = self.registry.thread_id(holder)
            && let Some(sample) =
                python.native.asleep(thread_id, self.clock.now(), &python.interpreter.memory)
        {
            native.entry(holder).or_default().push(sample);
        }
        let read = self.python.as_ref().map(|python| &python.interpreter);
        let python = read.map(|read| (&read.memory, &read.layout));
        let modules = self.python.as_ref().map_or(&[][..], |python| python.native.modules());
        let (registry, codes) = (&mut self.registry, &mut self.codes);
        let mut around = Surroundings { registry, codes, python, native, modules, last };
        let look = self.gil.read(mapping, &mut around, || clock.now());
        batch.gil = look.sample;
        batch.thread_gil = look.threads;
        batch.events = look.events;
        batch.blame = look.blame;
        batch.handoffs = look.handoffs;
        batch.lost = look.lost;
        batch.notes = look.notes;
        batch.codes = self.codes.take_news();
        if let Some(states) = self.states.read(mapping, self.pid) {
            states.tell(&mut batch);
        }
        if let Some(imports) = &mut self.imports {
            imports.tell(mapping, last, &mut batch);
        }
        if let Some(python) = &mut self.python {
            python.tell_native(&mut batch);
            let ids = self.gil.blamed().iter().filter_map(|key| self.registry.thread_id(*key));
            python.native.watch(ids);
        }
        if let Some(why) = &self.no_blame {
            batch.notes.insert("blame".to_owned(), why.clone());
        }
        if let Some(why) = silence(mapping) {
            batch.notes.insert("gil".to_owned(), why);
        }
        batch.at_ns = batch.gil.as_ref().map_or(batch.at_ns, |gil| gil.at_ns.max(batch.at_ns));
        batch
    }

    /// Chooses the layout once the agent has said which interpreter it found.
    fn find_python(&mut self) {
        if self.python.is_some() {
            return;
        }
        let Some(mapping) = &self.mapping else { return };
        let header = mapping.header();
        let hex = header.python_version.load(Acquire);
        let known = |word: u64| (word != 0).then_some(word);
        let roots = Roots {
            runtime: known(header.runtime.load(Relaxed)),
            interpreter_head: known(header.interpreter_head.load(Relaxed)),
        };
        if hex == 0 {
            return;
        }
        let Ok(memory) = TargetMemory::open(self.pid) else { return };
        // Layouts know versions with their release level, which the agent leaves out.
        let version = Version::from_hex(hex << 8);
        if let Ok(layout) = Layout::choose(&memory, version, roots.runtime) {
            let tid_offset = header.tid_offset.load(Relaxed).into();
            let interpreter = Interpreter { memory, layout, roots };
            self.python = Some(Python::new(self.pid, interpreter, tid_offset, &self.clock));
        }
    }

    /// Reads Python's thread names when there are new threads, and from time to time.
    fn name_threads(&mut self, now: u64) {
        let Some(python) = &self.python else { return };
        let n_threads = self.registry.n_alive();
        let due = self.named_ns.is_none_or(|then| now.saturating_sub(then) >= NAMES_EVERY_NS);
        if !due && n_threads == self.n_threads_named {
            return;
        }
        if let Some(found) = python.threads() {
            self.registry.name(&found);
        }
        self.named_ns = Some(now);
        self.n_threads_named = n_threads;
    }
}

/// Why the GIL is not being recorded, in words; none if it is, or soon will be.
fn silence(mapping: &Mapping) -> Option<String> {
    let header = mapping.header();
    match header.status.load(Acquire) {
        status::NO_GIL_YET => {
            Some("the interpreter has no GIL before it starts a thread".to_owned())
        }
        status::NOT_PYTHON => {
            Some("no interpreter among the process's global symbols (loaded privately?)".to_owned())
        }
        status::FAILED => Some(failure(header.error.load(Relaxed)).to_owned()),
        status::NEW | status::BOOTING => Some("waiting for the GIL".to_owned()),
        _ => None,
    }
}

fn failure(code: u32) -> &'static str {
    match code {
        error::ABI => "agent and gilscope are not of the same build",
        error::MAP => "the shared memory could not be mapped in the target",
        error::THREAD => "the target could not start a thread (limit reached?)",
        error::SYMBOL => "a function of the interpreter was not found",
        error::GOT => "the interpreter does not call its GIL's functions through a GOT",
        error::CALIBRATION => {
            "the GIL was not found: one release and acquire did not look as expected"
        }
        error::FINALIZING => "the interpreter is shutting down",
        error::PROTECT => "a page of the target could not be protected as needed",
        error::CLOCK => "the process forbids itself to read the time stamp counter (PR_SET_TSC)",
        error::NO_GIL => "the GIL is off in this interpreter",
        _ => "the agent failed for an unknown reason",
    }
}
