//! The dashboard's HTTP server: loopback, denied by default, everything embedded.
//!
//! [`Server::bind`] takes the port, or [`Server::local`] a socket; [`Server::run`] serves until told to stop. What a route answers is in
//! `view`; what it needs from outside (targets to attach to) comes as [`Actions`].

mod accept;
mod actions;
mod api;
mod auth;
mod detail;
mod error;
mod export;
mod guard;
mod pages;
mod query;
mod recordings;
mod routes;
pub mod runfile;
mod seats;
#[cfg(test)]
mod tests;
mod timeline;

pub use actions::{Actions, AttachableProcess};
pub use guard::MUTATION_HEADER;
#[cfg(any(test, feature = "fuzz"))]
pub use guard::nobody_is_let_in;
pub use recordings::{Folder, RecordingActions, RecordingFile};
pub use seats::Seat;

use crate::cost::Cost;
use crate::hub::HubHandle;
use accept::Listener;
use anyhow::{Context as _, Result, bail};
use auth::Auth;
use axum::Router;
use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;

/// The `Host` of whoever asks over a socket: our name, without a port.
pub const LOCAL_HOST: &str = "localhost:0";
const BODY_BYTES_MAX: usize = 64 * 1024;
/// For a whole answer, the reading of the request's body included.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// What every handler can reach.
#[derive(Clone)]
pub struct App {
    pub hub: HubHandle,
    pub(crate) auth: Arc<Auth>,
    pub(crate) actions: Arc<Actions>,
    pub(crate) port: u16,
    /// What this gilscope costs, for all pages.
    pub(crate) cost: Arc<Cost>,
    /// True once the server should stop; sockets watch it.
    pub(crate) stop: watch::Receiver<bool>,
}

/// A server that has its port but does not answer yet.
pub struct Server {
    listener: Listener,
    app: App,
    stop: watch::Sender<bool>,
}

/// Stops the server and makes log-in addresses while it runs.
#[derive(Clone)]
pub struct ServerHandle {
    auth: Arc<Auth>,
    stop: watch::Sender<bool>,
}

impl Server {
    /// Binds `listen`; port 0 takes a free one. Errors: not loopback, port taken, no random bytes.
    pub async fn bind(
        listen: SocketAddr,
        hub: HubHandle,
        actions: Actions,
    ) -> Result<(Self, SocketAddr)> {
        if !listen.ip().is_loopback() {
            bail!(
                "{listen} is not a loopback address, and what is shown must not leave the machine unencrypted; \
                 listen on 127.0.0.1 and forward the port with `ssh -L`"
            );
        }
        let listener = TcpListener::bind(listen).await.with_context(|| {
            format!("cannot listen on {listen}; choose another port, or port 0 for any free one")
        })?;
        let address = listener.local_addr().context("cannot read the port that was bound")?;
        Ok((Self::new(Listener::Tcp(listener), address.port(), hub, actions)?, address))
    }

    /// Takes a socket at `path`, in a folder that is closed to other users. Programs ask under [`LOCAL_HOST`].
    pub fn local(path: &Path, hub: HubHandle, actions: Actions) -> Result<Self> {
        let failed = || format!("cannot listen on {}", path.display());
        let listener = UnixListener::bind(path).with_context(failed)?;
        fs::set_permissions(path, Permissions::from_mode(0o600)).with_context(failed)?;
        Self::new(Listener::Local(listener), 0, hub, actions)
    }

    fn new(listener: Listener, port: u16, hub: HubHandle, actions: Actions) -> Result<Self> {
        let auth = Arc::new(Auth::new().context("the kernel gave no random bytes")?);
        let (stop, stopped) = watch::channel(false);
        let actions = Arc::new(actions);
        let app = App { hub, auth, actions, port, cost: Arc::default(), stop: stopped };
        Ok(Self { listener, app, stop })
    }

    /// For whoever stops the server.
    pub fn handle(&self) -> ServerHandle {
        ServerHandle { auth: self.app.auth.clone(), stop: self.stop.clone() }
    }

    /// Serves until [`ServerHandle::stop`]; answers under way are finished first.
    pub async fn run(self) {
        let stop = self.app.stop.clone();
        accept::run(self.listener, router(self.app), stop).await;
    }
}

impl ServerHandle {
    /// For a browser that comes to `address`, with a new one-use code that is good for 60 s.
    pub fn login_url(&self, address: SocketAddr) -> Result<String> {
        let code = self.auth.mint_code().context("the kernel gave no random bytes")?;
        Ok(format!("http://{address}{}?code={code}", guard::LOGIN_PATH))
    }

    /// The token for `Authorization: Bearer`.
    pub fn token(&self) -> &str {
        self.auth.token()
    }

    /// Asks the server and its sockets to end.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }
}

/// All routes behind the one guard. Errors of the limits within pass the guard too and get its headers.
fn router(app: App) -> Router {
    let routes = routes::ROUTES
        .iter()
        .fold(Router::new(), |router, route| router.route(route.path, (route.handler)()))
        .fallback(axum::routing::get(pages::asset));
    routes
        .layer(RequestBodyLimitLayer::new(BODY_BYTES_MAX))
        .layer(TimeoutLayer::with_status_code(
            axum::http::StatusCode::REQUEST_TIMEOUT,
            ANSWER_TIMEOUT,
        ))
        .layer(axum::middleware::from_fn_with_state(app.clone(), guard::guard))
        .with_state(app)
}
