//! How long a well-behaved client waits while others misuse the server: a flood of connections that never
//! say who they are, heads that come byte by byte or never end, answers that nobody reads.

use crate::harness::daemon::Daemon;
use crate::harness::process::Process;
use crate::harness::session::gilscope;
use crate::harness::{scratch, sized};
use crate::opening::generate;
use crate::paired::{Estimate, percentile};
use crate::results::{AtMost, Row, publish};
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

const LOAD: &str = "a recording of 64 threads served";
/// What the good client asks for, in turn.
const ROUTES: [&str; 3] = ["/gil", "/threads", "/histograms"];
/// Connections that a stranger keeps open at a time, and how many of such strangers there are.
const HELD: usize = 150;
const STRANGERS: usize = 4;

#[test]
fn abuse() {
    let folder = scratch();
    let file = folder.path().join("r.gilscope");
    generate(&file, 32, 64);
    let mut command = gilscope();
    command.arg("serve").arg(&file).args(["--listen", "127.0.0.1:0"]);
    let process = Process::start(command.env("XDG_RUNTIME_DIR", folder.path()));
    process.stderr_line(|line| line.contains("dashboard: http"));
    let daemon = Daemon::of(folder.path());
    let n = sized(200, 2000);
    let alone = ask(&daemon, n);
    let among = beside_strangers(&daemon, || ask(&daemon, n));
    process.signal(2);
    process.finish();
    let p99 = |times: &[f64]| Estimate::once(percentile(times, 0.99));
    publish(
        "7 abuse",
        "A good client's requests among bad clients",
        vec![
            Row::new(LOAD, "alone", "ms a request", Estimate::of(&alone)),
            Row::new(LOAD, "alone, 99th percentile", "ms", p99(&alone)),
            Row::new(LOAD, "among bad clients", "ms a request", Estimate::of(&among)),
            Row::new(LOAD, "among bad clients, 99th percentile", "ms", p99(&among))
                .aim(AtMost::Figure(200.0)),
        ],
    );
}

/// Times of `n` requests, each over a connection of its own, ms.
fn ask(daemon: &Daemon, n: usize) -> Vec<f64> {
    let ask = |route: &&str| {
        let begin = Instant::now();
        let (status, _) = daemon.get(&format!("/api/sessions/1{route}"));
        assert_eq!(status, 200, "{route}");
        begin.elapsed().as_secs_f64() * 1e3
    };
    ROUTES.iter().cycle().take(n).map(ask).collect()
}

fn beside_strangers<T>(daemon: &Daemon, act: impl FnOnce() -> T) -> T {
    let over = AtomicBool::new(false);
    scope(|scope| {
        for number in 0..STRANGERS {
            let over = &over;
            scope.spawn(move || misuse(daemon.listen(), number, over));
        }
        let result = act();
        over.store(true, Ordering::Relaxed);
        result
    })
}

/// Opens a connection each millisecond and misuses it; what it has opened stays open for a while. A failure
/// to connect or write is the server's good right.
fn misuse(listen: &str, number: usize, over: &AtomicBool) {
    let mut held: Vec<TcpStream> = Vec::new();
    while !over.load(Ordering::Relaxed) {
        if let Ok(mut stream) = TcpStream::connect(listen) {
            let _ = match number {
                0 => Ok(()),
                1 => stream.write_all(b"GET / HTTP/1.1\r\nHost: "),
                2 => stream.write_all(&[b'x'; 40_000]),
                _ => write!(stream, "GET /assets/ HTTP/1.1\r\nHost: {listen}\r\n\r\n").map(drop),
            };
            held.push(stream);
        }
        if held.len() > HELD {
            held.remove(0);
        }
        // Byte by byte.
        let _ = held.first_mut().map(|stream| stream.write_all(b"x"));
        sleep(Duration::from_millis(1));
    }
}
