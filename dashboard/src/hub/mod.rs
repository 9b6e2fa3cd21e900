//! The hub: one task that owns all sessions and their stores.
//!
//! Everything else holds a [`HubHandle`] and sends: batches in, questions as closures over a
//! [`Snapshot`], marks. Watchers are told at most ten times a second that sessions changed, never per
//! batch, and asking changes nothing, so there is no feedback loop. The hub knows no pids' secrets,
//! files or sockets: what only a target's keeper can do is sent to it as a [`Control`].

mod session;
mod task;
#[cfg(test)]
mod tests;

use crate::batch::{Batch, Mark, Target};
use crate::remedy::Remedy;
use crate::store::{Snapshot, Store};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};

/// Commands that may wait for the hub; whoever sends more has to wait too.
const QUEUE: usize = 256;

/// Names a session for as long as the hub lives; 1 and up, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SessionId(pub u32);

/// What only the keeper of a session's target can do. Each carries where the outcome goes: nothing, or
/// one line for a person.
#[derive(Debug)]
pub enum Control {
    /// Leave the target, which goes on; the session ends as "detached" by whom or what this says.
    Detach(String, oneshot::Sender<Result<(), String>>),
    /// Put a remedy on the target; the outcome is its setting in words.
    Try(Remedy, oneshot::Sender<Result<String, String>>),
    /// Take a remedy back, by its name.
    Undo(&'static str, oneshot::Sender<Result<String, String>>),
}

/// How a session starts.
pub struct NewSession {
    pub target: Target,
    /// Absent for a recording that is only shown.
    pub controls: Option<mpsc::Sender<Control>>,
    /// Gets every batch, those with marks included, from the first on. If it is full for so long that
    /// its queue overflows, it is dropped and the session carries a note that says so.
    pub recorder: Option<mpsc::Sender<Arc<Batch>>>,
}

/// Why the hub could not do as asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HubError {
    #[error("there is no session {}", .0.0)]
    NoSuchSession(SessionId),
    #[error("the session has no mark {0}")]
    NoSuchMark(u32),
    #[error("a session keeps at most {0} marks")]
    TooManyMarks(usize),
    #[error("a recording is shown; there is no process to act on")]
    NoTarget,
    #[error(
        "a recording is shown, and its file stays as it is: a mark would be gone with this page; marks are set while a process is watched"
    )]
    Shown,
    #[error("the session has ended")]
    Ended,
    #[error("the session is being recorded already")]
    Recorded,
    #[error("the session is not being recorded")]
    NotRecorded,
    #[error("{0}")]
    Refused(String),
    #[error("gilscope has a fault here: its log says where; please report it")]
    Fault,
    #[error("gilscope is shutting down")]
    Stopped,
}

/// The revision of each session: it grows with everything that a snapshot could show.
pub type Revisions = Arc<BTreeMap<SessionId, u64>>;

