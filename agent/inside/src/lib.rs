//! The agent: the library inside a target. Entry points, boot, detach, fork rule.
//!
//! It is `no_std`, needs no library but libc, has no TLS, allocates nothing and leaves no thread.
//! Built as a cdylib with the feature `agent` by `dashboard/build`; without it this crate is empty,
//! so that nobody links its entry points by accident.
#![cfg_attr(feature = "agent", no_std)]

#[cfg(feature = "agent")]
mod activate;
#[cfg(feature = "agent")]
mod boot;
#[cfg(feature = "agent")]
mod calibrate;
#[cfg(feature = "agent")]
mod detach;
#[cfg(feature = "agent")]
mod entry;
#[cfg(feature = "agent")]
mod finish;
#[cfg(feature = "agent")]
mod guard;
#[cfg(feature = "agent")]
mod imports;
#[cfg(feature = "agent")]
mod learn;
#[cfg(feature = "agent")]
mod segment;
#[cfg(feature = "agent")]
mod states;
#[cfg(feature = "agent")]
mod symbols;

/// Never reached: tests/tidy proves that the library contains no panic. If it were, the process
/// could not be trusted to go on recording, so the hooks are switched off before the trap.
#[cfg(feature = "agent")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    suite::hot::HOT.clear();
    // SAFETY: an illegal instruction ends the process as an abort would.
    unsafe { core::arch::asm!("ud2", options(noreturn)) }
}
