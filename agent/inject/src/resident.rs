//! Agents that are in a target already: loaded images, and a segment that one of them records into.
//!
//! Names of mappings are hints; what counts is read from the mapped header, and checked.

use crate::elf::Module;
use crate::identity::Identity;
use crate::image;
use crate::maps::{Mapping, Maps};
use crate::memory::Memory;
use crate::procdir::ProcDir;
use std::fs::{File, OpenOptions};
use std::mem::offset_of;
use std::ops::Range;
use std::os::fd::AsRawFd;
use wire::segment::{ABI_VERSION, Header, MAGIC};

/// A loaded agent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resident {
    pub(crate) build_id: u64,
    /// Its `gilscope_command`.
    pub(crate) command: u64,
    /// Its `gilscope_finish`.
    pub(crate) finish: u64,
}

/// A segment that is mapped in a target, and who made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// Where it is mapped in the target.
    pub range: Range<u64>,
    /// The daemon that made it.
    pub daemon_pid: u32,
    /// A `wire::segment::status`.
    pub status: u32,
    /// Whether that daemon still lives and holds it.
    pub daemon_alive: bool,
    pub(crate) abi_version: u32,
    pub(crate) build_id: u64,
    pub(crate) inode: u64,
    pub(crate) offset: u64,
}

/// Loaded agents, those of `build_id` first.
pub(crate) fn images(memory: &Memory, maps: &Maps, build_id: u64) -> Vec<Resident> {
    let mut found: Vec<_> = maps
        .images()
        .filter_map(|head| {
            let build_id = image::build_of(memfd(head)?)?;
            let module = Module::read(memory, head.range.start)?;
            let command = module.find(memory, "gilscope_command")?;
            let finish = module.find(memory, "gilscope_finish")?;
            Some(Resident { build_id, command, finish })
        })
        .collect();
    found.sort_by_key(|resident| resident.build_id != build_id);
    found
}

/// The segment that an agent records into, if one does.
pub(crate) fn live(memory: &Memory, maps: &Maps) -> Option<Live> {
    maps.iter().filter(|mapping| mapping.shared).find_map(|mapping| {
        let build_id = image::build_of(memfd(mapping)?)?;
        let start = mapping.range.start;
        let field = |offset: usize| memory.u32(start + offset as u64).ok();
        if memory.u64(start + offset_of!(Header, magic) as u64).ok()? != MAGIC {
            return None;
        }
        let daemon_pid = field(offset_of!(Header, daemon_pid))?;
        Some(Live {
            range: mapping.range.clone(),
            daemon_pid,
            status: field(offset_of!(Header, status))?,
            abi_version: field(offset_of!(Header, abi_version))?,
            daemon_alive: holds(daemon_pid, mapping),
            build_id,
            inode: mapping.inode,
            offset: mapping.offset,
        })
    })
}

impl Live {
    /// Whether our `gilscope_finish` contract is the one that agent was built with.
    pub(crate) fn same_abi(&self) -> bool {
        self.abi_version == ABI_VERSION
    }

    /// The segment's pages, to be given back when the agent has left and nobody else is there to do it.
    /// Only while it is mapped, and with the right to open `map_files`; else they stay until the target
    /// ends.
    pub(crate) fn pages(&self, target: &Identity) -> Option<Pages> {
        let Range { start, end } = self.range;
        let path = format!("/proc/{}/map_files/{start:x}-{end:x}", target.pid());
        let file = OpenOptions::new().read(true).write(true).open(path).ok()?;
        Some(Pages { file, offset: self.offset, length: end - start })
    }
}

/// See [`Live::pages`].
pub(crate) struct Pages {
    file: File,
    offset: u64,
    length: u64,
}

impl Pages {
    pub(crate) fn give_back(self) {
        punch(self.file.as_raw_fd(), self.offset, self.length);
    }
}

/// Gives pages of a memfd back to the system; they read as zeros from then on.
pub(crate) fn punch(fd: i32, offset: u64, length: u64) {
    let mode = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
    // SAFETY: plain system call on a descriptor that the caller holds open; a failure leaves the pages.
    unsafe { libc::fallocate(fd, mode, offset as i64, length as i64) };
}

/// The name of a memfd, if the mapping is one.
fn memfd(mapping: &Mapping) -> Option<&str> {
    mapping.name.strip_prefix("/memfd:")
}

/// Whether process `pid` has the same memfd mapped or open. A pid may have been given anew; one whose
/// facts may not be read is taken for alive.
fn holds(pid: u32, segment: &Mapping) -> bool {
    let Ok(folder) = ProcDir::open(pid) else {
        return false;
    };
    let Ok(text) = folder.text("maps") else {
        return true;
    };
    let same = |mapping: &Mapping| mapping.inode == segment.inode && mapping.name == segment.name;
    Maps::parse(&text).iter().any(same)
        || folder.numbers("fd", 1 << 16).unwrap_or_default().into_iter().any(|fd| {
            let link = folder.link(&format!("fd/{fd}")).unwrap_or_default();
            String::from_utf8_lossy(&link).strip_suffix(" (deleted)") == Some(&segment.name)
        })
}
