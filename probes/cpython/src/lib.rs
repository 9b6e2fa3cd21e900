//! Every fact about the CPython interpreter that gilscope relies on, and nothing else.
//!
//! Two users with one set of facts: the agent, which looks at its own process while the GIL's mutex is held (so:
//! few reads, bounded steps, no allocator, no lock), and the daemon, which looks from outside (feature `outside`).
//! Both read through [`Memory`], so nothing in here does I/O, and nothing read is believed before it is checked:
//! a wrong offset ends in a typed reason, never in a name that is not one.
//!
//! Python version numbers appear in this crate only. Offsets up to 3.12 are tables, one file a family
//! (`tables/`); from 3.13 the interpreter publishes them itself ([`debug_offsets`]).
//!
//! Deliberately not known here: processes, ELF symbols, the segment, clocks.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

#[cfg(feature = "outside")]
extern crate alloc;

pub mod check;
pub mod debug_offsets;
pub mod gil;
pub mod layout;
pub mod lines;
pub mod memory;
#[cfg(feature = "outside")]
pub mod outside;
pub mod sample;
pub mod string;
mod tables;
pub mod version;

pub use layout::Layout;
pub use memory::Memory;
pub use version::Version;
