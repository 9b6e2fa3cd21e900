//! Load for the web server: so many requests in flight, each on a connection of its own that is kept.
//!
//! It runs in gilscope's process, never in the server's. Loopback only.

use anyhow::{Context as _, Result, bail};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const REQUEST: &[u8] = b"GET /bench HTTP/1.1\r\nHost: localhost\r\nUser-Agent: gilscope-bench\r\n\
    Accept: */*\r\nCookie: session=0123456789abcdef\r\n\r\n";
/// Longest answer that is taken for one.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Latencies of the requests that were answered after the warm-up, ns, ascending.
pub async fn run(
    port: u16,
    in_flight: usize,
    warm_up: Duration,
    lasts: Duration,
) -> Result<Vec<u64>> {
    let began = Instant::now();
    let one = move || async move {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.context("the web server")?;
        stream.set_nodelay(true)?;
        ask_until(stream, began + warm_up, began + warm_up + lasts).await
    };
    let tasks: Vec<_> = (0..in_flight).map(|_| tokio::spawn(one())).collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await.context("the load")??);
    }
    latencies.sort_unstable();
    Ok(latencies)
}

async fn ask_until(mut stream: TcpStream, from: Instant, until: Instant) -> Result<Vec<u64>> {
    let mut latencies = Vec::new();
    let mut buffer = Vec::with_capacity(4096);
    while Instant::now() < until {
        let asked = Instant::now();
        stream.write_all(REQUEST).await?;
        read_answer(&mut stream, &mut buffer).await?;
        if asked >= from {
            latencies.push(asked.elapsed().as_nanos() as u64);
        }
    }
    Ok(latencies)
}

async fn read_answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<()> {
    buffer.clear();
    let mut wanted = None;
    while wanted.is_none_or(|wanted| buffer.len() < wanted) {
        if stream.read_buf(buffer).await? == 0 || buffer.len() > ANSWER_BYTES_MAX {
            bail!("the web server's answer was cut short or too long");
        }
        wanted = wanted.or_else(|| length(buffer));
    }
    Ok(())
}

/// Bytes of the whole answer, once its head is there.
fn length(answer: &[u8]) -> Option<usize> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(answer.get(..end)?).ok()?;
    let line = head.lines().find_map(|line| line.strip_prefix("Content-Length: "))?;
    Some(end + line.trim().parse::<usize>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_an_answer_is_its_head_and_body() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
        assert_eq!(length(answer), Some(answer.len()));
        assert_eq!(length(&answer[..20]), None);
    }
}
