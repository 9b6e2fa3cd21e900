//! A target: entering it, watching it, leaving it.
//!
//! [`enter::attach`] puts the agent in and yields a [`Watched`]; [`Watched::start`] makes it a session
//! of the hub and polls it on a thread of its own until it ends or the hub says detach. What a batch
//! means is not known here.

pub mod enter;
mod facts;
mod watch;

pub use enter::Watched;
pub use watch::Running;
