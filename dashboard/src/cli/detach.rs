//! `gilscope detach PID`: the gilscope that watches it leaves it; if that one is gone, we take its agent out.

use super::Context;
use crate::client;
use crate::errors::Failure;
use clap::Args;
use inject::{Error, Identity, Options};
use std::process::ExitCode;

const EXAMPLES: &str = "Example: gilscope detach 4242";

/// Leave a process that gilscope watches; it goes on
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Flags {
    /// The process
    pid: u32,
}

pub(crate) async fn run(flags: Flags, context: &Context) -> anyhow::Result<ExitCode> {
    let pid = flags.pid;
    if let Some(by) = ask_its_daemon(pid).await? {
        context.talk.say(format!("gilscope {by} has left {pid}"));
        return Ok(ExitCode::SUCCESS);
    }
    tokio::task::spawn_blocking(move || take_out(pid)).await??;
    context.talk.say(format!("detached from {pid}"));
    Ok(ExitCode::SUCCESS)
}

/// The pid of the gilscope that was asked and has left; none if no running one watches `pid`.
async fn ask_its_daemon(pid: u32) -> anyhow::Result<Option<u32>> {
    let daemons = client::daemons().unwrap_or_default();
    let Some((daemon, session)) = client::watcher_of(pid, daemons).await? else { return Ok(None) };
    daemon.detach(session.id).await?;
    Ok(Some(daemon.pid()))
}

fn take_out(pid: u32) -> anyhow::Result<()> {
    let target = Identity::of(pid)?;
    // One of another user or another home cannot be asked, and its file should end as it wants it to.
    if let Some(live) = inject::survey::live(&target).filter(|live| live.daemon_alive) {
        let error = Error::AlreadyAttached { pid, by: live.daemon_pid, alive: true };
        let kind = crate::errors::exit_of(&error);
        let cause = format!(
            "process {pid} is watched by gilscope {}, which has another home and cannot be asked from here",
            live.daemon_pid
        );
        return Err(Failure::new(kind, cause)
            .remedy(format!("end that one: kill -INT {}", live.daemon_pid))
            .into());
    }
    inject::detach(&target, Options::default())?;
    Ok(())
}
