//! The hub's loop: takes commands as they come, publishes revisions on a tick.

use super::session::Session;
use super::{Command, HubError, Revisions, SessionId};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};

/// Watchers hear of changes at most this often.
const TICK: Duration = Duration::from_millis(100);

/// Runs until all handles are gone.
pub async fn run(mut commands: mpsc::Receiver<Command>, publish: watch::Sender<Revisions>) {
    let mut sessions = BTreeMap::new();
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            command = commands.recv() => match command {
                Some(command) => obey(&mut sessions, command),
                None => return,
            },
            _ = tick.tick() => publish_changes(&sessions, &publish),
        }
    }
}

fn obey(sessions: &mut BTreeMap<SessionId, Session>, command: Command) {
    // A reply that nobody waits for any more is dropped.
    match command {
        Command::Add(new, reply) => {
            let _ = reply.send(add(sessions, Session::new(*new)));
        }
        Command::Show(store, reply) => {
            let _ = reply.send(add(sessions, Session::of_store(*store)));
        }
        Command::Batch(id, batch, reply) => {
            match sessions.get_mut(&id) {
                Some(session) => contained("batch", || session.batch(*batch)),
                None => tracing::warn!(session = id.0, "batch for a session that does not exist"),
            }
            let _ = reply.send(());
        }
        Command::Ask(id, question) => {
            // Without the session the question is dropped, and with it its reply channel.
            if let Some(session) = sessions.get(&id) {
                contained("question", || question(&session.snapshot()));
            }
        }
        Command::List(reply) => {
            let _ = reply.send(sessions.keys().copied().collect());
        }
        Command::Mark { id, name, at_ns, reply } => {
            let _ = reply.send(find(sessions, id).and_then(|session| session.mark(name, at_ns)));
        }
        Command::Rename { id, mark, name, reply } => {
            let _ = reply.send(find(sessions, id).and_then(|session| session.rename(mark, name)));
        }
        Command::Unmark { id, mark, reply } => {
            let _ = reply.send(find(sessions, id).and_then(|session| session.unmark(mark)));
        }
        Command::Record { id, recorder, reply } => {
            let _ = reply.send(find(sessions, id).and_then(|session| session.record(recorder)));
        }
        Command::StopRecording(id, reply) => {
            let _ = reply.send(find(sessions, id).and_then(Session::stop_recording));
        }
        Command::Recorded(reply) => {
            let recorded = sessions.iter().filter(|(_, session)| session.is_recorded());
            let _ = reply.send(recorded.map(|(id, _)| *id).collect());
        }
        Command::Controls(id, reply) => {
            let _ = reply.send(find(sessions, id).and_then(|session| session.controls()));
        }
    }
}

fn add(sessions: &mut BTreeMap<SessionId, Session>, session: Session) -> SessionId {
    let id = SessionId(sessions.last_key_value().map_or(1, |(last, _)| last.0 + 1));
    sessions.insert(id, session);
    id
}

/// One session's fault must not end the others, nor keep the targets from being left. What a caught
/// panic cost is the one batch or answer; the panic itself stands on stderr.
fn contained(what: &str, work: impl FnOnce()) {
    if std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_err() {
        tracing::error!(what, "gilscope has a fault; this one was passed over");
    }
}

fn find(
    sessions: &mut BTreeMap<SessionId, Session>,
    id: SessionId,
) -> Result<&mut Session, HubError> {
    sessions.get_mut(&id).ok_or(HubError::NoSuchSession(id))
}

fn publish_changes(sessions: &BTreeMap<SessionId, Session>, publish: &watch::Sender<Revisions>) {
    let now = || sessions.iter().map(|(id, session)| (*id, session.revision));
    publish.send_if_modified(|known| {
        let changed = !known.iter().map(|(id, revision)| (*id, *revision)).eq(now());
        if changed {
            *known = Arc::new(now().collect());
        }
        changed
    });
}
