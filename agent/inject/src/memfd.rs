//! The memfd that carries image and segment: made in the target by the first stop, filled from here.
//!
//! It is sized, sealed and given its pages by us, through `/proc/PID/fd`: the target's limits and memory
//! account are not involved (reliability.md result 11).

use crate::attach::wait_for;
use crate::borrow::{self, Borrowed, Needs, Site};
use crate::error::Error;
use crate::frame::Step;
use crate::identity::Identity;
use crate::image;
use crate::nudge;
use crate::scene::{Scene, soft_limit};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::Instant;

/// Descriptors of a target that are looked through.
const MAX_FDS: usize = 1 << 20;
const NAME_BYTES: usize = 64;
/// Leftovers that one attach clears away.
const MAX_LEFTOVERS: usize = 4;

/// A memfd that is open in the target and here.
pub(crate) struct Memfd {
    pub(crate) file: File,
    /// Its number in the target.
    pub(crate) fd: i32,
    name: String,
}

/// One that an attach which died has left in the target.
struct Leftover {
    fd: u32,
    /// Nobody has sized or sealed it yet: it can be used.
    fresh: bool,
    name: String,
}

/// Makes a memfd in the target, or takes one that was left there; clears away those of no use.
pub(crate) fn obtain(
    scene: &mut Scene<'_>,
    build_id: u64,
    deadline: Instant,
    stops: &mut Vec<Borrowed>,
) -> Result<Memfd, Error> {
    let target = scene.target;
    let mut useless = Vec::new();
    for left in leftovers(target) {
        if let Some(file) = open_and_claim(target, left.fd)? {
            if left.fresh && image::build_of(&left.name) == Some(build_id) {
                return Ok(Memfd { file, fd: left.fd as i32, name: left.name });
            }
            useless.push(left.fd);
        }
    }
    useless.truncate(MAX_LEFTOVERS);
    check_limit(target)?;
    let name = image::memfd_name(build_id);
    let mut text = name.clone().into_bytes();
    text.resize(NAME_BYTES, 0);
    let flags = creation_flags();
    let mut watch = nudge::Watch::default();
    let (memory, caught) = (target.memory(true)?, scene.caught);
    let mut build = |site: &Site| {
        watch = nudge::Watch::of(site, caught, &memory);
        let close = |fd: &u32| Step::Syscall(libc::SYS_close, [(*fd).into(), 0, 0, 0, 0, 0]);
        let mut steps: Vec<_> = useless.iter().map(close).collect();
        steps.push(Step::Syscall(libc::SYS_memfd_create, [site.place.data, flags, 0, 0, 0, 0]));
        steps.extend(watch.steps());
        Ok((steps, text.clone()))
    };
    let needs = Needs { steps: useless.len() + 1 + nudge::STEPS, data_len: NAME_BYTES };
    let borrowed = borrow::borrow(scene, needs, deadline, &mut build)?;
    stops.push(borrowed);
    let what = "the making of a memfd (a limit or a seccomp filter may forbid it)";
    let fd = wait_for(target, what, || {
        Ok(leftovers(target).into_iter().find(|left| left.name == name).map(|left| left.fd))
    })?;
    watch.settle(borrowed.thread_id, &scene.memory);
    let file = open_and_claim(target, fd)?.ok_or(Error::Exited(target.pid()))?;
    Ok(Memfd { file, fd: fd as i32, name })
}

impl Memfd {
    /// The name it has in `maps`.
    pub(crate) fn mapped_name(&self) -> String {
        format!("/memfd:{}", self.name)
    }

    /// Waits until the target has closed it: the last step before its thread goes home.
    pub(crate) fn wait_closed(&self, scene: &Scene<'_>) -> Result<(), Error> {
        let link = format!("fd/{}", self.fd);
        wait_for(scene.target, "the loading of the agent", || {
            Ok(match scene.target.folder().link(&link) {
                Ok(name) if memfd_name(&name).as_deref() == Some(&self.name) => None,
                _ => Some(()),
            })
        })
    }
}

/// Sizes the file for a segment of `bytes` at `offset`, gives the first `prefault` of them pages, and
/// seals the size.
pub(crate) fn size(file: &File, offset: u64, bytes: u64, prefault: u64) -> io::Result<()> {
    file.set_len(offset + bytes)?;
    let prefault = prefault.min(bytes);
    if prefault > 0 {
        // SAFETY: plain system call on a file that we hold open; it allocates zeroed pages.
        let result =
            unsafe { libc::fallocate(file.as_raw_fd(), 0, offset as i64, prefault as i64) };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    let seals = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;
    // SAFETY: plain system call with integers (fcntl(2)).
    match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Flags for `memfd_create`. Where the kernel knows `vm.memfd_noexec` it wants to be told; mapping for
/// execution does not need the file's own exec bit, so the strict answer is right at every setting.
pub(crate) fn creation_flags() -> u64 {
    let base = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    let asked = Path::new("/proc/sys/vm/memfd_noexec").exists();
    u64::from(if asked { base | libc::MFD_NOEXEC_SEAL } else { base })
}

fn leftovers(target: &Identity) -> Vec<Leftover> {
    let folder = target.folder();
    let fds = folder.numbers("fd", MAX_FDS).unwrap_or_default();
    fds.into_iter()
        .filter_map(|fd| {
            let link = format!("fd/{fd}");
            let name = memfd_name(&folder.link(&link).ok()?)?;
            image::build_of(&name)?;
            let fresh = folder.metadata(&link).is_ok_and(|facts| facts.len() == 0);
            Some(Leftover { fd, fresh, name })
        })
        .collect()
}

/// "/memfd:NAME (deleted)" gives NAME.
fn memfd_name(link: &[u8]) -> Option<String> {
    let link = std::str::from_utf8(link).ok()?;
    Some(link.strip_prefix("/memfd:")?.strip_suffix(" (deleted)")?.to_owned())
}

/// Opens the target's memfd and locks it, so that two gilscopes never fill the same one. `None` if it
/// is not there any more; the lock ends with the file here, or with us.
fn open_and_claim(target: &Identity, fd: u32) -> Result<Option<File>, Error> {
    let Ok(file) = target.folder().open_file(&format!("fd/{fd}"), true) else {
        return Ok(None);
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(_) => Err(Error::Busy {
            pid: target.pid(),
            tries: 0,
            why: "another gilscope is attaching to it",
        }),
    }
}

/// Whether the target can open one more file.
pub(crate) fn check_limit(target: &Identity) -> Result<(), Error> {
    let limits = target.folder().text("limits").unwrap_or_default();
    let Some(limit) = soft_limit(&limits, "Max open files") else {
        return Ok(());
    };
    let open = target.folder().numbers("fd", MAX_FDS).unwrap_or_default().len() as u64;
    if open < limit {
        return Ok(());
    }
    Err(Error::Unsupported {
        pid: target.pid(),
        why: format!("all {limit} file descriptors are in use: start it with `gilscope run`"),
    })
}
