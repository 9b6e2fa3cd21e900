//! What the interpreter keeps for frames, read from outside: nothing runs in the target for it, and its GIL is not taken.
//!
//! A look at the threads' chunks costs a few reads a thread and is taken about once a second. A census goes through all
//! of the target's memory, on a thread of gilscope's own, and so seldom that it takes a hundredth of a core at most.
//! Needs no agent: which interpreter it is and where its variables stand is read from its image in memory.

mod census;
mod pages;
mod stacks;
mod tally;

use super::clock::SessionClock;
use super::memory::TargetMemory;
use super::threads::Registry;
use crate::batch::{Census, FramesModel, FramesSample};
use cpython::outside::{FrameFacts, FrameSymbols, Roots};
use cpython::{Layout, Version};
use inject::{Identity, survey};
use pages::Pages;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Between two looks at the chunks.
const LOOK_EVERY_NS: u64 = 1_000_000_000;
/// Between two censuses at least, and how many times as long as the last one took.
const CENSUS_EVERY_NS: u64 = 10_000_000_000;
const CENSUS_TIMES: u64 = 100;
/// Leaving waits for a last census at most so long.
const LAST_LIMIT: Duration = Duration::from_secs(2);

/// The target's interpreter as it is read from outside.
pub struct Interpreter {
    pub memory: TargetMemory,
    pub layout: Layout,
    pub roots: Roots,
}

/// See the module's text.
pub struct FramesReader {
    pid: u32,
    clock: SessionClock,
    python: Arc<Interpreter>,
    /// Absent where the interpreter's frames are not known.
    facts: Option<Arc<FrameFacts>>,
    pages: Arc<Pages>,
    model: FramesModel,
    looked_ns: Option<u64>,
    running: Option<JoinHandle<Result<Option<Census>, String>>>,
    /// When the last census ended and what it took.
    counted: Option<(u64, u64)>,
    no_census: Option<String>,
}

impl Interpreter {
    /// The one in the target, and addresses of what it exports. The text says why it cannot be read.
    pub fn find(target: &Identity) -> Result<(Self, FrameSymbols), String> {
        let found = survey::interpreter(target).ok_or("no interpreter was found in the process")?;
        let text = found.version.ok_or("the interpreter does not tell its version from outside")?;
        let version = Version::parse(text.as_bytes()).ok_or("the interpreter's version is odd")?;
        let (roots, symbols) = addresses(target);
        let memory = TargetMemory::open(target.pid()).map_err(unreadable)?;
        let layout =
            Layout::choose(&memory, version, roots.runtime).map_err(|why| why.to_string())?;
        Ok((Self { memory, layout, roots }, symbols))
    }
}

fn unreadable(error: std::io::Error) -> String {
    format!("its memory cannot be read: {error}")
}

impl FramesReader {
    /// Finds the interpreter in the target. The text says why it cannot be read.
    pub fn open(target: &Identity, clock: SessionClock) -> Result<Self, String> {
        let (python, symbols) = Interpreter::find(target)?;
        let Interpreter { memory, layout, .. } = &python;
        let pages = Arc::new(Pages::open(target.pid()).map_err(unreadable)?);
        if layout.free_threaded {
            return Err("the probe does not know builds without the GIL".to_owned());
        }
        let model = match layout.thread.data_stack {
            Some(_) => FramesModel::Chunk,
            None => FramesModel::Zombie,
        };
        let (facts, no_census) = match FrameFacts::of(memory, layout, &symbols) {
            Ok(facts) => (Some(Arc::new(facts)), None),
            Err(why) => (None, Some(why.to_owned())),
        };
        Ok(Self {
            pid: target.pid(),
            clock,
            python: Arc::new(python),
            no_census,
            facts,
            pages,
            model,
            looked_ns: None,
            running: None,
            counted: None,
        })
    }

    /// Why there is no census, if that is so.
    pub fn no_census(&self) -> Option<&str> {
        self.no_census.as_deref()
    }

