//! Everything of gilscope but its `main`: a library only so that fuzz targets can be linked to it.
//!
//! Data flows one way: collect → batch → store → snapshot → view, plot, export or report. Nothing here
//! knows how the agent works inside a target.
#![deny(unsafe_code)]
// One program's modules, not an interface; they carry their own text.
#![allow(missing_docs, unreachable_pub)]

mod batch;
mod bench;
mod cli;
mod client;
mod collect;
mod compare;
mod cost;
mod errors;
mod findings;
#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
mod http;
mod hub;
mod output;
mod plot;
mod recording;
mod remedy;
mod report;
mod store;
mod talk;
mod target;
mod top;
mod units;
mod view;
mod weigh;
mod ws;

pub use cli::main;
