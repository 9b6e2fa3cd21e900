//! Which process is meant, so surely that it can be written to: pid, pidfd, start time, executable.
//!
//! A pid alone names whoever has it now. All reads go through the held `/proc` folder and the pidfd,
//! which stay with the process they were opened on; an exec shows as another executable.

use crate::error::Error;
use crate::maps::Maps;
use crate::memory::Memory;
use crate::procdir::ProcDir;
use crate::status::Status;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

/// A process that was looked at once and is the same ever since.
#[derive(Debug)]
pub struct Identity {
    pid: u32,
    pidfd: OwnedFd,
    folder: ProcDir,
    start_ticks: u64,
    executable: (u64, u64),
}

impl Identity {
    /// Takes hold of process `pid`.
    ///
    /// # Errors
    /// No such process, a zombie, or one whose executable may not be looked at.
    pub fn of(pid: u32) -> Result<Self, Error> {
        let gone = |_| Error::NoSuchProcess(pid);
        let pidfd = pidfd_open(pid).map_err(gone)?;
        let folder = ProcDir::open(pid).map_err(gone)?;
        let stat = folder.text("stat").map_err(|_| Error::Exited(pid))?;
        let start_ticks = start_ticks(&stat).unwrap_or(0);
        if is_over(&pidfd)
            || folder.text("status").is_ok_and(|text| Status::parse(&text).state == 'Z')
        {
            return Err(Error::Exited(pid));
        }
        let executable = executable(&folder).map_err(|source| match source.kind() {
            io::ErrorKind::PermissionDenied => Error::Permission { pid, why: no_access(&folder) },
            io::ErrorKind::NotFound if is_kernel_thread(&stat) => {
                Error::Unsupported { pid, why: "it is a kernel thread".into() }
            }
            // Its memory is gone already: it is about to be a zombie.
            io::ErrorKind::NotFound => Error::Exited(pid),
            _ => Error::Io { what: "looking at the executable", source },
        })?;
        Ok(Self { pid, pidfd, folder, start_ticks, executable })
    }

    /// The pid, in our namespace.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The pid that the process itself sees (another one inside a container).
    pub fn inner_pid(&self) -> u32 {
        self.status().ok().and_then(|status| status.inner_pids.last().copied()).unwrap_or(self.pid)
    }

    /// Becomes readable when the process ends (pidfd_open(2)).
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// When it started, in clock ticks since boot.
    pub fn start_ticks(&self) -> u64 {
        self.start_ticks
    }

    /// Device and inode of the executable.
    pub fn executable(&self) -> (u64, u64) {
        self.executable
    }

    /// Whether the process has not ended.
    pub fn alive(&self) -> bool {
        !is_over(&self.pidfd)
    }

    /// Checks that it still is the process that was taken hold of.
    ///
    /// # Errors
    /// It ended, or runs another program.
    pub fn verify(&self) -> Result<(), Error> {
        if !self.alive() {
            return Err(Error::Exited(self.pid));
        }
        match executable(&self.folder) {
            Ok(seen) if seen == self.executable => Ok(()),
            Ok(_) => Err(Error::Replaced(self.pid)),
            Err(_) => Err(Error::Exited(self.pid)),
        }
    }

    /// Path of the executable as the kernel tells it.
    pub fn program(&self) -> String {
        let path = self.folder.link("exe").unwrap_or_default();
        let path = String::from_utf8_lossy(&path);
        path.strip_suffix(" (deleted)").unwrap_or(&path).to_owned()
    }

    /// Arguments; empty where they cannot be read.
    pub fn command_line(&self) -> Vec<String> {
        strings(&self.folder.read("cmdline").unwrap_or_default())
    }

    /// The environment at program start; empty where it cannot be read.
    pub fn environment(&self) -> Vec<String> {
        strings(&self.folder.read("environ").unwrap_or_default())
    }

    /// The kernel's facts about the process.
    ///
    /// # Errors
    /// It is gone.
    pub fn status(&self) -> Result<Status, Error> {
        let text = self.folder.text("status").map_err(|_| Error::Exited(self.pid))?;
        Ok(Status::parse(&text))
    }

    /// What is mapped.
    ///
    /// # Errors
    /// It is gone, or may not be looked at.
    pub fn maps(&self) -> Result<Maps, Error> {
        let text = self.folder.text("maps").map_err(|source| self.refused(source))?;
        Ok(Maps::parse(&text))
    }

