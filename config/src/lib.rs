//! Options: where they come from, what they may be, and the checked plan that results.
//!
//! `default.toml` is the one text of the defaults, of the limits and of the help. Every other layer
//! (files, `GILSCOPE_*`, flags) may only name keys that stand there. Checking is apart from reading:
//! [`source`] finds and reads, [`Layers`] checks and keeps where each value came from, [`Plan`] is
//! what the program works with. Nothing here knows a process, a terminal or clap.
#![forbid(unsafe_code)]

mod layers;
mod limit;
mod plan;
mod schema;
pub mod source;

pub use layers::{Error, Layers, Origin};
pub use plan::{Color, IoPriority, Method, Mode, Plan, Probes};
pub use schema::{Key, help, keys};
