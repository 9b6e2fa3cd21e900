//! Mapping the segment, and telling its header how things stand.

use crate::entry::stage;
use core::ffi::c_int;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use suite::hot::{HOT, Hot, PAGE};
use suite::memory::{number, syscall};
use wire::segment::{ABI_VERSION, Header, Layout, MAGIC, error, status};

const PROT_READ_WRITE: u64 = 3;
const MAP_SHARED: u64 = 1;
const MADV_DONTFORK: u64 = 10;
const MADV_DONTDUMP: u64 = 16;
const MADV_WIPEONFORK: u64 = 18;

/// Maps `bytes` at `offset` of `fd` and checks that it is a segment of this build for this process.
pub(crate) fn map(fd: c_int, offset: u64, bytes: u64) -> Option<&'static Header> {
    if (bytes as usize) < size_of::<Header>() {
        return None;
    }
    // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
    let address = unsafe {
        syscall(number::MMAP, [0, bytes, PROT_READ_WRITE, MAP_SHARED, fd as u64, offset])
    };
    if (-4095..=0).contains(&address) {
        return None;
    }
    // SAFETY: our own new mapping. A failure of DONTDUMP only makes core files larger; without
    // DONTFORK a child would keep the mapping but never look at it.
    unsafe {
        syscall(number::MADVISE, [address as u64, bytes, MADV_DONTFORK, 0, 0, 0]);
        syscall(number::MADVISE, [address as u64, bytes, MADV_DONTDUMP, 0, 0, 0]);
    }
    // SAFETY: mapped, aligned to a page, and at least as long as a header; the daemon, which made
    // and sealed the file, wrote it before we were loaded.
    let header = unsafe { &*(address as *const Header) };
    let ours = header.magic.load(Acquire) == MAGIC && header.abi_version == ABI_VERSION;
    if ours && fits(header, bytes) && is_for_us(header) {
        HOT.boot_segment.store(address as u64, Release);
        HOT.boot_bytes.store(bytes, Release);
        return Some(header);
    }
    header.error.store(error::ABI, Relaxed);
    header.status.store(status::FAILED, Release);
    unmap(address as u64, bytes);
    None
}

/// True if the header names this process, as its own pid namespace numbers it.
fn is_for_us(header: &Header) -> bool {
    // SAFETY: getpid(2) has no arguments and cannot fail.
    header.target_pid as i64 == unsafe { syscall(number::GETPID, [0; 6]) }
}

fn fits(header: &Header, bytes: u64) -> bool {
    Layout::of(header, bytes as usize).is_some()
}

/// Unmaps a segment.
pub(crate) fn unmap(address: u64, bytes: u64) {
    if address != 0 {
        // SAFETY: only called with a mapping of ours that no hook can reach any more.
        unsafe { syscall(number::MUNMAP, [address, bytes, 0, 0, 0, 0]) };
    }
}

/// Makes the hot page read as zeros in a forked child (madvise(2), Linux 4.14).
pub(crate) fn wipe_on_fork() -> bool {
    const { assert!(size_of::<Hot>() == PAGE) };
    let page = &raw const HOT as u64;
    // SAFETY: the page is ours alone (aligned to a page, a page long) and anonymous (.bss).
    unsafe { syscall(number::MADVISE, [page, PAGE as u64, MADV_WIPEONFORK, 0, 0, 0]) == 0 }
}

/// Says why nothing can be recorded, unmaps the segment, and is idle again.
///
/// Its length is what we mapped: the header's word may be gone with the daemon that wrote it.
pub(crate) fn give_up(header: &'static Header, state: u32, reason: u32) {
    let bytes = HOT.boot_bytes.load(Relaxed);
    header.error.store(reason, Relaxed);
    header.status.store(state, Release);
    crate::imports::stop_waiting();
    HOT.clear();
    crate::detach::wait_until_out();
    HOT.stage.store(stage::IDLE, Release);
    unmap(core::ptr::from_ref(header) as u64, bytes);
}
