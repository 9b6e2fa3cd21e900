//! Watching a target: a thread of its own polls it and feeds the hub, until the end.

use super::enter::{Watched, has_no_gil_yet};
use super::facts::end_of;
use crate::batch::{Batch, Change, Ended};
use crate::collect::frames::FramesReader;
use crate::hub::{Control, HubError, HubHandle, NewSession, SessionId};
use crate::remedy::Remedy;
use config::Mode;
use inject::{Error, Options};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::error::Elapsed;

/// Where every cycle is an event, rings are emptied this often between two polls.
const ROOM_EVERY: Duration = Duration::from_millis(5);
/// Controls that may wait; they are few and a person sends them.
const CONTROLS: usize = 8;
/// Tries to find a GIL that is not there yet before only new threads are a reason to try again.
const GIL_TRIES: u32 = 8;
/// Turns in which an interpreter may not be ready to be read yet.
const FRAMES_TRIES: u32 = 20;

/// A session that is being polled.
pub struct Running {
    pub id: SessionId,
    /// Yields the reason when the session is over.
    pub ended: oneshot::Receiver<String>,
}

impl Watched {
    /// Makes it a session of the hub, recorded by `recorder` if there is one, and starts polling.
    pub async fn start(
        self,
        hub: &HubHandle,
        recorder: Option<mpsc::Sender<Arc<Batch>>>,
    ) -> Result<Running, HubError> {
        let (controls, orders) = mpsc::channel(CONTROLS);
        let target = self.facts().clone();
        let id = hub.add_session(NewSession { target, controls: Some(controls), recorder }).await?;
        let (told, ended) = oneshot::channel();
        let watcher = Watcher {
            period: Duration::from_secs(1) / self.entry.plan.cpu_hz.max(1),
            traces: self.entry.plan.gil_mode == Mode::Trace,
            watched: self,
            hub: hub.clone(),
            id,
            runtime: Handle::current(),
            gil_tries: 0,
            seccomp: None,
            n_threads: 0,
            frames_tries: 0,
            names_tries: 0,
        };
        std::thread::Builder::new()
            .name(format!("watch-{}", id.0))
            .spawn(move || {
                let reason = watcher.run(orders);
                let _ = told.send(reason); // nobody waits: the session's page has the reason
            })
            .map_err(|error| HubError::Refused(format!("no thread for the session: {error}")))?;
        Ok(Running { id, ended })
    }
}

struct Watcher {
    watched: Watched,
    hub: HubHandle,
    id: SessionId,
    period: Duration,
    /// Whether every cycle is an event.
    traces: bool,
    runtime: Handle,
    gil_tries: u32,
    seccomp: Option<u32>,
    n_threads: u32,
    frames_tries: u32,
    names_tries: u32,
}

impl Watcher {
    /// Says why something has no figures.
    fn note(&mut self, of: &str, why: String) {
        let notes = [(of.to_owned(), why)].into();
        self.feed(Batch { at_ns: self.watched.live.now(), notes, ..Batch::default() });
    }

    /// Polls until the end; returns its reason.
    fn run(mut self, mut orders: mpsc::Receiver<Control>) -> String {
        for remedy in Remedy::of_plan(&self.watched.entry.plan) {
            if let Err(why) = self.try_remedy(remedy) {
                self.note(remedy.name(), why);
            }
        }
        if !self.watched.entry.plan.probes.gil {
            let why = "the gil probe was off: it is not among --probes".to_owned();
            self.note("gil", why);
        }
        loop {
            if let Some(reason) = self.turn() {
                return self.end(reason);
            }
            match self.next_order(&mut orders) {
                Ok(Some(Control::Detach(by, reply))) => {
                    let outcome = self.leave(&by);
                    let left = outcome.as_ref().ok().cloned();
                    let _ = reply.send(outcome.map(|_| ()).map_err(|error| error.to_string()));
                    if let Some(reason) = left {
                        return reason;
                    }
                }
                Ok(Some(Control::Try(remedy, reply))) => {
                    let _ = reply.send(self.try_remedy(remedy));
                }
                Ok(Some(Control::Undo(name, reply))) => {
                    let _ = reply.send(self.undo_remedy(name));
                }
                // The hub is gone: nobody can see what is recorded, so it is not recorded.
                Ok(None) => {
                    return self
                        .leave("as gilscope ended")
                        .unwrap_or_else(|error| error.to_string());
                }
                Err(_) => {}
            }
        }
    }

    /// Waits for an order until the next poll is due; with a trace it makes room in the rings meanwhile.
    fn next_order(
        &mut self,
        orders: &mut mpsc::Receiver<Control>,
    ) -> Result<Option<Control>, Elapsed> {
        let due = Instant::now() + self.period;
        let step = if self.traces { ROOM_EVERY } else { self.period };
        loop {
            let rest = due.saturating_duration_since(Instant::now());
            // The timer must be made inside the runtime.
            let order = async { tokio::time::timeout(step.min(rest), orders.recv()).await };
            match self.runtime.block_on(order) {
                Err(_) if step < rest => self.watched.live.make_room(),
                outcome => return outcome,
            }
        }
    }

