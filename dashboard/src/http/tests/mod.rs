//! The server as strangers and friends meet it: over real sockets.

mod access;
mod client;
mod detail;
mod limits;
mod matrix;
mod routes;
mod socket;

use super::{Actions, Server, ServerHandle};
use crate::batch::{
    Batch, CodeFact, Mark, ProcessSample, Target, ThreadCpu, ThreadFact, ThreadKey, ThreadKind,
};
use crate::hub::{self, HubHandle, NewSession, SessionId};
use client::Request;
use std::net::SocketAddr;

/// A server with one session in it that runs until the test ends.
struct Running {
    address: SocketAddr,
    handle: ServerHandle,
    hub: HubHandle,
    session: SessionId,
}

impl Running {
    async fn start() -> Self {
        let hub = hub::spawn();
        let new = NewSession {
            target: Target { pid: 42, ..Target::default() },
            controls: None,
            recorder: None,
        };
        let session = hub.add_session(new).await.unwrap();
        for batch in some_batches() {
            hub.batch(session, batch).await.unwrap();
        }
        let listen = "127.0.0.1:0".parse().unwrap();
        let (server, address) = Server::bind(listen, hub.clone(), Actions::none()).await.unwrap();
        let handle = server.handle();
        tokio::spawn(server.run());
        Self { address, handle, hub, session }
    }

    /// A request as a program with the token makes it.
    fn request(&self, method: &str, path: &str) -> Request {
        Request::new(self.address, method, path)
            .header("Host", &self.address.to_string())
            .header("Authorization", &format!("Bearer {}", self.handle.token()))
            .header("X-Gilscope", "1")
    }

    /// The cookie that a browser has after it followed the printed address.
    async fn cookie(&self) -> String {
        let url = self.handle.login_url(self.address).unwrap();
        let path = &url[url.find("/login").unwrap()..];
        let answer = Request::new(self.address, "GET", path)
            .header("Host", &self.address.to_string())
            .send()
            .await;
        assert_eq!(answer.status, 200);
        answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
    }
}

/// Two seconds of one thread that uses half a core.
fn some_batches() -> impl Iterator<Item = Batch> {
    let main = ThreadFact {
        key: ThreadKey(1),
        thread_id: 42,
        name: "MainThread".into(),
        is_main: true,
        kind: ThreadKind::Python,
        alive: true,
        first_seen_ns: 0,
        ended_ns: None,
    };
    let code = CodeFact { code: 1, function: "work".into(), file: "app.py".into(), first_line: 3 };
    (0..21u64).map(move |tick| {
        let at_ns = tick * 100_000_000;
        let process = ProcessSample {
            at_ns,
            cpu_ns: at_ns / 2,
            threads: 1,
            rss_bytes: 1 << 20,
            ..Default::default()
        };
        let cpu = ThreadCpu { key: ThreadKey(1), cpu_ns: at_ns / 2, ..Default::default() };
        let first = tick == 0;
        Batch {
            at_ns,
            threads: Vec::from_iter(first.then(|| main.clone())),
            codes: Vec::from_iter(first.then(|| code.clone())),
            marks: Vec::from_iter(first.then(|| Mark { id: 1, name: "start".into(), at_ns: 0 })),
            cpu: vec![cpu],
            process: Some(process),
            ..Batch::default()
        }
    })
}
