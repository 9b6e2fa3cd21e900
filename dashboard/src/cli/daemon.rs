//! The hub, the server and the run file of one gilscope, put together for the verbs that watch or show.
//!
//! The port is taken before anything else happens, so that a port in use never costs a target an attach
//! or a user a recording. Without a dashboard other terminals reach it over a socket of this user's.

use super::recordings::Recordings;
use super::{Context, from_page};
use crate::client;
use crate::errors::{Exit, Failure};
use crate::http::runfile::{self, Door, RunFile, RunInfo};
use crate::http::{Actions, Server, ServerHandle};
use crate::hub::{self, HubError, HubHandle};
use anyhow::Context as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;

/// A hub, and the dashboard if it is wanted.
pub(crate) struct Daemon {
    pub(crate) hub: HubHandle,
    pub(crate) recordings: Recordings,
    served: Option<Served>,
}

struct Served {
    handle: ServerHandle,
    door: Door,
    task: JoinHandle<()>,
    file: RunFile,
    /// The page that takes the browser to the dashboard.
    page: Option<PathBuf>,
}

impl Served {
    fn start(server: Server, door: Door) -> anyhow::Result<Self> {
        let handle = server.handle();
        let info = RunInfo::of_this_process(door.clone(), handle.token(), Vec::new())?;
        let file = RunFile::write(&runfile::folder()?, &info)?;
        Ok(Self { handle, door, task: tokio::spawn(server.run()), file, page: None })
    }

    /// For the verbs of other terminals alone: no port, and nothing that a browser could reach.
    fn local(hub: HubHandle, actions: Actions) -> anyhow::Result<Self> {
        let socket = runfile::socket(&runfile::folder()?)?;
        Self::start(Server::local(&socket, hub, actions)?, Door::Socket(socket))
    }
}

impl Daemon {
    /// Starts the hub and, if the plan wants a dashboard, takes its port and serves. The page of targets
    /// shows the recordings of `folder`, and new ones go there.
    pub(crate) async fn start(context: &Context, folder: PathBuf) -> anyhow::Result<Self> {
        let hub = hub::spawn();
        let recordings = Recordings::new(folder, hub.clone(), context.talk);
        let actions = from_page::actions(&hub, &recordings, &context.plan);
        if !context.plan.dashboard {
            // What is recorded does not hang on whether other terminals can say something to it.
            let served = Served::local(hub.clone(), actions).inspect_err(|error| {
                tracing::warn!("`gilscope mark` will not find this gilscope: {error:#}")
            });
            return Ok(Self { hub, recordings, served: served.ok() });
        }
        let listen = context.plan.listen;
        let (server, address) = Server::bind(listen, hub.clone(), actions)
            .await
            .map_err(|error| port_taken(error, listen))?;
        let served = Some(Served::start(server, Door::Listen(address))?);
        Ok(Self { hub, recordings, served })
    }

    /// Tells other terminals which processes are watched.
    pub(crate) fn tell_targets(&self, targets: Vec<u32>) -> anyhow::Result<()> {
        let Some(served) = &self.served else { return Ok(()) };
        let (door, token) = (served.door.clone(), served.handle.token());
        served.file.update(&RunInfo::of_this_process(door, token, targets)?)
    }

    /// Says where the dashboard is, and opens it if that is wanted.
    pub(crate) fn announce(&mut self, context: &Context) -> anyhow::Result<()> {
        let Some(served) = &mut self.served else { return Ok(()) };
        let Door::Listen(address) = served.door else { return Ok(()) };
        context.talk.say(format!("dashboard: {}", served.handle.login_url(address)?));
        if context.plan.open {
            let page = write_page(&served.handle.login_url(address)?)?;
            let opened = Command::new("xdg-open")
                .arg(&page)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn();
            served.page = Some(page);
            if let Err(error) = opened {
                context.talk.say(format!(
                    "the browser was not opened: xdg-open: {error}; follow the address above"
                ));
            }
        }
        Ok(())
    }

    /// Leaves what was attached from a page, and ends the server; answers under way are finished.
    pub(crate) async fn stop(self) {
        for id in self.hub.sessions().await.unwrap_or_default() {
            match self.hub.detach(id, "as gilscope ended").await {
                Ok(()) | Err(HubError::Ended | HubError::NoTarget) => {}
                Err(error) => tracing::error!(session = id.0, %error, "the target was not left"),
            }
        }
        self.recordings.finish().await;
        let Some(served) = self.served else { return };
        served.handle.stop();
        let _ = served.task.await; // a panic of the server was told when it happened
        if let Some(page) = served.page {
            let _ = fs::remove_file(page); // it is of no use to anyone by now
        }
    }
}

fn port_taken(error: anyhow::Error, listen: SocketAddr) -> anyhow::Error {
    let taken = error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::AddrInUse);
    if !taken {
        return error;
    }
    let other =
        client::daemons().unwrap_or_default().into_iter().find(|daemon| daemon.listens_on(listen));
    let failure = match &other {
        Some(daemon) => {
            Failure::new(Exit::Failure, format!("{listen} is taken by gilscope {}", daemon.pid()))
                .remedy(format!(
                    "use --listen {}:0 for a free port, or stop process {}",
                    listen.ip(),
                    daemon.pid()
                ))
        }
        None => Failure::new(Exit::Failure, format!("{listen} is taken by another program"))
            .remedy(format!("use --listen {}:0 for a free port", listen.ip())),
    };
    failure.into()
}

/// A page that only this user can read and that leads to `url`: arguments of a process can be read by
/// everybody, and the address holds a key.
fn write_page(url: &str) -> anyhow::Result<PathBuf> {
    let path = runfile::folder()?.join(format!("{}.html", std::process::id()));
    let _ = fs::remove_file(&path); // left by an earlier process of this pid
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    write!(
        file,
        "<!doctype html><title>gilscope</title><meta http-equiv=refresh content=\"0;url={url}\">"
    )?;
    Ok(path)
}

/// Ctrl-C, and what a supervisor sends to end a program.
pub(crate) struct EndSignals([Signal; 3]);

impl EndSignals {
    /// From here on these signals end nothing by themselves.
    pub(crate) fn catch() -> io::Result<Self> {
        Ok(Self([
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        ]))
    }

    /// Returns when one has come, with what it was: "by Ctrl-C".
    pub(crate) async fn wait(&mut self) -> &'static str {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => "by Ctrl-C",
            _ = terminate.recv() => "by SIGTERM to gilscope",
            _ = hangup.recv() => "by SIGHUP to gilscope",
        }
    }
}
