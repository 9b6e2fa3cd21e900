//! What the dashboard's page of targets can ask for: which processes there are, and to watch one more.

use super::recordings::Recordings;
use crate::http::{Actions, AttachableProcess};
use crate::hub::{HubHandle, SessionId};
use crate::remedy::Remedy;
use crate::target::enter;
use config::Plan;
use inject::survey::{self, Process};
use inject::{Level, diagnose};
use std::collections::HashMap;
use tokio::task::spawn_blocking;

/// Actions on `hub`; sessions begun from a page are like those of `attach`; recording them is asked for by itself.
pub(crate) fn actions(hub: &HubHandle, recordings: &Recordings, plan: &Plan) -> Actions {
    let (lister, starter, plan) = (hub.clone(), hub.clone(), plan.clone());
    let options = plan.clone();
    Actions {
        remedy: Box::new(move |text| Remedy::parse(text, &options)),
        processes: Box::new(move || Box::pin(processes(lister.clone()))),
        attach: Box::new(move |pid| Box::pin(attach(pid, starter.clone(), plan.clone()))),
        recordings: recordings.actions(),
    }
}

async fn processes(hub: HubHandle) -> Result<Vec<AttachableProcess>, String> {
    let mut sessions = HashMap::new();
    for id in hub.sessions().await.map_err(|error| error.to_string())? {
        let look =
            hub.with(id, |snapshot| (snapshot.target().pid, snapshot.ended().is_some())).await;
        if let Ok((pid, false)) = look {
            sessions.insert(pid, id);
        }
    }
    let found = spawn_blocking(move || {
        let process = |process: Process| row(&sessions, process);
        survey::processes().into_iter().map(process).collect()
    });
    found.await.map_err(|error| error.to_string())
}

fn row(sessions: &HashMap<u32, SessionId>, process: Process) -> AttachableProcess {
    let session = sessions.get(&process.pid).copied();
    let obstacle = || diagnose(process.pid).into_iter().find(|check| check.level == Level::Fail);
    AttachableProcess {
        pid: process.pid,
        python_version: process.interpreter.and_then(|interpreter| interpreter.version),
        n_threads: process.threads,
        cmdline: process.command_line,
        session,
        obstacle: if session.is_some() { None } else { obstacle().map(|check| check.cause) },
    }
}

async fn attach(pid: u32, hub: HubHandle, plan: Plan) -> Result<SessionId, String> {
    let entered = spawn_blocking(move || enter::attach(pid, &plan)).await;
    let watched = entered.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
    let running = watched.start(&hub, None).await.map_err(|error| error.to_string())?;
    Ok(running.id)
}
