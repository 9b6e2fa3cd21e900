//! `gilscope attach` and `gilscope record`: get into running processes, watch, and leave them.

use super::daemon::{Daemon, EndSignals};
use super::flags::{self, Watching};
use super::watch::{RecordTo, Watch, check_method, folder, over};
use super::{Context, Lay, list};
use crate::errors::Failure;
use clap::Args;
use config::Layers;
use futures_util::future::select_all;
use inject::Identity;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  gilscope attach 4242                       dashboard until Ctrl-C, then leave
  gilscope attach --name worker --open
  gilscope attach 4242 -d 30s --no-dashboard -o before.gilscope";

/// Watch running processes: dashboard until Ctrl-C, then leave them
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Flags {
    /// Processes to watch, by their ids
    #[arg(required_unless_present = "name", value_parser = list::pid)]
    pid: Vec<u32>,
    /// The one Python process with this in its command line
    #[arg(long, value_name = "TEXT", conflicts_with = "pid")]
    name: Option<String>,
    /// Leave after this time; by default at Ctrl-C or when the process ends
    #[arg(short, long, value_name = "TIME", value_parser = flags::duration)]
    duration: Option<Duration>,
    #[command(flatten)]
    session: flags::Session,
}

const RECORD_EXAMPLES: &str = "\
Examples:
  gilscope record 4242 -o before.gilscope
  gilscope record 4242 -o before.gilscope -d 1m";

/// Record a running process to a file, without a dashboard, until Ctrl-C
#[derive(Debug, Args)]
#[command(after_help = RECORD_EXAMPLES)]
pub(crate) struct RecordFlags {
    /// Process to record, by its id
    #[arg(value_parser = list::pid)]
    pid: u32,
    /// Recording to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Overwrite the file if it exists
    #[arg(short, long)]
    force: bool,
    /// Leave after this time; by default at Ctrl-C or when the process ends
    #[arg(short, long, value_name = "TIME", value_parser = flags::duration)]
    duration: Option<Duration>,
    #[command(flatten)]
    watching: Watching,
}

impl Lay for Flags {
    fn lay(&self, layers: &mut Layers) -> Result<(), config::Error> {
        self.session.lay(layers)
    }
}

impl Lay for RecordFlags {
    fn lay(&self, layers: &mut Layers) -> Result<(), config::Error> {
        self.watching.lay(layers)?;
        layers.set("record", "dashboard", "false")
    }
}

pub(crate) async fn run(flags: Flags, context: &Context) -> anyhow::Result<ExitCode> {
    let pids = match &flags.name {
        Some(name) => vec![list::named(name)?],
        None => flags.pid,
    };
    if pids.len() > 1 && flags.session.output.output.is_some() {
        let failure = Failure::usage("-o takes one process");
        return Err(failure.remedy("run `gilscope record` for each").into());
    }
    let to = RecordTo::of(&flags.session.output)?;
    watch(pids, to, flags.duration, context).await
}

pub(crate) async fn record(flags: RecordFlags, context: &Context) -> anyhow::Result<ExitCode> {
    let to = RecordTo::check(&flags.output, flags.force)?;
    watch(vec![flags.pid], Some(to), flags.duration, context).await
}

async fn watch(
    pids: Vec<u32>,
    mut to: Option<RecordTo>,
    duration: Option<Duration>,
    context: &Context,
) -> anyhow::Result<ExitCode> {
    check_method(context.plan.method, false)?;
    for pid in &pids {
        Identity::of(*pid)?; // a wrong one is told before a port that is taken
    }
    let mut signals = EndSignals::catch()?;
    let mut daemon = Daemon::start(context, folder(to.as_ref())).await?;
    let mut watches = Vec::new();
    for pid in &pids {
        match Watch::attach(*pid, to.take(), &daemon, context).await {
            Ok(watch) => {
                context.talk.say(format!("attached to {}", watch.name()));
                watches.push(watch);
            }
            Err(error) => {
                leave(watches, "as another could not be attached to", context).await?;
                return Err(error);
            }
        }
    }
    daemon.tell_targets(pids)?;
    daemon.announce(context)?;
    if duration.is_none() {
        context.talk.next_step("Ctrl-C leaves the process, which goes on");
    }
    let by = tokio::select! {
        by = signals.wait() => by,
        by = over(duration) => by,
        () = all_ended(&mut watches, context) => {
            if context.plan.dashboard && duration.is_none() {
                context.talk.say("nothing is left to watch; the dashboard stays until Ctrl-C");
                signals.wait().await;
            }
            "as it ended"
        }
    };
    leave(watches, by, context).await?;
    daemon.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// Returns when every target is gone by itself, each with its reason told.
async fn all_ended(watches: &mut [Watch], context: &Context) {
    let mut open: Vec<_> = watches
        .iter_mut()
        .map(|watch| Box::pin(async move { (watch.facts.pid, watch.ended().await) }))
        .collect();
    while !open.is_empty() {
        let ((pid, reason), _, rest) = select_all(open).await;
        context.talk.say(format!("{pid} {}", crate::talk::printable(&reason)));
        open = rest;
    }
}

/// Leaves all, whatever happens to one; the first trouble is told.
async fn leave(watches: Vec<Watch>, by: &str, context: &Context) -> anyhow::Result<()> {
    let mut outcome = Ok(());
    for watch in watches {
        outcome = outcome.and(watch.leave(by, context).await);
    }
    outcome
}
