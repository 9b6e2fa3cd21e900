//! Starting a command with the agent in it, and finding the Python in what it becomes.
//!
//! The agent is preloaded where the loader honours it. If the command turns out not to be Python (a
//! shell, a launcher), the agent has cleaned up after itself, and the first Python among the command
//! and its descendants is entered as by `attach`. Spawning is the caller's affair.

use super::enter::{AGENT, Agent, Entry, Watched, prefault_bytes};
use super::facts;
use crate::collect::clock::SessionClock;
use crate::collect::live::Live;
use crate::collect::mapping::{Mapping, header_page};
use config::{Method, Plan};
use inject::preload::{self, Prepared};
use inject::{Error, Identity, Segment, survey};
use std::collections::{HashMap, HashSet};
use std::os::unix::fs::FileExt;
use std::process::Command;
use std::sync::atomic::Ordering::Acquire;
use std::time::Duration;
use wire::segment::status;

/// Between two looks at a command that has not become Python yet: short at first, as a start is short.
const LOOKS: [Duration; 4] = [
    Duration::from_millis(5),
    Duration::from_millis(20),
    Duration::from_millis(50),
    Duration::from_millis(200),
];
/// Looks at each interval before the next longer one.
const LOOKS_EACH: usize = 40;

/// A command that is about to start.
pub struct Launch {
    entry: Entry,
    prepared: Option<Prepared>,
}

impl Launch {
    /// Gets the agent ready for `command`. Without a preload (method `ptrace`, or a program whose
    /// loader would ignore it) the process is entered once Python shows up in it.
    pub fn prepare(command: &mut Command, plan: &Plan) -> Result<Self, Error> {
        let entry = Entry { plan: plan.clone(), clock: SessionClock::start() };
        let wanted = plan.probes.gil && matches!(plan.method, Method::Auto | Method::Preload);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let fit = wanted
            && preload::check(command.get_program(), &path)
                .inspect_err(|why| tracing::debug!(%why, "no preload"))
                .is_ok();
        if !fit {
            return Ok(Self { entry, prepared: None });
        }
        let layout = entry.layout();
        // The child writes its own pid into the header.
        let page = header_page(&layout, entry.clock.clock, plan.wire(), std::process::id(), 0);
        let segment = Segment {
            bytes: layout.bytes() as u64,
            prefault_bytes: prefault_bytes(&layout),
            prepare: &mut |file, offset| file.write_all_at(&page, offset),
        };
        let prepared = preload::prepare(AGENT, segment, std::env::var_os("LD_PRELOAD").as_deref())?;
        prepared.apply(command);
        Ok(Self { entry, prepared: Some(prepared) })
    }

    /// Waits until there is Python in the child or below it. None if the child ended before.
    /// Blocks: for a thread of its own.
    pub fn find_python(self, child: u32) -> Result<Option<Watched>, Error> {
        let mut mapping = self.map()?;
        for look in 0.. {
            let Ok(identity) = Identity::of(child) else { return Ok(None) };
            if !identity.alive() {
                return Ok(None);
            }
            match mapping.as_ref().map(|mapping| mapping.header().status.load(Acquire)) {
                Some(status::NEW) => {}
                Some(status::NOT_PYTHON | status::FAILED) => mapping = None,
                Some(_) => return self.preloaded(identity, mapping),
                None => {
                    if let Some(pid) = first_python(child) {
                        return self.entered(pid);
                    }
                }
            }
            std::thread::sleep(LOOKS[(look / LOOKS_EACH).min(LOOKS.len() - 1)]);
        }
        Ok(None)
    }

    fn map(&self) -> Result<Option<Mapping>, Error> {
        let map = |prepared: &Prepared| {
            Mapping::open(&prepared.file, prepared.offset, self.entry.layout())
        };
        let mapping = self.prepared.as_ref().map(map).transpose();
        mapping.map_err(|source| Error::Io { what: "mapping the segment", source })
    }

    fn preloaded(
        self,
        identity: Identity,
        mapping: Option<Mapping>,
    ) -> Result<Option<Watched>, Error> {
        let pid = identity.pid();
        let clock = self.entry.clock;
        let mut live = Live::new(&identity, clock).map_err(|_| Error::Exited(pid))?;
        if let Some(mapping) = mapping {
            live.read_segment(mapping, &self.entry.plan.wire());
        }
        let facts = facts::of(&identity, &clock, "preload");
        let agent = self.prepared.map(Agent::Preloaded);
        let mut watched = Watched { identity, live, agent, facts, entry: self.entry };
        watched.wait_for_boot();
        Ok(Some(watched))
    }

    fn entered(self, pid: u32) -> Result<Option<Watched>, Error> {
        match super::enter::attach(pid, &self.entry.plan) {
            Ok(watched) => Ok(Some(watched)),
            Err(Error::Exited(_) | Error::NoSuchProcess(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The first process among `root` and its descendants that runs CPython, parents before children.
fn first_python(root: u32) -> Option<u32> {
    family(root).into_iter().find(|pid| {
        Identity::of(*pid).is_ok_and(|identity| survey::interpreter(&identity).is_some())
    })
}

fn family(root: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for process in procfs::process::all_processes().into_iter().flatten().flatten() {
        if let Ok(stat) = process.stat() {
            children.entry(stat.ppid as u32).or_default().push(stat.pid as u32);
        }
    }
    let (mut found, mut seen) = (vec![root], HashSet::from([root]));
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        next += 1;
        let born = children.get(&parent).into_iter().flatten().copied();
        found.extend(born.filter(|pid| seen.insert(*pid)));
    }
    found
}
