//! The WebSocket: a client says which page of which session it shows, the server pushes what changed.
//!
//! In: one JSON [`Request`] per view, the newest wins. Out: the page's parts (see `view::parts`), each
//! only when its bytes differ from those sent last, at most ten times a second, tables twice. What is
//! sent is made when the socket can take it, so a slow client gets fewer and newer messages, never a
//! queue of old ones. A client that takes nothing for 30 s is cut off.

use crate::http::{App, Seat};
use crate::hub::{HubError, SessionId};
use crate::view::{self, Page, Part, Wish};
use axum::Extension;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use serde::Deserialize;
use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// More than a person's clicking makes; a client that sends more is cut off.
const MESSAGES_PER_SECOND_MAX: u32 = 64;
/// A client that takes nothing for so long is gone or stuck.
const STUCK: Duration = Duration::from_secs(30);
const PUSH_INTERVAL: Duration = Duration::from_millis(100);
const TABLES_INTERVAL: Duration = Duration::from_millis(500);
/// A quiet socket is probed, so that one whose client vanished is noticed.
const PING_INTERVAL: Duration = Duration::from_secs(10);

/// What a client wants to see from now on.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub struct Request {
    pub session: SessionId,
    #[serde(flatten)]
    pub wish: Wish,
}

/// `GET /ws`.
pub async fn upgrade(
    State(app): State<App>,
    Extension(seat): Extension<Seat>,
    socket: WebSocketUpgrade,
) -> Response {
    let socket = socket.max_message_size(MESSAGE_BYTES_MAX).max_frame_size(MESSAGE_BYTES_MAX);
    socket.on_upgrade(move |socket| async move {
        serve(app, socket).await;
        drop(seat); // only now may another client connect
    })
}

async fn serve(app: App, socket: WebSocket) {
    let (sink, stream) = socket.split();
    let (wanted, wants) = watch::channel(None);
    let mut stop = app.stop.clone();
    let mut pusher = Pusher {
        app,
        sink,
        wants,
        tables_at: Instant::now(),
        tables_owed: false,
        sent: HashMap::new(),
        hasher: RandomState::new(),
    };
    tokio::select! {
        () = read(stream, wanted) => {}
        () = pusher.run() => {}
        () = stopped(&mut stop) => {
            let _ = timeout(Duration::from_secs(1), pusher.sink.close()).await; // politeness only
        }
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|&stop| stop).await; // without a server left it is time to stop, too
}

/// Takes requests in until the client goes or misbehaves.
async fn read(
    mut stream: SplitStream<WebSocket>,
    wanted: watch::Sender<Option<Result<Request, String>>>,
) {
    let (mut second, mut messages) = (Instant::now(), 0);
    while let Some(Ok(message)) = stream.next().await {
        if second.elapsed() >= Duration::from_secs(1) {
            (second, messages) = (Instant::now(), 0);
        }
        messages += 1;
        if messages > MESSAGES_PER_SECOND_MAX {
            return;
        }
        match message {
            Message::Text(text) => drop(wanted.send(Some(parse(&text)))),
            Message::Binary(_) | Message::Close(_) => return,
            Message::Ping(_) | Message::Pong(_) => {}
        }
    }
}

/// What a client asks for, or what is wrong with it.
pub fn parse(text: &str) -> Result<Request, String> {
    let request: Request = serde_json::from_str(text).map_err(|error| error.to_string())?;
    request.wish.view.checked()?;
    Ok(request)
}

struct Pusher {
    app: App,
    sink: SplitSink<WebSocket, Message>,
    wants: watch::Receiver<Option<Result<Request, String>>>,
    tables_at: Instant,
    /// Whether something changed since tables were sent.
    tables_owed: bool,
    /// Hash of what was sent last, by part.
    sent: HashMap<&'static str, u64>,
    hasher: RandomState,
}

impl Pusher {
    /// Pushes until the client cannot take it.
    async fn run(&mut self) {
        let mut revisions = self.app.hub.revisions();
        let mut pace = interval(PUSH_INTERVAL);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        revisions.mark_changed();
        // Seen here, it would not be seen to be new where it is answered.
        let mut asked = self.wants.clone();
        loop {
            let answered = tokio::select! {
                changed = asked.changed() => match changed {
                    Ok(()) => self.push().await,
                    Err(_) => return,
                },
                changed = revisions.changed() => match changed {
                    Ok(()) => self.push().await,
                    Err(_) => return,
                },
                () = sleep_until(self.tables_at + TABLES_INTERVAL), if self.tables_owed => self.push().await,
                () = tokio::time::sleep(PING_INTERVAL) => self.send(Message::Ping(Default::default())).await,
            };
            if answered.is_none() {
                return;
            }
            pace.tick().await;
        }
    }

    /// Sends what changed. `None` when the client is gone or stuck, or the hub stopped.
    async fn push(&mut self) -> Option<()> {
        let sessions = view::sessions(&self.app.hub).await.ok()?;
        let list = serde_json::json!({ "part": "sessions", "data": sessions }).to_string();
        self.send_changed("sessions", Part::Text(list)).await?;
        let (wanted, is_new) = {
            let wanted = self.wants.borrow_and_update();
            (wanted.clone(), wanted.has_changed())
        };
        if is_new {
            self.sent.clear();
        }
        let tables = is_new || self.tables_at.elapsed() >= TABLES_INTERVAL;
        if tables {
            self.tables_at = Instant::now();
        }
        self.tables_owed = !tables;
        match wanted {
            None => Some(()),
            Some(Err(error)) => self.complain(error).await,
            Some(Ok(request)) => self.push_page(request, tables).await,
        }
    }

    async fn push_page(&mut self, request: Request, tables: bool) -> Option<()> {
        let Request { session, wish } = request;
        let overview = wish.page == Page::Overview;
        let cost = if tables && overview { self.cost(session).await } else { None };
        let parts = self
            .app
            .hub
            .with(session, move |snapshot| view::parts(wish, session, snapshot, tables));
        match parts.await {
            Err(HubError::Stopped) => None,
            Err(error) => self.complain(error.to_string()).await,
            Ok(parts) => {
                for (name, part) in parts {
                    self.send_changed(name, part).await?;
                }
                match cost {
                    Some(cost) => self.send_changed("cost", cost).await,
                    None => Some(()),
                }
            }
        }
    }

    /// What gilscope costs; it is no figure of the session's, so it is not among the page's parts.
    async fn cost(&self, session: SessionId) -> Option<Part> {
        let living = self.app.hub.is_living(session).await.ok()?;
        let cost = self.app.cost.clone();
        let view = self.app.hub.with(session, move |snapshot| cost.view(snapshot, living)).await;
        let message = serde_json::json!({ "part": "cost", "session": session, "data": view.ok()? });
        Some(Part::Text(message.to_string()))
    }

    async fn complain(&mut self, error: String) -> Option<()> {
        let text = serde_json::json!({ "part": "error", "data": error }).to_string();
        self.send_changed("error", Part::Text(text)).await
    }

    async fn send_changed(&mut self, name: &'static str, part: Part) -> Option<()> {
        let hash = self.hasher.hash_one(&part);
        if self.sent.insert(name, hash) == Some(hash) {
            return Some(());
        }
        self.send(match part {
            Part::Text(text) => Message::text(text),
            Part::Binary(bytes) => Message::binary(bytes),
        })
        .await
    }

    async fn send(&mut self, message: Message) -> Option<()> {
        timeout(STUCK, self.sink.send(message)).await.ok()?.ok()
    }
}
