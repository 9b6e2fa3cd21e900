//! Attach and detach over real interpreters and hosts of many shapes: the host must not notice.
//!
//! `INJECT_CYCLES=100` runs that many cycles on each host; the default is small so that the suite ends
//! soon. `INJECT_HOSTS=cpu,storm` and `INJECT_PYTHONS=2.7,3.12` narrow it.

mod common;

use common::skipped::skip;
use common::{Host, agent, footprint, pythons, try_attach, wait_status};
use inject::{Error, Options, detach};
use std::time::Duration;
use wire::segment::status;

const HOSTS: [&str; 10] =
    ["select", "epoll", "poll", "sleep", "recv", "lock", "cpu", "storm", "pipe", "malloc"];

fn chosen(variable: &str, name: &str) -> bool {
    std::env::var(variable).map_or(true, |list| list.split(',').any(|part| name.contains(part)))
}

#[test]
fn cycles_leave_no_trace() {
    let cycles: usize =
        std::env::var("INJECT_CYCLES").ok().and_then(|text| text.parse().ok()).unwrap_or(2);
    agent();
    let pythons = pythons();
    if pythons.is_empty() {
        skip("no interpreter on this machine");
    }
    for python in pythons.iter().filter(|path| chosen("INJECT_PYTHONS", &path.to_string_lossy())) {
        for shape in HOSTS.iter().filter(|shape| chosen("INJECT_HOSTS", shape)) {
            let host = Host::python(python, shape);
            let mut stops = cycle(&host, cycles);
            let (last, code) = host.finish();
            assert!(
                last.starts_with("ok ") && code == Some(0),
                "{python:?} {shape}: {last:?} {code:?}"
            );
            stops.sort();
            let at = |share: usize| stops[(stops.len() - 1) * share / 100].as_micros();
            println!(
                "{} {shape}: {} stops, p50 {} us, p95 {} us, max {} us",
                python.display(),
                stops.len(),
                at(50),
                at(95),
                at(100)
            );
        }
    }
}

/// Runs the cycles; gives how long threads stood still.
fn cycle(host: &Host, cycles: usize) -> Vec<Duration> {
    let target = host.identity();
    let mut stops = Vec::new();
    let mut after_first = None;
    let before = footprint(&target);
    for round in 0..cycles {
        let attached = try_attach(&target, Options::default())
            .unwrap_or_else(|error| panic!("attach {round} of {}: {error}", host.pid()));
        assert_eq!(attached.reused, round > 0, "one image for ever");
        wait_status(&attached, status::RECORDING);
        stops.extend(attached.stops.iter().map(|stop| stop.to_stop + stop.stopped));
        let again = try_attach(&target, Options::default());
        assert!(matches!(again, Err(Error::AlreadyAttached { alive: true, .. })), "{again:?}");
        let left = detach(&target, Options::default())
            .unwrap_or_else(|error| panic!("detach {round} of {}: {error}", host.pid()));
        stops.push(left.to_stop + left.stopped);
        wait_status(&attached, status::DETACHED);
        attached.reclaim();
        let now = settled(host, before.threads);
        assert_eq!((&now.fds, now.threads), (&before.fds, before.threads));
        assert_eq!(*after_first.get_or_insert_with(|| now.images.clone()), now.images);
    }
    stops
}

/// The footprint once the agent's own thread has ended.
fn settled(host: &Host, threads: usize) -> common::Footprint {
    let target = host.identity();
    for _ in 0..500 {
        let now = footprint(&target);
        if now.threads <= threads {
            return now;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    footprint(&target)
}
