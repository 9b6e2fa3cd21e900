//! The contract of two processes: what the agent writes inside a target and the daemon reads outside.
//!
//! One shared mapping, the *segment*, holds a header page, tables, one slot and one ring per thread.
//! Everything here is plain old data of fixed size with explicit padding; both sides are built from
//! the same commit, and [`segment::MAGIC`] and [`segment::ABI_VERSION`] say so before anyone reads on.
//! All times are nanoseconds of the session's own [`clock`]; a start of a window is a stamp of it.
//!
//! This crate does not know Python, `/proc`, or how the mapping came to be.
#![no_std]

pub mod clock;
pub mod code;
pub mod event;
pub mod histogram;
pub mod imports;
pub mod params;
pub mod plan;
pub mod policy;
pub mod ring;
pub mod segment;
pub mod slot;
pub mod totals;
pub mod tstate;
