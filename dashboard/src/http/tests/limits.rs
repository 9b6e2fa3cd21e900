//! What a client cannot do: send without end, wait without end, ask for anything at all.

use super::client::read_answer;
use super::*;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

#[tokio::test]
async fn a_slow_head_is_cut_off() {
    let server = Running::start().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET /api/sessions HTTP/1.1\r\nHost: ").await.unwrap();
    let mut rest = Vec::new();
    let closed = timeout(Duration::from_secs(30), stream.read_to_end(&mut rest)).await;
    assert!(closed.is_ok(), "the connection was still open after 30 s");
}

#[tokio::test]
async fn large_heads_and_bodies_are_refused() {
    let server = Running::start().await;
    let head =
        server.request("GET", "/api/sessions").header("X-Large", &"x".repeat(20_000)).send().await;
    assert_eq!(head.status, 431);
    let body =
        server.request("POST", "/api/sessions/1/marks").json(&"x".repeat(70_000)).send().await;
    assert_eq!(body.status, 413);
}

#[tokio::test]
async fn the_65th_client_that_is_let_in_waits_until_another_goes() {
    let server = Running::start().await;
    let mut seated = Vec::new();
    for _ in 0..64 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let token = server.handle.token();
        let head = format!("Host: {}\r\nAuthorization: Bearer {token}", server.address);
        let text = format!("GET /api/sessions HTTP/1.1\r\n{head}\r\n\r\n");
        stream.write_all(text.as_bytes()).await.unwrap();
        assert_eq!(read_answer(&mut stream).await.status, 200);
        seated.push(stream);
    }
    let request = server.request("GET", "/api/sessions");
    let mut late = tokio::spawn(async move { request.send().await.status });
    assert!(
        timeout(Duration::from_millis(300), &mut late).await.is_err(),
        "a 65th client was served"
    );
    drop(seated);
    assert_eq!(late.await.unwrap(), 200);
}

/// Opens `n` connections that never say who they are: silent ones, and some with half a head.
async fn strangers(address: SocketAddr, n: usize) -> Vec<TcpStream> {
    let mut streams = Vec::new();
    for at in 0..n {
        let mut stream = TcpStream::connect(address).await.unwrap();
        if at % 3 == 0 {
            // Cut off at once, perhaps: that is the server's right.
            let _ = stream.write_all(b"GET /api/sessions HTTP/1.1\r\nHost: ").await;
        }
        streams.push(stream);
    }
    streams
}

#[tokio::test]
async fn who_says_nothing_keeps_nobody_out() {
    let server = Running::start().await;
    let flood = tokio::spawn(async move {
        let mut held = strangers(server.address, 200).await;
        for _ in 0..20 {
            held.extend(strangers(server.address, 5).await);
            tokio::task::yield_now().await;
        }
        held
    });
    for _ in 0..50 {
        let request = server.request("GET", "/api/sessions");
        let answer = timeout(Duration::from_secs(4), request.send()).await;
        assert_eq!(answer.expect("before slow heads are cut off by their time").status, 200);
    }
    drop(flood.await.unwrap());
}

#[tokio::test]
async fn stopping_ends_idle_connections_and_sockets() {
    let server = Running::start().await;
    let request = server.request("GET", "/ws").upgrade();
    assert_eq!(request.send().await.status, 101);
    server.handle.stop();
    let refused = async {
        while TcpStream::connect(server.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(30), refused).await.expect("it still listens");
}
