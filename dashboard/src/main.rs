//! gilscope: the command line, the daemon and the dashboard in one program.
//!
//! `main` only hands over to `cli`. Data flows one way: collect → batch → store → snapshot → view,
//! plot, export or report. Nothing here knows how the agent works inside a target.
#![deny(unsafe_code)]
// A binary has no public items; the modules carry their own text.
#![allow(missing_docs, unreachable_pub)]

mod batch;
mod cli;
mod client;
mod collect;
mod errors;
mod http;
mod hub;
mod output;
mod plot;
mod recording;
mod report;
mod store;
mod talk;
mod target;
mod units;
mod view;
mod ws;

fn main() -> std::process::ExitCode {
    cli::main(std::env::args_os())
}