    /// Thread ids, at most `limit`.
    pub fn threads(&self, limit: usize) -> Vec<u32> {
        self.folder.numbers("task", limit).unwrap_or_default()
    }

    pub(crate) fn folder(&self) -> &ProcDir {
        &self.folder
    }

    pub(crate) fn memory(&self, write: bool) -> Result<Memory, Error> {
        let file: File =
            self.folder.open_file("mem", write).map_err(|source| self.refused(source))?;
        Ok(Memory::new(file))
    }

    pub(crate) fn refused(&self, source: io::Error) -> Error {
        match source.raw_os_error() {
            Some(libc::EACCES | libc::EPERM) => {
                Error::Permission { pid: self.pid, why: no_access(&self.folder) }
            }
            Some(libc::ESRCH | libc::ENOENT) => Error::Exited(self.pid),
            _ => Error::Io { what: "reading the process", source },
        }
    }
}

/// Says which rule refuses, and the least powerful way out.
pub(crate) fn no_access(folder: &ProcDir) -> String {
    // SAFETY: geteuid has no preconditions.
    let own = unsafe { libc::geteuid() };
    let status = Status::parse(&folder.text("status").unwrap_or_default());
    let owner = status.uids[1];
    if own != 0 && owner != own {
        return format!(
            "it belongs to user {owner}: attach as that user, or start it with `gilscope run`"
        );
    }
    if ptrace_scope() >= 3 {
        return "kernel.yama.ptrace_scope is 3: start it with `gilscope run`".into();
    }
    if own != 0 && ptrace_scope() > 0 {
        return "kernel.yama.ptrace_scope forbids it: start it with `gilscope run`, or under \
                `setpriv --ptracer any`, or give gilscope CAP_SYS_PTRACE"
            .into();
    }
    if own == 0 {
        return "gilscope lacks CAP_SYS_PTRACE here: in a container add `--cap-add SYS_PTRACE`"
            .into();
    }
    "it is not dumpable (it changed user or has file capabilities): start it with `gilscope run`, \
     or give gilscope CAP_SYS_PTRACE"
        .into()
}

/// Yama's setting (Documentation/admin-guide/LSM/Yama.rst), 0 where there is no Yama.
pub(crate) fn ptrace_scope() -> u32 {
    std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope")
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(0)
}

fn executable(folder: &ProcDir) -> io::Result<(u64, u64)> {
    folder.metadata("exe").map(|facts| (facts.dev(), facts.ino()))
}

/// Field `number` of `stat` (proc_pid_stat(5)); the name in field 2 may hold spaces and brackets.
fn field(stat: &str, number: usize) -> Option<u64> {
    stat.get(stat.rfind(')')? + 2..)?.split(' ').nth(number - 3)?.parse().ok()
}

fn start_ticks(stat: &str) -> Option<u64> {
    field(stat, 22)
}

/// `PF_KTHREAD` (linux/sched.h) in the flags.
fn is_kernel_thread(stat: &str) -> bool {
    field(stat, 9).is_some_and(|flags| flags & 0x20_0000 != 0)
}

/// Splits zero-ended strings.
pub(crate) fn strings(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    text.split_terminator('\0').map(str::to_owned).collect()
}

fn pidfd_open(pid: u32) -> io::Result<OwnedFd> {
    let pid = i32::try_from(pid).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: plain system call with two integers (pidfd_open(2)).
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just given us this descriptor; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

fn is_over(pidfd: &OwnedFd) -> bool {
    let mut poll = libc::pollfd { fd: pidfd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one valid pollfd, no waiting.
    unsafe { libc::poll(&mut poll, 1, 0) == 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_time_stands_behind_any_name() {
        let stat = "7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4242 20";
        assert_eq!(start_ticks(stat), Some(4242));
        assert_eq!(start_ticks("7 (a"), None);
    }

    #[test]
    fn a_process_that_ended_is_noticed() {
        let mut child = std::process::Command::new("sleep").arg("100").spawn().unwrap();
        let identity = Identity::of(child.id()).unwrap();
        identity.verify().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(matches!(identity.verify(), Err(Error::Exited(_))));
        assert!(matches!(Identity::of(child.id()), Err(Error::NoSuchProcess(_))));
    }
}
