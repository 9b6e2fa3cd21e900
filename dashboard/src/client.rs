//! Asks a gilscope that runs in another terminal of this user, over its HTTP interface: its dashboard's, or
//! without a dashboard that of its socket.
//!
//! Where it listens and its token come from its run file. Answers are JSON; an error's one line is
//! passed on as it is.

use crate::errors::{Exit, Failure};
use crate::http::LOCAL_HOST;
use crate::http::runfile::{self, Door, RunInfo};
use anyhow::{Context as _, Result};
use axum::body::Body;
use axum::http::{Method, Request, header};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// More than any list of sessions takes.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// A running gilscope.
pub(crate) struct Daemon {
    info: RunInfo,
}

/// One of its sessions, as far as other terminals care.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Session {
    pub(crate) id: u32,
    pub(crate) target: SessionTarget,
    pub(crate) ended: Option<Value>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SessionTarget {
    pub(crate) pid: u32,
    pub(crate) cmdline: Vec<String>,
}

/// A mark as the daemon placed it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Placed {
    pub(crate) name: String,
    pub(crate) at_ns: u64,
}

/// All that run now.
pub(crate) fn daemons() -> Result<Vec<Daemon>> {
    let folder = runfile::folder()?;
    Ok(runfile::running(&folder)?.into_iter().map(|info| Daemon { info }).collect())
}

/// The one of `daemons` that watches process `pid`, and its session of it.
pub(crate) async fn watcher_of(
    pid: u32,
    daemons: Vec<Daemon>,
) -> Result<Option<(Daemon, Session)>> {
    for daemon in daemons {
        let sessions = daemon.live_sessions().await?;
        if let Some(session) = sessions.into_iter().find(|session| session.target.pid == pid) {
            return Ok(Some((daemon, session)));
        }
    }
    Ok(None)
}

impl Daemon {
    /// Its pid.
    pub(crate) fn pid(&self) -> u32 {
        self.info.pid
    }

    /// Whether it is the one that listens there.
    pub(crate) fn listens_on(&self, address: std::net::SocketAddr) -> bool {
        self.info.door == Door::Listen(address)
    }

    /// Sessions that have not ended; none of a gilscope that is about to end.
    pub(crate) async fn live_sessions(&self) -> Result<Vec<Session>> {
        let answer = match self.ask(Method::GET, "/api/sessions", None).await {
            Err(_) if !runfile::is_running(&self.info) => return Ok(vec![]),
            answer => answer?,
        };
        let mut sessions: Vec<Session> = serde_json::from_value(answer).context("odd answer")?;
        sessions.retain(|session| session.ended.is_none());
        Ok(sessions)
    }

    /// Places a mark now.
    pub(crate) async fn mark(&self, session: u32, name: &str) -> Result<Placed> {
        let path = format!("/api/sessions/{session}/marks");
        let answer = self.ask(Method::POST, &path, Some(json!({ "name": name }))).await?;
        serde_json::from_value(answer).context("odd answer")
    }

    /// Puts a remedy on a session's target; returns its setting in words.
    pub(crate) async fn try_remedy(&self, session: u32, remedy: &str) -> Result<String> {
        let path = format!("/api/sessions/{session}/tries");
        let told = self.ask(Method::POST, &path, Some(json!({ "remedy": remedy }))).await?;
        Ok(told["setting"].as_str().unwrap_or_default().to_owned())
    }

    /// Takes a remedy back.
    pub(crate) async fn undo_remedy(&self, session: u32, name: &str) -> Result<()> {
        self.ask(Method::DELETE, &format!("/api/sessions/{session}/tries/{name}"), None).await?;
        Ok(())
    }

    /// Leaves a session's target.
    pub(crate) async fn detach(&self, session: u32) -> Result<()> {
        self.ask(Method::POST, &format!("/api/sessions/{session}/detach"), None).await?;
        Ok(())
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value> {
        let asked = self.try_ask(method, path, body).await;
        asked.with_context(|| format!("gilscope {} at {}", self.info.pid, self.info.door))
    }

    async fn try_ask(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value> {
        match &self.info.door {
            Door::Listen(address) => {
                let stream = TcpStream::connect(address).await?;
                self.ask_over(stream, &address.to_string(), method, path, body).await
            }
            Door::Socket(socket) => {
                let stream = UnixStream::connect(socket).await?;
                self.ask_over(stream, LOCAL_HOST, method, path, body).await
            }
        }
    }

    async fn ask_over(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        host: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value> {
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, host)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.info.token))
            .header(crate::http::MUTATION_HEADER, "1");
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let answer = sender.send_request(request.body(body)?).await?;
        let status = answer.status();
        let bytes = axum::body::to_bytes(Body::new(answer.into_body()), ANSWER_BYTES_MAX).await?;
        connection.abort();
        if status.is_success() {
            return Ok(if bytes.is_empty() {
                Value::Null
            } else {
                serde_json::from_slice(&bytes)?
            });
        }
        let told = serde_json::from_slice::<Value>(&bytes).ok();
        let line =
            told.as_ref().and_then(|value| value["error"].as_str()).unwrap_or(status.as_str());
        Err(Failure::new(Exit::Failure, line).into())
    }
}
