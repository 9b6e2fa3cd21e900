//! `gilscope mark TEXT`: a labelled moment in what a running gilscope records.

use super::Context;
use crate::client::{self, Daemon, Session};
use crate::errors::{Exit, Failure};
use crate::talk;
use clap::Args;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  gilscope mark \"cache warm\"
  gilscope mark --pid 4242 \"after the fix\"";

/// Mark this moment, with a label, in what is being recorded
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Flags {
    /// The label, at most 80 characters
    text: String,
    /// Only in the recording of this process; by default in all that are attached
    #[arg(short, long)]
    pid: Option<u32>,
}

pub(crate) async fn run(flags: Flags, context: &Context) -> anyhow::Result<ExitCode> {
    let mut marked = 0;
    for daemon in client::daemons()? {
        for session in daemon.live_sessions().await? {
            if flags.pid.is_none_or(|pid| pid == session.target.pid) {
                mark(&daemon, &session, &flags.text, context).await?;
                marked += 1;
            }
        }
    }
    match (marked, flags.pid) {
        (0, Some(pid)) => Err(nothing(format!("no running gilscope watches process {pid}")).into()),
        (0, None) => Err(nothing("no gilscope of this user watches anything").into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}

async fn mark(
    daemon: &Daemon,
    session: &Session,
    text: &str,
    context: &Context,
) -> anyhow::Result<()> {
    let placed = daemon.mark(session.id, text).await?;
    let at_s = placed.at_ns as f64 / 1e9;
    let command = talk::brief(&session.target.cmdline.join(" "));
    context.talk.say(format!(
        "marked \"{}\" at {at_s:.3} s of {} ({command})",
        placed.name, session.target.pid
    ));
    Ok(())
}

fn nothing(cause: impl Into<String>) -> Failure {
    Failure::new(Exit::Target, cause).remedy("start one with `gilscope attach PID`")
}
