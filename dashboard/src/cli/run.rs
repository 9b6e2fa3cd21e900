//! `gilscope run`: starts a command watched. For the command nothing is different; its exit code is ours.

use super::child::{self, Running};
use super::daemon::Daemon;
use super::flags;
use super::watch::{RecordTo, Watch, check_method, folder, over};
use super::{Context, Lay};
use crate::errors;
use crate::target::Watched;
use crate::target::launch::Launch;
use anyhow::Context as _;
use clap::Args;
use config::Layers;
use std::ffi::OsString;
use std::process::{Command, ExitCode};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

const EXAMPLES: &str = "\
Examples:
  gilscope run -- python app.py --port 8000
  gilscope run --no-dashboard -o app.gilscope -- python -m pytest
  gilscope run -- bash -c 'exec python app.py'";

/// Start a command and watch the Python in it; its exit code is passed on
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Flags {
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
    /// Stop watching after this time; the command goes on
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
    let to = RecordTo::of(&flags.session.output)?;
    check_method(context.plan.method, true)?;
    let mut daemon = Daemon::start(context, folder(to.as_ref())).await?;
    let (program, arguments) = flags.command.split_first().context("no command")?;
    let mut command = Command::new(program);
    command.args(arguments);
    let launch = Launch::prepare(&mut command, &context.plan)?;
    let mut running = Running::start(command.into())?;
    daemon.announce(context)?;
    let (tell, exited) = watch::channel(false);
    let pid = running.pid();
    let python = tokio::task::spawn_blocking(move || launch.find_python(pid));
    let watching =
        follow(Following { pid, python, to, duration: flags.duration, exited }, &daemon, context);
    let ending = async {
        let ended = running.exited().await;
        tell.send_replace(true);
        ended
    };
    let (watched, ended) = tokio::join!(watching, ending);
    ended.context("waiting for the command")?;
    // Only now, so that its watcher could read how it ended.
    let status = running.reap().await.context("waiting for the command")?;
    if let Err(error) = watched {
        errors::tell(&error); // the command's code stays the command's
    }
    daemon.stop().await;
    Ok(ExitCode::from(child::exit_code(status)))
}

/// A command on its way.
struct Following {
    pid: u32,
    /// The search for Python in it.
    python: JoinHandle<Result<Option<Watched>, inject::Error>>,
    to: Option<RecordTo>,
    duration: Option<Duration>,
    /// True once the command has ended.
    exited: watch::Receiver<bool>,
}

/// Watches the Python in the command, once there is one, until either ends or time is over.
async fn follow(following: Following, daemon: &Daemon, context: &Context) -> anyhow::Result<()> {
    let Following { pid, python, to, duration, mut exited } = following;
    let recorded = to.is_some();
    let Some(watched) = python.await.context("looking for Python")?? else {
        if recorded {
            context.talk.say("no Python was seen in the command; nothing was recorded");
        }
        return Ok(());
    };
    let mut watch = Watch::begin(watched, to, daemon, context).await?;
    context.talk.say(format!("attached to {}", watch.name()));
    let is_command = watch.facts.pid == pid;
    let by = tokio::select! {
        _ = watch.ended() => "as it ended",
        by = over(duration) => by,
        // A Python that outlives the command that started it is left when that one ends.
        _ = exited.wait_for(|exited| *exited), if !is_command => "as the command that started it ended",
    };
    watch.leave(by, context).await
}
