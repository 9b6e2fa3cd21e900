//! Entering a process: the segment is laid out, the agent goes in, the segment is mapped here too.

use super::facts;
use crate::batch::Target;
use crate::collect::clock::SessionClock;
use crate::collect::live::Live;
use crate::collect::mapping::{Mapping, header_page};
use config::Plan;
use inject::preload::Prepared;
use inject::{Attached, Error, Identity, Options, Segment, survey};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};
use wire::segment::{Layout, status};

/// The agent, as `build/agent.rs` made it.
pub const AGENT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/agent.so"));
/// Threads whose slots and rings have pages from the start; the target would have to make those of
/// later ones, under the GIL's mutex and on its own account.
const PREFAULTED_THREADS: usize = 32;
/// What of a segment gets its pages from the daemon: all but the rings of later threads.
pub(super) fn prefault_bytes(layout: &Layout) -> u64 {
    (layout.rings() + PREFAULTED_THREADS.min(layout.n_slots) * layout.ring_stride()) as u64
}

/// How long an attach waits for the agent to find the GIL before it goes on without: a C call that
/// keeps the GIL may well last longer, and is then just what is to be looked at.
const BOOT_LIMIT: Duration = Duration::from_secs(2);

/// A target with the agent in it, not polled yet.
pub struct Watched {
    pub(super) identity: Identity,
    pub(super) live: Live,
    pub(super) agent: Option<Agent>,
    pub(super) facts: Target,
    pub(super) entry: Entry,
}

/// How the agent is there, and the memory that it shares.
pub(super) enum Agent {
    Attached(Attached),
    Preloaded(Prepared),
}

impl Agent {
    /// Gives the shared pages back, when the agent has left and everything is read.
    pub(super) fn reclaim(&self) {
        match self {
            Self::Attached(attached) => attached.reclaim(),
            Self::Preloaded(prepared) => prepared.reclaim(),
        }
    }
}

/// What it takes to go in, also a second time.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) plan: Plan,
    pub(super) clock: SessionClock,
}

/// Enters a running process.
pub fn attach(pid: u32, plan: &Plan) -> Result<Watched, Error> {
    let identity = Identity::of(pid)?;
    let clock = SessionClock::start();
    let facts = facts::of(&identity, &clock, "ptrace");
    let entry = Entry { plan: plan.clone(), clock };
    let live = Live::new(&identity, clock).map_err(|_| Error::Exited(pid))?;
    let mut watched = Watched { identity, live, agent: None, facts, entry };
    if plan.probes.gil {
        watched.put_agent()?;
    }
    watched.wait_for_boot();
    Ok(watched)
}

impl Entry {
    pub(super) fn layout(&self) -> Layout {
        Layout::new(self.plan.threads_max, self.plan.ring_bytes)
    }
}

impl Watched {
    /// Who it is.
    pub fn facts(&self) -> &Target {
        &self.facts
    }

    /// Whether the agent came in by LD_PRELOAD.
    pub(super) fn is_preloaded(&self) -> bool {
        matches!(self.agent, Some(Agent::Preloaded(_)))
    }

    /// Puts the agent in and maps what it shares. Also for going in again, with a new segment.
    pub(super) fn put_agent(&mut self) -> Result<(), Error> {
        let layout = self.entry.layout();
        let (clock, plan) = (self.entry.clock.clock, self.entry.plan.wire());
        let page = header_page(&layout, clock, plan, std::process::id(), self.identity.inner_pid());
        let segment = Segment {
            bytes: layout.bytes() as u64,
            prefault_bytes: prefault_bytes(&layout),
            prepare: &mut |file, offset| file.write_all_at(&page, offset),
        };
        let attached = inject::attach(&self.identity, AGENT, segment, Options::default())?;
        let mapping = Mapping::open(&attached.file, attached.offset, layout)
            .map_err(|source| Error::Io { what: "mapping the segment", source })?;
        self.live.read_segment(mapping, &plan);
        self.agent = Some(Agent::Attached(attached));
        Ok(())
    }

    /// Waits until the agent records, has failed, or has used up its time; then it knows more.
    pub(super) fn wait_for_boot(&mut self) {
        let deadline = Instant::now() + BOOT_LIMIT;
        while Instant::now() < deadline && self.identity.alive() {
            match self.live.agent_status() {
                Some(status::NEW | status::BOOTING) => std::thread::sleep(Duration::from_millis(1)),
                _ => break,
            }
        }
        if let Some(version) = self.live.python_version() {
            self.facts.python_version = version;
        } else if let Some(found) = survey::interpreter(&self.identity) {
            self.facts.python_version = found.version.unwrap_or_default();
        }
        if self.live.agent_status() == Some(status::RECORDING) {
            self.facts.free_threaded = Some(false); // its GIL was found at work
        }
    }
}

/// How long a detach waits for an agent that is being called off.
const CALL_OFF_LIMIT: Duration = Duration::from_millis(500);

impl Watched {
    /// Before leaving: false if the agent still waits for the GIL and was called off.
    pub(super) fn wait_for_boot_or_call_off(&self) -> bool {
        let boots = || matches!(self.live.agent_status(), Some(status::NEW | status::BOOTING));
        if !boots() {
            return true;
        }
        self.live.call_off_boot();
        let deadline = Instant::now() + CALL_OFF_LIMIT;
        while boots() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        // It may have got the GIL just before it was called off: then it is there, and has to be taken out.
        self.live.agent_status() == Some(status::RECORDING)
    }
}

/// True if the agent has said that there is no GIL yet.
pub(super) fn has_no_gil_yet(live: &Live) -> bool {
    live.agent_status() == Some(status::NO_GIL_YET)
}
