//! Puts a result into a new file that is whole or not there at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Why nothing was written. One line each: cause, then remedy.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    #[error("{path} exists; pass -f to overwrite it or choose another name")]
    Exists { path: PathBuf },
    #[error("cannot write {path}: the disk is full; free some space or choose another folder")]
    DiskFull { path: PathBuf },
    #[error("cannot write {path}: {cause}; choose a folder that exists and that you may write to")]
    Unwritable { path: PathBuf, cause: io::Error },
}

/// Lets `fill` write the file at `path`. The file appears only when it is complete: it is filled
/// under another name in the same folder, synced, then renamed. Only its owner may read it. An
/// existing file is replaced only with `force`.
pub fn write_atomically<E>(
    path: &Path,
    force: bool,
    fill: impl FnOnce(&mut dyn Write) -> Result<(), E>,
) -> Result<(), E>
where
    E: From<OutputError>,
{
    if fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir()) {
        // A device or a pipe: there is nothing to lose, and it must not be renamed away.
        let file = File::options().write(true).open(path);
        return fill_file(&file.map_err(|cause| output_error(path, cause))?, path, fill);
    }
    if !force && fs::symlink_metadata(path).is_ok() {
        return Err(OutputError::Exists { path: path.into() }.into());
    }
    let failed = |cause| E::from(output_error(path, cause));
    // Created exclusively and with mode 0600; removed when dropped.
    let temporary = tempfile::Builder::new()
        .prefix(".gilscope-")
        .tempfile_in(folder_of(path))
        .map_err(failed)?;
    fill_file(temporary.as_file(), path, fill)?;
    temporary.as_file().sync_all().map_err(failed)?;
    let kept = if force { temporary.persist(path) } else { temporary.persist_noclobber(path) };
    kept.map(drop).map_err(|error| failed(error.error))
}

/// The folder that `path` stands in; "." for a bare name.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn fill_file<E: From<OutputError>>(
    file: &File,
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> Result<(), E>,
) -> Result<(), E> {
    let mut noting = Noting { out: BufWriter::new(file), failure: None };
    let filled = fill(&mut noting);
    let flushed = if filled.is_ok() { noting.flush() } else { Ok(()) };
    match noting.failure.or(flushed.err()) {
        Some(cause) => Err(output_error(path, cause).into()),
        None => filled,
    }
}

/// Remembers the first failure of the disk, whatever the filler makes of it.
struct Noting<'a> {
    out: BufWriter<&'a File>,
    failure: Option<io::Error>,
}

impl Noting<'_> {
    fn note<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        if let Err(cause) = &result {
            let again =
                cause.raw_os_error().map_or(cause.kind().into(), io::Error::from_raw_os_error);
            self.failure.get_or_insert(again);
        }
        result
    }
}

impl Write for Noting<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes);
        self.note(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.out.flush();
        self.note(flushed)
    }
}

fn output_error(path: &Path, cause: io::Error) -> OutputError {
    let path = path.to_owned();
    match cause.kind() {
        ErrorKind::AlreadyExists => OutputError::Exists { path },
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => OutputError::DiskFull { path },
        _ => OutputError::Unwritable { path, cause },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[derive(Debug, thiserror::Error)]
    enum TestError {
        #[error(transparent)]
        Output(#[from] OutputError),
        #[error(transparent)]
        Io(#[from] io::Error),
    }

    fn write(path: &Path, force: bool, text: &str) -> Result<(), TestError> {
        write_atomically(path, force, |out| Ok(out.write_all(text.as_bytes())?))
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_file_is_replaced_only_by_force() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        write(&path, false, "one").unwrap();
        let error = write(&path, false, "two").unwrap_err().to_string();
        assert!(error.contains("a.json exists; pass -f"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "one");
        write(&path, true, "three").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "three");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(names(dir.path()), ["a.json"]);
    }

    #[test]
    fn a_full_device_is_named_and_stays() {
        let full = Path::new("/dev/full");
        let error = write(full, true, "x").unwrap_err().to_string();
        assert!(error.contains("/dev/full") && error.contains("disk is full"), "{error}");
        write(Path::new("/dev/null"), false, "x").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }

    #[test]
    fn a_failure_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        let failed = write_atomically(&path, false, |out| {
            out.write_all(b"half")?;
            Err::<(), TestError>(io::Error::other("no more").into())
        });
        assert_eq!(failed.unwrap_err().to_string(), "no more");
        assert!(names(dir.path()).is_empty());
        let nowhere = dir.path().join("no/such/a.json");
        let error = write(&nowhere, false, "").unwrap_err().to_string();
        assert!(error.contains("no/such/a.json") && error.contains("choose a folder"), "{error}");
    }
}
