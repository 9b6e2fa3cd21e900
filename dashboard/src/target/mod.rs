//! A target: entering it, watching it, leaving it.
//!
//! [`enter::attach`] puts the agent into a running process, [`launch::Launch`] into one that starts;
//! both yield a [`Watched`]; [`Watched::start`] makes it a session
//! of the hub and polls it on a thread of its own until it ends or the hub says detach. What a batch
//! means is not known here.

pub mod enter;
mod facts;
pub mod launch;
mod watch;

pub use enter::Watched;
pub use watch::Running;
