//! Getting in at program start: the agent in a memfd of our own, named by LD_PRELOAD.
//!
//! Only for programs whose loader honours it: a preload that is ignored would leave a descriptor in a
//! program that knows nothing of it. Whether one is, is read from the file before it is run.

use crate::error::Error;
use crate::image::{self, Filling, Image};
use crate::memfd;
use object::elf::{ELFCLASS64, EM_X86_64, FileHeader64, PT_INTERP, ProgramHeader64};
use object::{LittleEndian as LE, pod};
use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::mem::offset_of;
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use wire::params::origin;
use wire::segment::Header;

/// Bytes of a file that are looked at.
const HEAD: u64 = 64 * 1024;
/// Scripts that name scripts as their interpreter (the kernel's own limit is five).
const MAX_SCRIPTS: usize = 5;
const LOADER: &str = "/ld-linux-x86-64.so.2";

/// Why a command is started without a preload. It runs all the same, and can be attached to later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Not on the path, or cannot be read.
    #[error("it is not found, or may not be read")]
    NotFound,
    /// Neither a script nor an x86-64 ELF program.
    #[error("it is not an x86-64 program")]
    OtherFormat,
    /// Statically linked, or linked for another C library.
    #[error("it does not use glibc's loader")]
    OtherLoader,
    /// setuid, setgid or file capabilities: the loader would ignore the preload.
    #[error("it changes privileges")]
    Privileged,
}

/// Whether `program`, as given to [`Command::new`], honours LD_PRELOAD. `path` is its PATH.
///
/// # Errors
/// The reason why not.
pub fn check(program: &OsStr, path: &OsStr) -> Result<(), Unfit> {
    let mut file = resolve(program, path).ok_or(Unfit::NotFound)?;
    for _ in 0..MAX_SCRIPTS {
        let head = read_head(&file)?;
        match script_interpreter(&head) {
            Some(interpreter) => file = interpreter,
            None => return program_is_fit(&file, &head),
        }
    }
    Err(Unfit::OtherFormat)
}

/// As `execvp` looks for it (exec(3)).
fn resolve(program: &OsStr, path: &OsStr) -> Option<PathBuf> {
    if program.as_bytes().contains(&b'/') {
        return Some(program.into());
    }
    let executable = |file: &PathBuf| {
        file.metadata()
            .is_ok_and(|facts| facts.is_file() && facts.permissions().mode() & 0o111 != 0)
    };
    std::env::split_paths(path).map(|folder| folder.join(program)).find(executable)
}

fn read_head(file: &Path) -> Result<Vec<u8>, Unfit> {
    let mut head = Vec::new();
    let opened = File::open(file).map_err(|_| Unfit::NotFound)?;
    opened.take(HEAD).read_to_end(&mut head).map_err(|_| Unfit::NotFound)?;
    Ok(head)
}

fn script_interpreter(head: &[u8]) -> Option<PathBuf> {
    let line = head.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let word = line.trim_ascii().split(u8::is_ascii_whitespace).next()?;
    Some(OsStr::from_bytes(word).into())
}

fn program_is_fit(file: &Path, head: &[u8]) -> Result<(), Unfit> {
    if changes_privileges(file) {
        return Err(Unfit::Privileged);
    }
    let (header, _) = pod::from_bytes::<FileHeader64<LE>>(head).map_err(|_| Unfit::OtherFormat)?;
    let ident = &header.e_ident;
    let known = ident.magic == *b"\x7fELF" && ident.class == ELFCLASS64;
    if !known || header.e_machine.get(LE) != EM_X86_64 {
        return Err(Unfit::OtherFormat);
    }
    let headers = head.get(header.e_phoff.get(LE) as usize..).ok_or(Unfit::OtherFormat)?;
    let (headers, _) =
        pod::slice_from_bytes::<ProgramHeader64<LE>>(headers, header.e_phnum.get(LE).into())
            .map_err(|_| Unfit::OtherFormat)?;
    let interpreter = headers.iter().find(|segment| segment.p_type.get(LE) == PT_INTERP);
    let range = interpreter.map(|segment| {
        let start = segment.p_offset.get(LE) as usize;
        start..start.saturating_add(segment.p_filesz.get(LE) as usize)
    });
    let name = range.and_then(|range| head.get(range)).and_then(|name| name.strip_suffix(&[0]));
    match name.is_some_and(|name| name.ends_with(LOADER.as_bytes())) {
        true => Ok(()),
        false => Err(Unfit::OtherLoader),
    }
}

fn changes_privileges(file: &Path) -> bool {
    let mode = file.metadata().map_or(0, |facts| facts.mode());
    let Ok(path) = CString::new(file.as_os_str().as_bytes()) else { return true };
    // SAFETY: two zero-ended strings; with no buffer the call only tells the attribute's size.
    let capabilities = unsafe {
        libc::getxattr(path.as_ptr(), c"security.capability".as_ptr(), std::ptr::null_mut(), 0)
    };
    mode & (libc::S_ISUID | libc::S_ISGID) != 0 || capabilities > 0
}

/// Agent and segment, ready for one start of one program.
#[derive(Debug)]
pub struct Prepared {
    /// Image and segment; the program has it open until its agent is in.
    pub file: File,
    /// Where the segment begins in it.
    pub offset: u64,
    /// Its length.
    pub bytes: u64,
    /// Build of the agent.
    pub build_id: u64,
    value: OsString,
}

