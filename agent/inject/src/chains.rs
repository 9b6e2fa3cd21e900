//! The chains of calls that a borrowed thread runs: load the agent, wake one that is there, send it away.
//!
//! Knows what stands in each step and waits for its outward sign; when which chain is right is `attach`.

use crate::attach::wait_for;
use crate::borrow::{self, Borrowed, Needs, Site};
use crate::error::Error;
use crate::frame::Step;
use crate::image::{self, Image};
use crate::memfd::Memfd;
use crate::resident::{self, Live, Resident};
use crate::scene::Scene;
use std::os::unix::fs::FileExt;
use std::time::Instant;
use wire::params::{Finish, command};

/// Room for the path that is given to `dlopen`.
const PATH_BYTES: usize = 128;
const FINISH_BYTES: usize = size_of::<Finish>();

/// The second stop.
pub(crate) struct Load<'a> {
    pub(crate) memfd: &'a Memfd,
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
}

impl Load<'_> {
    /// Loads the image: `dlopen`, the slot that its constructor makes the finish function, `close`.
    pub(crate) fn open(
        &self,
        scene: &mut Scene<'_>,
        image: &Image<'_>,
        deadline: Instant,
    ) -> Result<Borrowed, Error> {
        const HOOK_SLOT: usize = 1;
        let mut path = image::unique_path(self.memfd.fd).into_bytes();
        path.resize(PATH_BYTES, 0);
        let (dlopen, flags) = (scene.clib.dlopen, scene.clib.dlopen_flags);
        let caught = scene.caught;
        let mut build = |site: &Site| {
            let finish_at = site.place.data;
            let mut slot = site.place.frame(HOOK_SLOT).to_le_bytes().to_vec();
            slot.extend_from_slice(&finish_at.to_le_bytes());
            self.memfd.file.write_all_at(&slot, image.hook_slot_at())?;
            let steps = vec![
                Step::Call(dlopen, [finish_at + FINISH_BYTES as u64, flags, 0, 0, 0, 0]),
                Step::Syscall(libc::SYS_getpid, [0; 6]),
                Step::Syscall(libc::SYS_close, [self.memfd.fd as u64, 0, 0, 0, 0, 0]),
            ];
            Ok((steps, [finish_block(site, caught), path.clone()].concat()))
        };
        let needs = Needs { steps: 3, data_len: FINISH_BYTES + PATH_BYTES };
        let borrowed = borrow::borrow(scene, needs, deadline, &mut build)?;
        self.memfd.wait_closed(scene)?;
        scene.reread_maps()?;
        let loaded = scene.maps.images().any(|head| head.name == self.memfd.mapped_name());
        if loaded {
            return Ok(borrowed);
        }
        let why = match scene.target.folder().metadata("root/proc/self") {
            Err(_) => {
                "there is no /proc in its root folder: mount one, or start it with `gilscope run`"
            }
            Ok(_) => {
                "its C library may be too old, or a policy forbids it: start it with `gilscope run`"
            }
        };
        Err(Error::NotLoaded { pid: scene.target.pid(), why })
    }

    /// Uses an image that is there already.
    pub(crate) fn wake(
        &self,
        scene: &mut Scene<'_>,
        resident: &Resident,
        deadline: Instant,
    ) -> Result<Borrowed, Error> {
        let caught = scene.caught;
        let mut build = |site: &Site| {
            let finish = site.place.data;
            let fd = self.memfd.fd as u64;
            let arguments = [command::ATTACH, fd, self.offset, self.bytes, finish, 0];
            let steps = vec![
                Step::Call(resident.command, arguments),
                Step::Call(resident.finish, [finish, 0, 0, 0, 0, 0]),
                Step::Syscall(libc::SYS_close, [fd, 0, 0, 0, 0, 0]),
            ];
            Ok((steps, finish_block(site, caught)))
        };
        let needs = Needs { steps: 3, data_len: FINISH_BYTES };
        let borrowed = borrow::borrow(scene, needs, deadline, &mut build)?;
        self.memfd.wait_closed(scene)?;
        Ok(borrowed)
    }
}

/// The one stop of a detach, through the very image that has the segment.
pub(crate) fn leave(
    scene: &mut Scene<'_>,
    live: &Live,
    deadline: Instant,
) -> Result<Borrowed, Error> {
    let resident = resident::images(&scene.memory, &scene.maps, live.build_id)
        .into_iter()
        .find(|resident| resident.build_id == live.build_id && live.same_abi())
        .ok_or_else(|| Error::Unsupported {
            pid: scene.target.pid(),
            why: "another version of gilscope is attached: detach with that version".into(),
        })?;
    let caught = scene.caught;
    let mut build = |site: &Site| {
        let finish = site.place.data;
        let steps = vec![
            Step::Call(resident.command, [command::DETACH, 0, 0, 0, finish, 0]),
            Step::Call(resident.finish, [finish, 0, 0, 0, 0, 0]),
        ];
        Ok((steps, finish_block(site, caught)))
    };
    let needs = Needs { steps: 2, data_len: FINISH_BYTES };
    let borrowed = borrow::borrow(scene, needs, deadline, &mut build)?;
    wait_for(scene.target, "the agent's leaving", || {
        let maps = scene.target.maps()?;
        let there = |mapping: &crate::maps::Mapping| mapping.shared && mapping.inode == live.inode;
        Ok((!maps.iter().any(there)).then_some(()))
    })?;
    Ok(borrowed)
}

fn finish_block(site: &Site, caught: u64) -> Vec<u8> {
    let (errno_address, errno_value) = site.errno;
    let words = [
        errno_address,
        u64::from(errno_value as u32) | u64::from(site.interruptible) << 32,
        site.mask,
        caught,
        site.place.home_uc(),
        site.after_syscall,
        0,
    ];
    const { assert!(FINISH_BYTES == 56) };
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}
