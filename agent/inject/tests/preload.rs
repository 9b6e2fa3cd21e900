//! Preload at program start: the agent gets in, and the program finds everything as without it.

mod common;

use common::skipped::skip;
use common::{SEGMENT_BYTES, agent, pythons, write_header};
use inject::{Segment, preload};
use std::ffi::OsStr;
use std::fs::File;
use std::mem::offset_of;
use std::os::unix::fs::FileExt;
use std::process::{Command, Output};
use std::time::{Duration, Instant};
use wire::segment::{Header, status};

const REPORT: &str = "import os,sys; sys.stdout.write(repr((sorted(os.listdir('/proc/self/fd')), \
                      os.environ.get('LD_PRELOAD'))))";

/// Runs the command with a preload; gives its output, status and target pid in the header, and its pid.
fn preloaded(command: &mut Command, before: Option<&OsStr>) -> (Output, u32, u32, u32) {
    let mut prepare = |file: &File, offset: u64| write_header(file, offset, 0);
    let segment =
        Segment { bytes: SEGMENT_BYTES, prefault_bytes: 64 * 1024, prepare: &mut prepare };
    let prepared = preload::prepare(agent(), segment, before).unwrap();
    prepared.apply(command);
    let child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let pid = child.id();
    let output = child.wait_with_output().unwrap();
    let read = |at: usize| {
        let mut bytes = [0; 4];
        prepared.file.read_exact_at(&mut bytes, prepared.offset + at as u64).unwrap();
        u32::from_le_bytes(bytes)
    };
    let started = Instant::now();
    while read(offset_of!(Header, status)) == 0 && started.elapsed() < Duration::from_secs(1) {
        std::thread::sleep(Duration::from_millis(1));
    }
    (output, read(offset_of!(Header, status)), read(offset_of!(Header, target_pid)), pid)
}

#[test]
fn every_interpreter_starts_with_the_agent_and_sees_nothing_of_it() {
    for python in pythons() {
        let plain = Command::new(&python).args(["-c", REPORT]).output().unwrap();
        let (output, seen, target, pid) =
            preloaded(Command::new(&python).args(["-c", REPORT]), None);
        assert_eq!(output, plain, "{python:?}");
        assert_eq!((seen, target), (status::RECORDING, pid), "{python:?}");
    }
}

#[test]
fn an_earlier_preload_is_put_back() {
    let Some(python) = pythons().into_iter().next_back() else {
        skip("no interpreter on this machine");
        return;
    };
    let libm = "libm.so.6";
    let plain =
        Command::new(&python).args(["-c", REPORT]).env("LD_PRELOAD", libm).output().unwrap();
    let (output, seen, ..) =
        preloaded(Command::new(&python).args(["-c", REPORT]), Some(OsStr::new(libm)));
    assert_eq!((output, seen), (plain, status::RECORDING));
}

#[test]
fn the_search_path_is_followed() {
    let path = std::env::var_os("PATH").unwrap_or_default();
    assert_eq!(preload::check(OsStr::new("cc"), &path), Ok(()));
    for python in pythons() {
        assert_eq!(preload::check(python.as_os_str(), &path), Ok(()), "{python:?}");
    }
}
