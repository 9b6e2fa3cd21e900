//! Attach and detach by ptrace: two short stops in, one out (injection.md, variant Q).

use crate::borrow::Borrowed;
use crate::chains::{Load, leave};
use crate::diagnose;
use crate::error::Error;
use crate::identity::Identity;
use crate::image::{Filling, Image};
use crate::memfd::{self, Memfd};
use crate::resident;
use crate::scene::Scene;
use crate::seccomp;
use crate::turn;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};
use wire::params::origin;

/// Longest wait for a chain that is under way.
const CHAIN_LIMIT: Duration = Duration::from_secs(5);

/// The segment that the daemon wants.
pub struct Segment<'a> {
    /// Its length, a multiple of the page size.
    pub bytes: u64,
    /// Bytes from its start that get pages now, at our cost and not the target's.
    pub prefault_bytes: u64,
    /// Writes the header (and what else the daemon likes) into the file at this offset, before the
    /// agent sees it.
    pub prepare: &'a mut (dyn FnMut(&File, u64) -> io::Result<()> + Send),
}

/// How far to go.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Longest search for a safe point.
    pub timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(10) }
    }
}

/// An agent that was loaded or woken; whether it records is told by the segment's header.
#[derive(Debug)]
pub struct Attached {
    /// Image (on the first attach) and segment. Open in the target only while it was loaded.
    pub file: File,
    /// Where the segment begins in it.
    pub offset: u64,
    /// Its length.
    pub bytes: u64,
    /// An agent of this build was there already and has been used again.
    pub reused: bool,
    /// Build of the agent.
    pub build_id: u64,
    /// The stops that it took.
    pub stops: Vec<Borrowed>,
}

impl Attached {
    /// Gives the segment's pages back to the system. To be called after the agent has left and the last
    /// events are read: the file itself lives as long as the agent's text is mapped.
    pub fn reclaim(&self) {
        resident::punch(self.file.as_raw_fd(), self.offset, self.bytes);
    }
}

/// Puts the agent into the target, or wakes the one that is there.
///
/// Returns when the borrowed thread has gone home; the agent's own boot goes on after that.
///
/// # Errors
/// Every reason of [`Error`]; the target is unharmed in each.
pub fn attach(
    target: &Identity,
    agent: &[u8],
    segment: Segment<'_>,
    options: Options,
) -> Result<Attached, Error> {
    let image = Image::check(agent)?;
    if target.pid() == std::process::id() {
        let why = "it is gilscope itself".into();
        return Err(Error::Unsupported { pid: target.pid(), why });
    }
    let deadline = Instant::now() + options.timeout;
    let _turn = turn::take(target, deadline)?;
    let mut scene = Scene::of(target)?;
    refuse_hindered(target)?;
    let mut stops = Vec::new();
    if let Some(live) = resident::live(&scene.memory, &scene.maps) {
        if live.daemon_alive {
            let (pid, by) = (target.pid(), live.daemon_pid);
            return Err(Error::AlreadyAttached { pid, by, alive: true });
        }
        let pages = live.pages(target);
        stops.push(leave(&mut scene, &live, deadline)?);
        // Not before: by its header the next gilscope knows the segment, should this one be killed now.
        if let Some(pages) = pages {
            pages.give_back();
        }
        scene.reread_maps()?;
    }
    let resident = resident::images(&scene.memory, &scene.maps, image.build_id)
        .into_iter()
        .find(|resident| resident.build_id == image.build_id);
    let memfd = memfd::obtain(&mut scene, image.build_id, deadline, &mut stops)?;
    let offset = if resident.is_some() { 0 } else { image.segment_offset() };
    if resident.is_none() {
        let filling =
            Filling { origin: origin::INJECTED, fd: memfd.fd, segment_bytes: segment.bytes };
        memfd
            .file
            .write_all_at(&image.filled(&filling), 0)
            .map_err(Error::io("writing the agent"))?;
    }
    memfd::size(&memfd.file, offset, segment.bytes, segment.prefault_bytes)
        .map_err(Error::io("making the segment"))?;
    (segment.prepare)(&memfd.file, offset).map_err(Error::io("writing the segment's header"))?;
    let load = Load { memfd: &memfd, offset, bytes: segment.bytes };
    stops.push(match &resident {
        Some(resident) => load.wake(&mut scene, resident, deadline)?,
        None => load.open(&mut scene, &image, deadline)?,
    });
    let Memfd { file, .. } = memfd;
    let (reused, build_id) = (resident.is_some(), image.build_id);
    Ok(Attached { file, offset, bytes: segment.bytes, reused, build_id, stops })
}

/// Takes the agent's hooks out. Returns when its segment is no longer mapped in the target.
///
/// # Errors
/// [`Error::NotAttached`], or any that keeps a thread from being borrowed.
pub fn detach(target: &Identity, options: Options) -> Result<Borrowed, Error> {
    let deadline = Instant::now() + options.timeout;
    let _turn = turn::take(target, deadline)?;
    let mut scene = Scene::of(target)?;
    let live =
        resident::live(&scene.memory, &scene.maps).ok_or(Error::NotAttached(target.pid()))?;
    leave(&mut scene, &live, deadline)
}

/// Refuses where what the chains and the agent do would not be let through.
fn refuse_hindered(target: &Identity) -> Result<(), Error> {
    if diagnose::is_frozen(target.folder()) {
        let why = "its cgroup is frozen: thaw it first (cgroup.freeze, `docker unpause`)".into();
        return Err(Error::Unsupported { pid: target.pid(), why });
    }
    seccomp::judge(target, &target.status()?).map(drop)
}

/// Asks `look` until it has an answer; gives up when the target is gone or time is over.
pub(crate) fn wait_for<T>(
    target: &Identity,
    what: &'static str,
    mut look: impl FnMut() -> Result<Option<T>, Error>,
) -> Result<T, Error> {
    let started = Instant::now();
    let mut pause = Duration::from_micros(50);
    loop {
        if let Some(seen) = look()? {
            return Ok(seen);
        }
        target.verify()?;
        if started.elapsed() > CHAIN_LIMIT {
            return Err(Error::TimedOut { pid: target.pid(), what });
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(5));
    }
}