    /// One poll; a reason if the target has come to its end.
    fn turn(&mut self) -> Option<String> {
        if let Err(error) = self.watched.identity.verify() {
            return Some(match error {
                Error::Replaced(_) => "runs another program now (exec)".to_owned(),
                _ => end_of(self.watched.identity.pid()),
            });
        }
        let batch = match self.watched.live.poll() {
            Ok(batch) => batch,
            Err(_) => return Some(end_of(self.watched.identity.pid())),
        };
        let n_threads = batch.process.map_or(self.n_threads, |process| process.threads);
        self.look_for_gil(n_threads);
        self.mind_seccomp();
        self.look_for_frames();
        self.look_for_names();
        self.feed(batch);
        None
    }

    /// Goes in again while there is no GIL: a few times soon, then whenever threads come.
    fn look_for_gil(&mut self, n_threads: u32) {
        let more = std::mem::replace(&mut self.n_threads, n_threads) != n_threads;
        // A preloaded agent has seen the whole start: only a second thread can have made a GIL since.
        let tries = if self.watched.is_preloaded() { 0 } else { GIL_TRIES };
        let due = (more && n_threads > 1) || self.gil_tries < tries;
        if !has_no_gil_yet(&self.watched.live) || !due {
            return;
        }
        self.gil_tries += 1;
        if let Err(error) = self.watched.put_agent() {
            tracing::debug!(%error, "the GIL was looked for again");
        }
    }

    /// Finds the interpreter that frames are read of. One that is starting tells its version only after a while.
    fn look_for_frames(&mut self) {
        let wanted = self.watched.entry.plan.probes.frames && !self.watched.live.reads_frames();
        if !wanted || self.frames_tries == FRAMES_TRIES {
            return;
        }
        self.frames_tries += 1;
        match FramesReader::open(&self.watched.identity, self.watched.entry.clock) {
            Ok(reader) => self.watched.live.read_frames(reader),
            Err(why) if self.frames_tries == FRAMES_TRIES => self.note("frames", why),
            Err(_) => {}
        }
    }

    /// Without an agent nobody tells where the interpreter keeps its threads.
    fn look_for_names(&mut self) {
        if self.watched.entry.plan.probes.gil || self.names_tries == FRAMES_TRIES {
            return;
        }
        let found = self.watched.live.find_from_outside(&self.watched.identity);
        self.names_tries = if found { FRAMES_TRIES } else { self.names_tries + 1 };
    }

    /// A filter that came up after we went in might kill whoever calls process_vm_readv.
    fn mind_seccomp(&mut self) {
        let Ok(status) = self.watched.identity.status() else { return };
        let before = *self.seccomp.get_or_insert(status.seccomp);
        if status.seccomp != before {
            self.seccomp = Some(status.seccomp);
            self.watched
                .live
                .stop_blame("the process has set up a seccomp filter: holders are not looked at");
        }
    }

    fn try_remedy(&mut self, remedy: Remedy) -> Result<String, String> {
        self.watched.live.try_remedy(remedy)?;
        self.tell_change(remedy, true);
        Ok(remedy.setting())
    }

    fn undo_remedy(&mut self, name: &str) -> Result<String, String> {
        let remedy = self
            .watched
            .live
            .undo_remedy(name)
            .ok_or_else(|| format!("{name} is not being tried on this process"))?;
        self.tell_change(remedy, false);
        Ok(remedy.setting())
    }

    /// A change is a mark too, so that every picture shows it.
    fn tell_change(&self, remedy: Remedy, on: bool) {
        let at_ns = self.watched.live.now();
        let (name, setting) = (remedy.name().to_owned(), remedy.setting());
        let label = if on { format!("try {name}") } else { format!("undo {name}") };
        let _ = self.runtime.block_on(self.hub.mark(self.id, label, Some(at_ns)));
        let changes = vec![Change { at_ns, remedy: name, setting, on }];
        self.feed(Batch { at_ns, changes, ..Batch::default() });
    }

    fn feed(&self, batch: Batch) {
        // An error means that the hub is shutting down; the next turn sees that its orders are gone.
        let _ = self.runtime.block_on(self.hub.batch(self.id, batch));
    }

    /// Takes the agent out and tells the rest. The session is over only if that worked.
    fn leave(&mut self, by: &str) -> Result<String, Error> {
        if !self.watched.wait_for_boot_or_call_off() {
            // The agent has nothing in place yet and goes by itself once it gets the GIL.
            return Ok(self.part(by));
        }
        if let Some(agent) = self.watched.agent.take() {
            match inject::detach(&self.watched.identity, Options::default()) {
                Ok(_) | Err(Error::NotAttached(_)) => {}
                Err(Error::Exited(_) | Error::NoSuchProcess(_)) => {
                    return Ok(self.close(end_of(self.watched.identity.pid())));
                }
                Err(error) => {
                    self.watched.agent = Some(agent);
                    return Err(error);
                }
            }
            let reason = self.part(by);
            agent.reclaim();
            return Ok(reason);
        }
        Ok(self.part(by))
    }

    /// The process goes on without us. What it keeps for frames is read from outside: that may take a while
    /// and needs no agent, so it comes last.
    fn part(&mut self, by: &str) -> String {
        if let Some(batch) = self.watched.live.last_frames() {
            self.feed(batch);
        }
        self.close(format!("{} {by}", Ended::DETACHED))
    }

    fn end(mut self, reason: String) -> String {
        self.close(reason)
    }

    /// Reads what is left and ends the session.
    fn close(&mut self, reason: String) -> String {
        let last = self.watched.live.last(reason.clone());
        self.feed(last);
        reason
    }
}
