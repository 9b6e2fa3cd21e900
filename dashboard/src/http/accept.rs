//! The accept loop: hyper with a timer, so that no client can hold a connection by being slow.
//!
//! Limits of one server: 64 connections (sockets of the WebSocket included; see `seats` for whose they are),
//! 16 KiB of headers in 5 s, and a minute for each keep-alive connection, after which the browser opens another by itself.

use super::seats::{Seat, Seats};
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tokio::task::JoinSet;

const CONNECTIONS_MAX: usize = 64;
const HEADER_BYTES_MAX: usize = 16 * 1024;
const HEADERS_MAX: usize = 64;
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECTION_LIFETIME: Duration = Duration::from_secs(60);
/// How long an answer that is under way may still take once its connection should end.
const GRACE: Duration = Duration::from_secs(5);
/// After an accept error such as "too many open files": trying at once would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where clients come in.
pub enum Listener {
    /// Browsers and programs.
    Tcp(TcpListener),
    /// Other terminals of this user.
    Local(UnixListener),
}

/// A client's connection, whichever way it came.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

impl Listener {
    async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        match self {
            Self::Tcp(listener) => {
                let stream = listener.accept().await?.0;
                let _ = stream.set_nodelay(true); // only a matter of latency
                Ok(Box::new(stream))
            }
            Self::Local(listener) => Ok(Box::new(listener.accept().await?.0)),
        }
    }
}

/// Serves `router` until `stop` becomes true; then lets answers under way finish.
pub async fn run(listener: Listener, router: Router, mut stop: watch::Receiver<bool>) {
    let mut seats = Seats::new(CONNECTIONS_MAX);
    let mut connections = JoinSet::new();
    let mut newcomer = None;
    loop {
        let seat = tokio::select! {
            seat = seat_for_next(&mut newcomer, &listener, &mut seats) => seat,
            _ = stop.wait_for(|&stop| stop) => break,
            Some(_) = connections.join_next() => continue,
        };
        match seat {
            Ok((seat, stream)) => {
                let serving = serve(stream, seat.clone(), router.clone(), stop.clone());
                seats.seated(&seat, connections.spawn(serving));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// The next client and its seat. One client at most waits in `newcomer` for a seat, the others in the
/// kernel's backlog. Can be dropped and called again at any time.
async fn seat_for_next(
    newcomer: &mut Option<Box<dyn Stream>>,
    listener: &Listener,
    seats: &mut Seats,
) -> io::Result<(Seat, Box<dyn Stream>)> {
    if newcomer.is_none() {
        *newcomer = Some(listener.accept().await?);
    }
    let seat = seats.take().await;
    Ok((seat, newcomer.take().expect("it waits")))
}

async fn serve(
    stream: Box<dyn Stream>,
    seat: Seat,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    let service = TowerToHyperService::new(router.layer(axum::Extension(seat)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(HEADER_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let finished = tokio::select! {
        finished = connection.as_mut() => Some(finished),
        _ = stop.wait_for(|&stop| stop) => None,
        () = tokio::time::sleep(CONNECTION_LIFETIME) => None,
    };
    let finished = match finished {
        Some(finished) => finished,
        None => {
            connection.as_mut().graceful_shutdown();
            // A client that does not read its answer is cut off.
            tokio::time::timeout(GRACE, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = finished {
        tracing::debug!(%error, "connection ended");
    }
}
