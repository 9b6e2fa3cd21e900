//! Which CPython a process runs, from outside: by what its images export, not by what they are called.
//!
//! Knows no version: the number is read from the interpreter's own text or symbol.

use crate::elf::Module;
use crate::error::Error;
use crate::maps::{Mapping, Maps};
use crate::memory::Memory;

/// Exported by every CPython since 2.3, and by nothing else under this name.
const MARK: &str = "PyGILState_Ensure";
/// Most of one segment that is searched for the version, bytes.
const MAX_SEARCH: u64 = 32 << 20;

/// An interpreter in a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interpreter {
    /// "3.12.1", "3.13.0rc2"; `None` if the process could not be read closely enough.
    pub version: Option<String>,
    /// The image that holds it: the program, or libpython.
    pub image: String,
}

/// What a process turned out to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    CPython(Interpreter),
    PyPy,
    /// Its program is 32-bit.
    Narrow,
    /// It is one file without a loader in it.
    Static,
    Nothing,
}

impl Found {
    /// The words for a process that runs something else.
    pub(crate) fn refusal(&self, pid: u32, program: String) -> Error {
        match self {
            Found::PyPy => {
                let program = "it is PyPy, which has another kind of GIL".into();
                Error::NotPython { pid, program }
            }
            Found::Narrow => {
                Error::Unsupported { pid, why: format!("{program} is a 32-bit program") }
            }
            Found::Static => {
                let why = format!("{program} is statically linked: nothing can be loaded into it");
                Error::Unsupported { pid, why }
            }
            _ => Error::NotPython { pid, program },
        }
    }
}

/// Looks for an interpreter among the program (`program` is its path) and images named after Python.
pub(crate) fn find(memory: &Memory, maps: &Maps, program: &str) -> Found {
    match search(memory, maps, program) {
        Ok((head, module)) => {
            let version = version(memory, head, &module);
            Found::CPython(Interpreter { version, image: head.name.clone() })
        }
        Err(other) => other,
    }
}

/// The image that holds the interpreter, as loaded.
pub(crate) fn image(memory: &Memory, maps: &Maps, program: &str) -> Option<Module> {
    search(memory, maps, program).ok().map(|(_, module)| module)
}

fn search<'a>(
    memory: &Memory,
    maps: &'a Maps,
    program: &str,
) -> Result<(&'a Mapping, Module), Found> {
    for head in maps.images() {
        let named = head.file_name().contains("python");
        if head.file_name().contains("libpypy") {
            return Err(Found::PyPy);
        }
        if head.name != program && !named {
            continue;
        }
        // e_ident[EI_CLASS] (elf(5)).
        if head.name == program && memory.array::<5>(head.range.start).is_ok_and(|id| id[4] == 1) {
            return Err(Found::Narrow);
        }
        let module = Module::read(memory, head.range.start);
        if let Some(module) = module.filter(|module| module.find(memory, MARK).is_some()) {
            return Ok((head, module));
        }
    }
    // The only image is the program. Whether there is a CPython in it does not matter then.
    let alone = maps.images().all(|head| head.name == program);
    Err(if alone { Found::Static } else { Found::Nothing })
}

fn version(memory: &Memory, head: &Mapping, module: &Module) -> Option<String> {
    // `Py_Version` (C API, since 3.11) is PY_VERSION_HEX: major, minor, micro, level and serial.
    if let Some(address) = module.find(memory, "Py_Version") {
        return memory.u32(address).ok().map(spell);
    }
    // Before that, `Py_GetVersion` has put it into a buffer of its own when `sys` was made.
    let series = series(head.file_name())?;
    let data = module.loads.iter().filter(|load| !module.text.contains(load));
    let exact = data.rev().find_map(|load| {
        let length = (load.end - load.start).min(MAX_SEARCH);
        literal(&memory.read_some(load.start, length as usize), &series)
    });
    exact.or(Some(series))
}

/// PY_VERSION_HEX as CPython writes it (C API, "API and ABI Versioning").
fn spell(hex: u32) -> String {
    let [major, minor, micro, last] = hex.to_be_bytes();
    let level = match last >> 4 {
        0xa => "a",
        0xb => "b",
        0xc => "rc",
        _ => return format!("{major}.{minor}.{micro}"),
    };
    format!("{major}.{minor}.{micro}{level}{}", last & 0xf)
}

/// "3.8" of "libpython3.8m.so.1.0" or "python3.8".
fn series(file_name: &str) -> Option<String> {
    let rest = &file_name[file_name.find("python")? + "python".len()..];
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    let mut numbers = rest[..end].split('.').filter(|part| !part.is_empty());
    Some(format!("{}.{}", numbers.next()?, numbers.next()?))
}

/// The first word of the zero-ended text "SERIES.patch (build…" in `bytes`.
fn literal(bytes: &[u8], series: &str) -> Option<String> {
    let start = format!("{series}.").into_bytes();
    bytes.split(|byte| *byte == 0).filter(|text| text.starts_with(&start)).find_map(|text| {
        let end = text.iter().position(|byte| *byte == b' ')?;
        let patch = &text[start.len()..end];
        let fits = text[end..].starts_with(b" (")
            && patch.first().is_some_and(u8::is_ascii_digit)
            && patch.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'+');
        fits.then(|| String::from_utf8_lossy(&text[..end]).into_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_spelled_as_python_does() {
        assert_eq!(spell(0x030c01f0), "3.12.1");
        assert_eq!(spell(0x030d00c2), "3.13.0rc2");
        assert_eq!(spell(0x030e00a5), "3.14.0a5");
    }

    #[test]
    fn series_from_names() {
        assert_eq!(series("libpython3.6m.so.1.0").as_deref(), Some("3.6"));
        assert_eq!(series("libpython2.7.so.1.0").as_deref(), Some("2.7"));
        assert_eq!(series("python3.11").as_deref(), Some("3.11"));
        assert_eq!(series("python"), None);
        assert_eq!(series("bash"), None);
    }

    #[test]
    fn the_literal_is_exact() {
        let found = |bytes: &[u8], series| literal(bytes, series);
        assert_eq!(found(b"x\x003.8.18 (default, x\x00", "3.8").as_deref(), Some("3.8.18"));
        assert_eq!(found(b"3.8. (\x003.8.x (\x00see 3.8.1 (\x003.8.1", "3.8"), None);
        assert_eq!(found(b"\x002.7.18+ (x", "2.7").as_deref(), Some("2.7.18+"));
    }
}