/// Makes the memfd. `segment` is as for [`crate::attach()`]; the header's `target_pid` is filled in by the
/// child itself. `before` is the LD_PRELOAD that the program would see without us.
///
/// # Errors
/// A damaged image, or no memory.
pub fn prepare(
    agent: &[u8],
    segment: crate::Segment<'_>,
    before: Option<&OsStr>,
) -> Result<Prepared, Error> {
    let image = Image::check(agent)?;
    let before = before.unwrap_or_default();
    let file =
        own_memfd(&image::memfd_name(image.build_id)).map_err(Error::io("making a memfd"))?;
    let filling =
        Filling { origin: origin::PRELOAD, fd: file.as_raw_fd(), segment_bytes: segment.bytes };
    let offset = image.segment_offset();
    file.write_all_at(&image.filled(&filling), 0).map_err(Error::io("writing the agent"))?;
    memfd::size(&file, offset, segment.bytes, segment.prefault_bytes)
        .map_err(Error::io("making the segment"))?;
    (segment.prepare)(&file, offset).map_err(Error::io("writing the segment's header"))?;
    let mut value = format!("/proc/self/fd/{}", file.as_raw_fd()).into_bytes();
    if !before.is_empty() {
        value.push(b':');
        value.extend_from_slice(before.as_bytes());
    }
    let value = OsString::from_vec(value);
    Ok(Prepared { file, offset, bytes: segment.bytes, build_id: image.build_id, value })
}

impl Prepared {
    /// Makes `command` start with the agent. The memfd stays close-on-exec here, so that no other child
    /// gets it; only the child of `command` keeps it, under the same number. `self` must live until
    /// `command` was spawned.
    pub fn apply(&self, command: &mut Command) {
        let environment = Environment::with_preload(&self.value);
        let fd = self.file.as_raw_fd();
        let target_pid_at = self.offset + offset_of!(Header, target_pid) as u64;
        let keep = move || {
            // SAFETY: fcntl, getpid and pwrite are async-signal-safe (signal-safety(7)); the
            // descriptor is the child's copy of one that is open in the parent; nothing is allocated.
            let done = unsafe {
                let pid = libc::getpid() as u32;
                let written = libc::pwrite(fd, (&raw const pid).cast(), 4, target_pid_at as i64);
                written == 4 && libc::fcntl(fd, libc::F_SETFD, 0) == 0
            };
            environment.put_in_place();
            // Without a descriptor the loader would complain about the name: better no start at all.
            if done { Ok(()) } else { Err(io::Error::last_os_error()) }
        };
        // SAFETY: `keep` runs between fork and exec and makes only async-signal-safe calls; it sets the
        // environment that exec takes, since `command` has none of its own.
        unsafe { command.pre_exec(keep) };
    }

    /// Gives the segment's pages back to the system, after the last events are read.
    pub fn reclaim(&self) {
        crate::resident::punch(self.file.as_raw_fd(), self.offset, self.bytes);
    }
}

/// The environment of the child, in our own order: `Command::env` would sort it, which a program sees.
struct Environment {
    pointers: Vec<*mut libc::c_char>,
    /// What `pointers` point to.
    _texts: Vec<CString>,
}

// SAFETY: the pointers lead into `_texts`, which nobody changes and which moves along with them.
unsafe impl Send for Environment {}
// SAFETY: as above: nothing is changed through them.
unsafe impl Sync for Environment {}

unsafe extern "C" {
    static mut environ: *const *mut libc::c_char;
}

impl Environment {
    fn with_preload(value: &OsStr) -> Self {
        const NAME: &str = "LD_PRELOAD";
        let mut variables: Vec<(OsString, OsString)> = std::env::vars_os().collect();
        match variables.iter_mut().find(|(name, _)| name == NAME) {
            Some((_, before)) => *before = value.into(),
            None => variables.push((NAME.into(), value.into())),
        }
        let text = |(name, value): (OsString, OsString)| {
            CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()).ok()
        };
        let texts: Vec<CString> = variables.into_iter().filter_map(text).collect();
        let ends = std::iter::once(std::ptr::null_mut());
        let pointers = texts.iter().map(|text| text.as_ptr().cast_mut()).chain(ends).collect();
        Self { pointers, _texts: texts }
    }

    /// For the child, between fork and exec: one store.
    fn put_in_place(&self) {
        // SAFETY: the child has one thread, and the strings live in its copy of our memory until exec.
        unsafe { environ = self.pointers.as_ptr() };
    }
}

fn own_memfd(name: &str) -> io::Result<File> {
    let name = CString::new(name).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: a zero-ended string and flags (memfd_create(2)).
    let fd = unsafe { libc::memfd_create(name.as_ptr(), memfd::creation_flags() as u32) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just given us this descriptor; nobody else owns it.
    Ok(unsafe { File::from_raw_fd(fd) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(program: &str) -> Result<(), Unfit> {
        check(OsStr::new(program), OsStr::new("/usr/local/bin:/usr/bin:/bin"))
    }

    #[test]
    fn ordinary_programs_are_fit() {
        assert_eq!(fit("sleep"), Ok(()));
        assert_eq!(fit("/bin/sh"), Ok(()));
    }

    #[test]
    fn others_are_not() {
        assert_eq!(fit("no-such-program"), Err(Unfit::NotFound));
        assert_eq!(fit("/etc/passwd"), Err(Unfit::OtherFormat));
        assert_eq!(fit("su"), Err(Unfit::Privileged));
    }

    #[test]
    fn a_script_is_judged_by_its_interpreter() {
        assert_eq!(script_interpreter(b"#! /usr/bin/env python3\nx"), Some("/usr/bin/env".into()));
        assert_eq!(script_interpreter(b"\x7fELF"), None);
    }
}
