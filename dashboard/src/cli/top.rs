//! `gilscope top`: a running process on the terminal, live, until a key; then leave it.

use super::daemon::{Daemon, EndSignals};
use super::flags::{self, Output, Watching};
use super::watch::{RecordTo, Watch, check_method, folder, over};
use super::{Context, Lay, list};
use crate::errors::Failure;
use crate::{talk, top};
use clap::Args;
use config::Layers;
use inject::Identity;
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  gilscope top 4242
  gilscope top --name worker --interval 5s
  gilscope top 4242 --once                   one table as text, then leave

Keys: q, Esc or Ctrl-C leave; space pauses; m sets a mark; c g w i n sort by CPU, GIL held, waited,
inflicted wait, name.";

/// Show a live table of a process in the terminal
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Flags {
    /// Process to watch, by its id
    #[arg(required_unless_present = "name", value_parser = list::pid)]
    pid: Option<u32>,
    /// The one Python process with this in its command line
    #[arg(long, value_name = "TEXT", conflicts_with = "pid")]
    name: Option<String>,
    /// Time between two tables, which is also what a table is of
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = flags::duration)]
    interval: Duration,
    /// Print one table as text after one interval, and leave
    #[arg(long, conflicts_with = "duration")]
    once: bool,
    /// Leave after this time; by default at a key or when the process ends
    #[arg(short, long, value_name = "TIME", value_parser = flags::duration)]
    duration: Option<Duration>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    watching: Watching,
}

impl Lay for Flags {
    fn lay(&self, layers: &mut Layers) -> Result<(), config::Error> {
        self.watching.lay(layers)?;
        layers.set("top", "dashboard", "false")
    }
}

pub(crate) async fn run(flags: Flags, context: &Context) -> anyhow::Result<ExitCode> {
    if !flags.once && !io::stdout().is_terminal() {
        let failure = Failure::usage("top draws on a terminal, and stdout is none");
        return Err(failure.remedy("use --once for one table as text").into());
    }
    let pid = match (&flags.name, flags.pid) {
        (Some(name), _) => list::named(name)?,
        (None, Some(pid)) => pid,
        (None, None) => return Err(Failure::usage("top wants a process id or --name").into()),
    };
    let to = RecordTo::of(&flags.output)?;
    check_method(context.plan.method, false)?;
    Identity::of(pid)?;
    let mut signals = EndSignals::catch()?;
    let daemon = Daemon::start(context, folder(to.as_ref())).await?;
    let mut watch = Watch::attach(pid, to, &daemon, context).await?;
    daemon.tell_targets(vec![pid])?;
    let shown = look(&flags, &mut watch, &daemon, &mut signals).await;
    // Whatever happened on the screen, the target is left; the screen's trouble is told after that.
    let by = shown.as_ref().map_or("as its terminal failed", |(by, _)| by);
    let left = watch.leave(by, context).await;
    daemon.stop().await;
    let (_, table) = shown?;
    left?;
    if let Some(table) = table {
        talk::print(table)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Why it is over, and the table if one is wanted as text.
async fn look(
    flags: &Flags,
    watch: &mut Watch,
    daemon: &Daemon,
    signals: &mut EndSignals,
) -> anyhow::Result<(&'static str, Option<String>)> {
    let id = watch.id;
    let shown = async {
        if !flags.once {
            return Ok((top::show(&daemon.hub, id, flags.interval).await?, None));
        }
        tokio::time::sleep(flags.interval).await;
        let table = top::text(&daemon.hub, id, flags.interval).await?;
        Ok(("after one table (--once)", Some(table)))
    };
    tokio::select! {
        shown = shown => shown,
        by = signals.wait() => Ok((by, None)),
        by = over(flags.duration) => Ok((by, None)),
        _ = watch.ended() => Ok(("as it ended", None)),
    }
}
