//! One process's folder under `/proc`, held open, so that a reused pid can never answer instead.
//!
//! Every read is bounded: the target may be hostile. Nothing here opens a path that the target chose.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::PathBuf;
use std::{os::fd::AsRawFd, os::unix::ffi::OsStringExt};

/// Longest text taken from one file, bytes: 65,530 mappings with long names fit.
const MAX_TEXT: u64 = 64 << 20;

/// `/proc/PID` or `/proc/PID/task/TID`.
#[derive(Debug)]
pub(crate) struct ProcDir {
    folder: File,
}

impl ProcDir {
    pub(crate) fn open(pid: u32) -> io::Result<Self> {
        Ok(Self { folder: File::open(format!("/proc/{pid}"))? })
    }

    /// A path through our own open descriptor: resolves inside the held folder, whoever has the pid now.
    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}/{name}", self.folder.as_raw_fd()))
    }

    pub(crate) fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(self.path(name))?.take(MAX_TEXT).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// As text; bytes that are not UTF-8 are replaced.
    pub(crate) fn text(&self, name: &str) -> io::Result<String> {
        Ok(String::from_utf8_lossy(&self.read(name)?).into_owned())
    }

    /// Where a link points, as bytes (names of files need not be UTF-8).
    pub(crate) fn link(&self, name: &str) -> io::Result<Vec<u8>> {
        Ok(fs::read_link(self.path(name))?.into_os_string().into_vec())
    }

    /// Facts about what a magic link (such as `exe`) leads to.
    pub(crate) fn metadata(&self, name: &str) -> io::Result<fs::Metadata> {
        fs::metadata(self.path(name))
    }

    pub(crate) fn open_file(&self, name: &str, write: bool) -> io::Result<File> {
        OpenOptions::new().read(true).write(write).open(self.path(name))
    }

    /// Names in a folder that are numbers (`task`, `fd`), at most `limit`, in the kernel's order.
    pub(crate) fn numbers(&self, name: &str, limit: usize) -> io::Result<Vec<u32>> {
        let numbers = fs::read_dir(self.path(name))?
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        Ok(numbers.take(limit).collect())
    }
}