type Question = Box<dyn FnOnce(&Snapshot<'_>) + Send>;

enum Command {
    Add(Box<NewSession>, oneshot::Sender<SessionId>),
    Show(Box<Store>, oneshot::Sender<SessionId>),
    Batch(SessionId, Box<Batch>, oneshot::Sender<()>),
    Ask(SessionId, Question),
    List(oneshot::Sender<Vec<SessionId>>),
    Mark {
        id: SessionId,
        name: String,
        at_ns: Option<u64>,
        reply: oneshot::Sender<Result<Mark, HubError>>,
    },
    Rename {
        id: SessionId,
        mark: u32,
        name: String,
        reply: oneshot::Sender<Result<Mark, HubError>>,
    },
    Unmark {
        id: SessionId,
        mark: u32,
        reply: oneshot::Sender<Result<(), HubError>>,
    },
    Record {
        id: SessionId,
        recorder: mpsc::Sender<Arc<Batch>>,
        reply: oneshot::Sender<Result<(), HubError>>,
    },
    StopRecording(SessionId, oneshot::Sender<Result<(), HubError>>),
    Recorded(oneshot::Sender<Vec<SessionId>>),
    Controls(SessionId, oneshot::Sender<Result<mpsc::Sender<Control>, HubError>>),
}

/// A way to the hub; cheap to clone. The hub ends when the last one is gone.
#[derive(Clone)]
pub struct HubHandle {
    commands: mpsc::Sender<Command>,
    revisions: watch::Receiver<Revisions>,
}

/// Starts the hub's task on the current tokio runtime.
pub fn spawn() -> HubHandle {
    let (commands, queue) = mpsc::channel(QUEUE);
    let (publish, revisions) = watch::channel(Revisions::default());
    tokio::spawn(task::run(queue, publish));
    HubHandle { commands, revisions }
}

impl HubHandle {
    /// Adds a session; it shows up at once, with nothing in it yet.
    pub async fn add_session(&self, new: NewSession) -> Result<SessionId, HubError> {
        self.ask_hub(|reply| Command::Add(Box::new(new), reply)).await
    }

    /// Adds a session that shows what a recording knows; the batches that follow come one by one.
    pub async fn show(&self, store: Store) -> Result<SessionId, HubError> {
        self.ask_hub(|reply| Command::Show(Box::new(store), reply)).await
    }

    /// Gives a batch to a session. Returns once the session has it: a sender that waits has one batch on the
    /// way, however large it is and however far the hub is behind.
    pub async fn batch(&self, id: SessionId, batch: Batch) -> Result<(), HubError> {
        self.ask_hub(|reply| Command::Batch(id, Box::new(batch), reply)).await
    }

    /// All sessions in the order of their start, ended ones included.
    pub async fn sessions(&self) -> Result<Vec<SessionId>, HubError> {
        self.ask_hub(Command::List).await
    }

    /// What `question` makes of a snapshot of the session. It runs on the hub's task: keep it short.
    pub async fn with<R, F>(&self, id: SessionId, question: F) -> Result<R, HubError>
    where
        R: Send + 'static,
        F: FnOnce(&Snapshot<'_>) -> R + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let question: Question = Box::new(move |snapshot| {
            let _ = reply.send(question(snapshot)); // nobody waits any more: nothing to do
        });
        self.commands.send(Command::Ask(id, question)).await.map_err(|_| HubError::Stopped)?;
        match answer.await {
            Ok(answer) => Ok(answer),
            Err(_) if self.sessions().await?.contains(&id) => Err(HubError::Fault),
            Err(_) => Err(HubError::NoSuchSession(id)),
        }
    }

    /// Adds a mark; `at_ns` on the session's clock, by default now (the end, if the session is over).
    pub async fn mark(
        &self,
        id: SessionId,
        name: String,
        at_ns: Option<u64>,
    ) -> Result<Mark, HubError> {
        self.ask_hub(|reply| Command::Mark { id, name, at_ns, reply }).await?
    }

    /// Gives a mark another name.
    pub async fn rename_mark(
        &self,
        id: SessionId,
        mark: u32,
        name: String,
    ) -> Result<Mark, HubError> {
        self.ask_hub(|reply| Command::Rename { id, mark, name, reply }).await?
    }

    /// Takes a mark away.
    pub async fn unmark(&self, id: SessionId, mark: u32) -> Result<(), HubError> {
        self.ask_hub(|reply| Command::Unmark { id, mark, reply }).await?
    }

    /// Records a session from now on, with its totals so far.
    pub async fn record(
        &self,
        id: SessionId,
        recorder: mpsc::Sender<Arc<Batch>>,
    ) -> Result<(), HubError> {
        self.ask_hub(|reply| Command::Record { id, recorder, reply }).await?
    }

    /// Ends a session's recording, whoever began it; the recorder has all batches up to now.
    pub async fn stop_recording(&self, id: SessionId) -> Result<(), HubError> {
        self.ask_hub(|reply| Command::StopRecording(id, reply)).await?
    }

    /// The sessions that are being recorded.
    pub async fn recorded(&self) -> Result<Vec<SessionId>, HubError> {
        self.ask_hub(Command::Recorded).await
    }

    /// Whether the session has a process that is being watched now.
    pub async fn is_living(&self, id: SessionId) -> Result<bool, HubError> {
        match self.ask_hub(|reply| Command::Controls(id, reply)).await? {
            Ok(_) => Ok(true),
            Err(HubError::Ended | HubError::NoTarget) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Asks the session's keeper to leave the target, and waits for the outcome. `by` says on whose behalf,
    /// for a person: "by Ctrl-C".
    pub async fn detach(&self, id: SessionId, by: &str) -> Result<(), HubError> {
        self.order(id, |reply| Control::Detach(by.to_owned(), reply)).await
    }

    /// Puts a remedy on the session's target; returns its setting in words.
    pub async fn try_remedy(&self, id: SessionId, remedy: Remedy) -> Result<String, HubError> {
        self.order(id, |reply| Control::Try(remedy, reply)).await
    }

    /// Takes a remedy back; returns what it was set to.
    pub async fn undo_remedy(&self, id: SessionId, name: &'static str) -> Result<String, HubError> {
        self.order(id, |reply| Control::Undo(name, reply)).await
    }

    /// Has the session's keeper do something, and waits for the outcome.
    async fn order<R>(
        &self,
        id: SessionId,
        control: impl FnOnce(oneshot::Sender<Result<R, String>>) -> Control,
    ) -> Result<R, HubError> {
        let controls = self.ask_hub(|reply| Command::Controls(id, reply)).await??;
        let (reply, outcome) = oneshot::channel();
        controls.send(control(reply)).await.map_err(|_| HubError::Ended)?;
        outcome.await.map_err(|_| HubError::Ended)?.map_err(HubError::Refused)
    }

    /// Changes at most ten times a second.
    pub fn revisions(&self) -> watch::Receiver<Revisions> {
        self.revisions.clone()
    }

    async fn ask_hub<R>(
        &self,
        command: impl FnOnce(oneshot::Sender<R>) -> Command,
    ) -> Result<R, HubError> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| HubError::Stopped)?;
        answer.await.map_err(|_| HubError::Stopped)
    }
}
