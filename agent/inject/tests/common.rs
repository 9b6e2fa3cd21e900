//! What the tests over real processes share: the stand-in agent, hosts, and a segment.

#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(unreachable_pub, missing_docs, reason = "a module of several test binaries")]

#[path = "../../../tests/skipped.rs"]
pub mod skipped;

use inject::{Attached, Error, Identity, Options, Segment, attach};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::mem::offset_of;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use wire::segment::{ABI_VERSION, Header, MAGIC, status};

pub const SEGMENT_BYTES: u64 = 1 << 20;

/// The stand-in agent, compiled once in each test process.
pub fn agent() -> &'static [u8] {
    static AGENT: OnceLock<Vec<u8>> = OnceLock::new();
    AGENT.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let library = folder.join(format!("agent-{}.so", std::process::id()));
        let done = Command::new("cc")
            .args(["-shared", "-fPIC", "-O2", "-nostartfiles", "-Wl,-z,nodelete"])
            .arg(format!("-DABI_VERSION={ABI_VERSION}"))
            .arg(format!("-DSTATUS_AT={}", offset_of!(Header, status)))
            .arg(format!("-DSTATUS_RECORDING={}", status::RECORDING))
            .arg(format!("-DSTATUS_DETACHED={}", status::DETACHED))
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/agent.c"))
            .arg("-o")
            .arg(&library)
            .status();
        assert!(done.expect("a C compiler is needed: install gcc").success());
        let bytes = fs::read(&library).unwrap();
        fs::remove_file(&library).unwrap();
        bytes
    })
}

pub fn write_header(file: &File, offset: u64, target: u32) -> io::Result<()> {
    let put = |at: usize, value: &[u8]| file.write_all_at(value, offset + at as u64);
    put(offset_of!(Header, abi_version), &ABI_VERSION.to_le_bytes())?;
    put(offset_of!(Header, segment_bytes), &SEGMENT_BYTES.to_le_bytes())?;
    put(offset_of!(Header, daemon_pid), &std::process::id().to_le_bytes())?;
    put(offset_of!(Header, target_pid), &target.to_le_bytes())?;
    put(offset_of!(Header, magic), &MAGIC.to_le_bytes())
}

pub fn try_attach(target: &Identity, options: Options) -> Result<Attached, Error> {
    let inner = target.inner_pid();
    let mut prepare = |file: &File, offset: u64| write_header(file, offset, inner);
    let segment =
        Segment { bytes: SEGMENT_BYTES, prefault_bytes: 64 * 1024, prepare: &mut prepare };
    attach(target, agent(), segment, options)
}

/// Waits until the agent in the target says `wanted`.
pub fn wait_status(attached: &Attached, wanted: u32) {
    let started = Instant::now();
    loop {
        let mut bytes = [0; 4];
        let at = attached.offset + offset_of!(Header, status) as u64;
        attached.file.read_exact_at(&mut bytes, at).unwrap();
        if u32::from_le_bytes(bytes) == wanted {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(10), "status {bytes:?}, wanted {wanted}");
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// A running host, ended when dropped.
pub struct Host {
    pub child: Child,
    out: BufReader<ChildStdout>,
}

impl Host {
    /// Starts a host and waits until it says "ready".
    pub fn start(command: &mut Command) -> Self {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the host starts");
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        assert_eq!(line.trim(), "ready", "the host did not start");
        Self { child, out }
    }

    pub fn python(python: &Path, host: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/hosts.py");
        Self::start(Command::new(python).arg(script).arg(host))
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn identity(&self) -> Identity {
        Identity::of(self.pid()).unwrap()
    }

    /// Asks the host to end by closing its input; gives what it printed last and whether it ended well.
    pub fn finish(mut self) -> (String, Option<i32>) {
        drop(self.child.stdin.take());
        let mut last = String::new();
        for line in (&mut self.out).lines() {
            last = line.unwrap();
        }
        (last, self.child.wait().unwrap().code())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Interpreters of this machine: the newest of each series under pyenv, and the system's own.
pub fn pythons() -> Vec<PathBuf> {
    let home = std::env::var("HOME").unwrap_or_default();
    let mut found: Vec<PathBuf> = fs::read_dir(Path::new(&home).join(".pyenv/versions"))
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin/python")))
        .filter(|python| python.exists())
        .collect();
    found.sort();
    found.extend(Some(PathBuf::from("/usr/bin/python3.11")).filter(|python| python.exists()));
    found
}

/// What must be the same after any number of cycles.
#[derive(Debug, PartialEq, Eq)]
pub struct Footprint {
    pub fds: Vec<String>,
    pub threads: usize,
    pub images: Vec<String>,
}

pub fn footprint(target: &Identity) -> Footprint {
    let folder = format!("/proc/{}/fd", target.pid());
    let link = |entry: io::Result<fs::DirEntry>| {
        let path = entry.ok()?.path();
        Some(format!("{path:?} {:?}", fs::read_link(&path).ok()?))
    };
    let mut fds: Vec<_> = fs::read_dir(folder).unwrap().filter_map(link).collect();
    fds.sort();
    let maps = target.maps().unwrap();
    let images = maps.iter().filter(|mapping| mapping.name.contains("gilscope")).map(|mapping| {
        format!("{:x} {} {} {}", mapping.range.start, mapping.name, mapping.execute, mapping.shared)
    });
    Footprint { fds, threads: target.threads(usize::MAX).len(), images: images.collect() }
}