    /// What there is to tell at `now`; none between two looks.
    pub fn look(&mut self, registry: &Registry, now: u64) -> Option<FramesSample> {
        let census = self.finished();
        self.begin_if_due(now);
        let due = self.looked_ns.is_none_or(|then| now.saturating_sub(then) >= LOOK_EVERY_NS);
        (due || census.is_some()).then(|| self.look_now(registry, now, census)).flatten()
    }

    /// The last look, with a census of this moment unless it would take long.
    pub fn last_look(&mut self, registry: &Registry) -> Option<FramesSample> {
        let deadline = Instant::now() + LAST_LIMIT;
        let mut census = self.wait(deadline);
        let soon = self.counted.is_none_or(|(_, took_ns)| took_ns < LAST_LIMIT.as_nanos() as u64);
        if self.running.is_none() && soon {
            self.begin();
            census = self.wait(deadline + LAST_LIMIT).or(census);
        }
        self.look_now(registry, self.clock.now(), census)
    }

    fn look_now(
        &mut self,
        registry: &Registry,
        now: u64,
        census: Option<Census>,
    ) -> Option<FramesSample> {
        self.looked_ns = Some(now);
        let (stacks, unread) = match self.model {
            FramesModel::Chunk => stacks::stacks(&self.python, &self.pages, registry)?,
            FramesModel::Zombie => (Vec::new(), 0),
        };
        let census = census.map(Box::new);
        Some(FramesSample { at_ns: now, model: self.model, stacks, unread, census })
    }

    fn begin_if_due(&mut self, now: u64) {
        let due = self.counted.is_none_or(|(then, took_ns)| {
            now.saturating_sub(then) >= CENSUS_EVERY_NS.max(took_ns.saturating_mul(CENSUS_TIMES))
        });
        if due && self.running.is_none() && self.no_census.is_none() {
            self.begin();
        }
    }

    fn begin(&mut self) {
        let Some(facts) = &self.facts else { return };
        let (python, facts, pages) =
            (Arc::clone(&self.python), Arc::clone(facts), Arc::clone(&self.pages));
        let (pid, clock) = (self.pid, self.clock);
        let census = move || census::take(&python, &facts, &pages, pid, || clock.now());
        let thread = std::thread::Builder::new().name(format!("census-{pid}"));
        // Without a thread there is none now; the next turn tries again.
        self.running = thread.spawn(census).ok();
    }

    /// The census that was under way, if it is done.
    fn finished(&mut self) -> Option<Census> {
        let running = self.running.take_if(|running| running.is_finished())?;
        match running.join() {
            Ok(Ok(census)) => {
                let census = census?;
                self.counted = Some((census.at_ns, census.took_ns));
                Some(census)
            }
            Ok(Err(why)) => {
                self.no_census = Some(why);
                None
            }
            Err(_) => {
                self.no_census = Some("gilscope has a fault here: its log says where".to_owned());
                None
            }
        }
    }

    fn wait(&mut self, deadline: Instant) -> Option<Census> {
        while self.running.as_ref().is_some_and(|running| !running.is_finished()) {
            if Instant::now() >= deadline {
                return None;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        self.finished()
    }
}

/// Where the interpreter keeps what is read.
fn addresses(target: &Identity) -> (Roots, FrameSymbols) {
    let [
        runtime,
        interpreter_head,
        frame_type,
        code_type,
        generator,
        coroutine,
        async_generator,
        stats,
        clear,
    ] = survey::symbols(
        target,
        [
            "_PyRuntime",
            "PyInterpreterState_Head",
            "PyFrame_Type",
            "PyCode_Type",
            "PyGen_Type",
            "PyCoro_Type",
            "PyAsyncGen_Type",
            "_PyFrame_DebugMallocStats",
            "PyFrame_ClearFreeList",
        ],
    );
    let roots = Roots { runtime, interpreter_head };
    let generator_types = [generator, coroutine, async_generator];
    let free_list_users = [stats, clear];
    (roots, FrameSymbols { frame_type, code_type, generator_types, free_list_users })
}
