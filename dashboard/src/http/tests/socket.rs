//! The WebSocket by a real client.

use super::*;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest as _};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn connect(server: &Running) -> Socket {
    let mut request = format!("ws://{}/ws", server.address).into_client_request().unwrap();
    let bearer = format!("Bearer {}", server.handle.token()).parse().unwrap();
    request.headers_mut().insert("authorization", bearer);
    connect_async(request).await.unwrap().0
}

async fn ask(socket: &mut Socket, request: Value) {
    socket.send(Message::text(request.to_string())).await.unwrap();
}

/// The next message of a part, others passed over: its JSON, or a frame's header and columns.
async fn next(socket: &mut Socket, part: &str) -> (Value, Vec<f32>) {
    loop {
        let (header, columns) = match socket.next().await.unwrap().unwrap() {
            Message::Text(text) => (serde_json::from_str(&text).unwrap(), Vec::new()),
            Message::Binary(bytes) => split(&bytes),
            _ => continue,
        };
        let header: Value = header;
        if header["part"] == part {
            return (header, columns);
        }
    }
}

fn split(bytes: &[u8]) -> (Value, Vec<f32>) {
    let length = u32::from_le_bytes(bytes[..4].try_into().unwrap()) as usize;
    let values = bytes[4 + length..]
        .chunks_exact(4)
        .map(|four| f32::from_le_bytes(four.try_into().unwrap()));
    (serde_json::from_slice(&bytes[4..4 + length]).unwrap(), values.collect())
}

#[tokio::test]
async fn a_page_is_pushed_and_then_only_what_changed() {
    let server = Running::start().await;
    let mut socket = connect(&server).await;
    ask(&mut socket, json!({ "session": 1, "page": "cpu", "px": 100 })).await;
    let (cpu, columns) = next(&mut socket, "cpu").await;
    assert_eq!(cpu["columns"], json!(["total", "0"]));
    assert_eq!(
        cpu["bands"][0],
        json!({ "of": { "main": 1 }, "name": "MainThread", "cpu_ns": 1_000_000_000 })
    );
    assert_eq!(columns.len(), 2 * cpu["count"].as_u64().unwrap() as usize);
    assert!(columns.iter().all(|cores| (cores - 0.5).abs() < 1e-6), "{columns:?}");
    server.hub.mark(server.session, "now".into(), None).await.unwrap();
    let (session, _) = next(&mut socket, "session").await;
    assert_eq!(session["data"]["marks"].as_array().unwrap().len(), 2);
    let process =
        ProcessSample { at_ns: 2_100_000_000, cpu_ns: 1_100_000_000, ..Default::default() };
    let batch = Batch { at_ns: process.at_ns, process: Some(process), ..Default::default() };
    server.hub.batch(server.session, batch).await.unwrap();
    let (cpu, _) = next(&mut socket, "cpu").await;
    assert_eq!(cpu["range"]["end_ns"], 2_100_000_000u64);
}

#[tokio::test]
async fn a_question_is_answered_in_whole_though_something_changes_at_that_moment() {
    let server = Running::start().await;
    let mut socket = connect(&server).await;
    for turn in 0..40 {
        let (hub, session) = (server.hub.clone(), server.session);
        let mark = tokio::spawn(async move { hub.mark(session, "now".into(), Some(turn)).await });
        ask(&mut socket, json!({ "session": 1, "page": "cpu", "px": 100 + turn })).await;
        let table = timeout(Duration::from_secs(5), next(&mut socket, "threads")).await;
        assert!(table.is_ok(), "turn {turn}: no table for a page that was asked for");
        mark.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_wrong_question_is_answered_with_what_is_wrong() {
    let server = Running::start().await;
    let mut socket = connect(&server).await;
    let questions = [
        (json!({ "session": 9, "page": "cpu" }), "no session 9"),
        (json!({ "session": 1, "page": "cpu", "px": 99999 }), "px"),
        (json!({ "session": 1, "page": "moon" }), "moon"),
        (json!("nonsense"), "invalid"),
    ];
    for (question, expected) in questions {
        ask(&mut socket, question).await;
        let (error, _) = next(&mut socket, "error").await;
        assert!(error["data"].as_str().unwrap().contains(expected), "{error}");
    }
}

#[tokio::test]
async fn a_flood_and_a_giant_message_close_the_socket() {
    let server = Running::start().await;
    let mut giant = connect(&server).await;
    ask(&mut giant, json!("x".repeat(100_000))).await;
    while let Some(Ok(_)) = giant.next().await {}
    let mut flood = connect(&server).await;
    for _ in 0..200 {
        if flood.send(Message::Ping(Default::default())).await.is_err() {
            break;
        }
    }
    while let Some(Ok(_)) = flood.next().await {}
}
