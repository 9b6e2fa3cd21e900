//! `gilscope try PID REMEDY`: change how a running target shares its GIL, see what it brings, take it back.
//!
//! If a gilscope watches the target already, that one does it and keeps it up. Else we attach, look at
//! the target as it is, put the remedy on, and take it back when we leave: a remedy never outlives the
//! gilscope that keeps it.

use super::daemon::{Daemon, EndSignals};
use super::flags;
use super::watch::{RecordTo, Watch, folder, over};
use super::{Context, Lay};
use crate::client;
use crate::errors::{Exit, Failure};
use crate::remedy::{self, Remedy};
use crate::report::experiments;
use crate::talk;
use crate::view;
use clap::Args;
use config::Layers;
use std::process::ExitCode;
use std::time::Duration;

const EXAMPLES: &str = "\
Remedies:
  io-priority            I/O threads ask a CPU thread for the GIL after 50 us instead of 5 ms
  switch-interval TIME   what sys.setswitchinterval sets, for comparison
  keep-chunks            threads that Python did not start give the next one the chunk of their stack,
                         instead of mapping and unmapping one at each call (Python 3.11 and later)

Examples:
  gilscope try 4242 io-priority
  gilscope try 4242 io-priority --undo
  gilscope try 4242 switch-interval 1ms -d 30s
  gilscope try 4242 io-priority=20us --baseline 10s -o tried.gilscope";

/// Try a remedy on a running process, compare before and after, take it back
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Flags {
    /// The process
    pid: u32,
    /// io-priority, switch-interval or keep-chunks
    remedy: String,
    /// Its value, where it has one
    value: Option<String>,
    /// Take it back
    #[arg(long, conflicts_with_all = ["duration", "output"])]
    undo: bool,
    /// Look at the process as it is this long first, if no gilscope watches it yet
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = flags::duration)]
    baseline: Duration,
    /// Leave after this time with the remedy on; by default at Ctrl-C
    #[arg(short, long, value_name = "TIME", value_parser = flags::duration)]
    duration: Option<Duration>,
    #[command(flatten)]
    session: flags::Session,
}

impl Lay for Flags {
    fn lay(&self, layers: &mut Layers) -> Result<(), config::Error> {
        self.session.lay(layers)
    }
}

pub(crate) async fn run(flags: Flags, context: &Context) -> anyhow::Result<ExitCode> {
    let text = match &flags.value {
        Some(value) => format!("{}={value}", flags.remedy),
        None => flags.remedy.clone(),
    };
    let remedy = match flags.undo {
        true => None,
        false => Some(Remedy::parse(&text, &context.plan).map_err(Failure::usage)?),
    };
    let name = remedy::name_of(&text).map_err(Failure::usage)?;
    match (client::watcher_of(flags.pid, client::daemons()?).await?, remedy) {
        (Some((daemon, session)), Some(remedy)) => {
            let setting = daemon.try_remedy(session.id, &text).await?;
            context.talk.say(format!("{} is on for {}: {setting}", remedy.name(), flags.pid));
            let undo = format!("gilscope try {} {name} --undo", flags.pid);
            context.talk.next_step(format!("{undo} takes it back; so does leaving the process"));
        }
        (Some((daemon, session)), None) => {
            daemon.undo_remedy(session.id, name).await?;
            context.talk.say(format!("{name} is taken back from {}", flags.pid));
        }
        (None, Some(remedy)) => try_alone(flags, remedy, context).await?,
        (None, None) => {
            let cause =
                format!("no running gilscope with a dashboard watches process {}", flags.pid);
            let remedy = "a remedy ends with the gilscope that keeps it: nothing is left to undo";
            return Err(Failure::new(Exit::Target, cause).remedy(remedy).into());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Attaches, looks, tries, looks, tells the difference and leaves.
async fn try_alone(flags: Flags, remedy: Remedy, context: &Context) -> anyhow::Result<()> {
    let to = RecordTo::of(&flags.session.output)?;
    let mut signals = EndSignals::catch()?;
    let mut daemon = Daemon::start(context, folder(to.as_ref())).await?;
    let mut watch = Watch::attach(flags.pid, to, &daemon, context).await?;
    context.talk.say(format!("attached to {}", watch.name()));
    daemon.tell_targets(vec![flags.pid])?;
    daemon.announce(context)?;
    let mut by = tokio::select! {
        by = signals.wait() => Some(by),
        _ = watch.ended() => Some("as it ended"),
        () = tokio::time::sleep(flags.baseline) => None,
    };
    let mut outcome = Ok(());
    if by.is_none() {
        outcome = put_on(&daemon, &watch, remedy, context).await;
        by = outcome.is_err().then_some("as the remedy could not be put on");
    }
    if by.is_none() {
        if flags.duration.is_none() {
            context.talk.next_step("Ctrl-C takes it back and leaves the process, which goes on");
        }
        by = tokio::select! {
            by = signals.wait() => Some(by),
            _ = watch.ended() => None,
            by = over(flags.duration) => Some(by),
        };
        let tried = daemon.hub.with(watch.id, view::experiments).await?;
        // A closed stdout is told once the process has been left.
        outcome = talk::print(experiments::text(&tried)).map_err(Into::into);
    }
    watch.leave(by.unwrap_or("as it ended"), context).await?;
    daemon.stop().await;
    outcome
}

async fn put_on(
    daemon: &Daemon,
    watch: &Watch,
    remedy: Remedy,
    context: &Context,
) -> anyhow::Result<()> {
    let setting = daemon.hub.try_remedy(watch.id, remedy).await.map_err(Failure::from)?;
    context.talk.say(format!("{} is on: {setting}", remedy.name()));
    Ok(())
}
