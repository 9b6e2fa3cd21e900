//! The probes that run inside a target: where their hooks go, and what they record.
//!
//! A hook records and then tail-jumps to the function it stands for, so nothing of ours is on the
//! stack while a thread blocks. It never blocks, allocates, logs, takes a lock or calls Python.
//! Memory: one page of hot state ([`hot`]), wiped by the kernel in a forked child, and the segment.
//!
//! This crate does not know how it got into the process, nor when to leave it: that is `inside`.
#![no_std]

pub mod gil;
pub mod got;
pub mod hot;
pub mod imports;
pub mod memory;
pub mod object;
pub mod originals;
pub mod slots;
pub mod tstate;
