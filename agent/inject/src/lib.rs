//! How the agent library gets into a CPython process, from outside.
//!
//! An attach borrows one of the target's threads twice, well under a millisecond each: first to make a
//! memfd, which is filled from here, then to `dlopen` it. The thread is stopped by ptrace, proven to be
//! at a safe point, and given a chain of signal frames that the kernel itself runs and that bring it
//! home; so the target is unharmed wherever gilscope dies. [`attach()`] and [`detach`] do this,
//! [`Identity`] says to whom, and [`Error`] why not. [`preload`] gets in at program start instead;
//! [`survey`] lists who could be entered, and [`diagnose()`] what is in the way.
//!
//! Callers must not reap a child that is being attached with a plain `waitpid`: a ptrace stop would read
//! as its end. Waiting on the child's pidfd, as tokio does, is right.
//!
//! This crate does not know what the probes mean, nor options, nor the dashboard. Of `wire` it knows the
//! parameter block and the segment's header.

mod attach;
mod borrow;
mod chains;
mod clib;
mod diagnose;
mod elf;
mod error;
mod frame;
#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
mod identity;
mod image;
mod maps;
mod memfd;
mod memory;
mod nudge;
pub mod preload;
mod procdir;
mod ptrace;
mod python;
mod rank;
mod resident;
mod restart;
mod safepoint;
mod scene;
mod seccomp;
mod status;
pub mod survey;
mod turn;
mod unwind;
mod xstate;

pub use attach::{Attached, Options, Segment, attach, detach};
pub use borrow::Borrowed;
pub use diagnose::{Check, Level, diagnose};
pub use error::{Error, Kind};
pub use identity::Identity;
pub use maps::{Mapping, Maps};
pub use python::Interpreter;
pub use resident::Live;
pub use status::Status;
