//! The target's C library: what is called in it, and which parts of it must not be interrupted.

use crate::elf::{Module, Symbol};
use crate::error::Error;
use crate::identity::Identity;
use crate::maps::{Mapping, Maps};
use crate::memory::Memory;
use std::ops::Range;

/// `mov $15,%rax; syscall`: what a signal handler returns to.
const RESTORE_RT: [u8; 9] = [0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05];
/// `syscall; ret`.
const SYSCALL_RET: [u8; 3] = [0x0f, 0x05, 0xc3];

/// Parts of glibc that were libraries of their own before 2.34.
const LIBC_FILES: [&str; 4] = ["libc", "libpthread", "libdl", "librt"];

/// Functions whose object file holds the allocator, first to last in the text.
const MALLOC_FAMILY: [&str; 22] = [
    "malloc",
    "free",
    "calloc",
    "realloc",
    "memalign",
    "aligned_alloc",
    "valloc",
    "pvalloc",
    "posix_memalign",
    "malloc_trim",
    "malloc_usable_size",
    "malloc_stats",
    "malloc_info",
    "mallinfo",
    "mallinfo2",
    "mallopt",
    "cfree",
    "__libc_malloc",
    "__libc_free",
    "__libc_calloc",
    "__libc_realloc",
    "__libc_memalign",
];

/// Addresses in the target that the steps need, and the ranges that decide about a safe point.
#[derive(Clone, Debug)]
pub(crate) struct CLibrary {
    pub(crate) dlopen: u64,
    /// Second argument for `dlopen`.
    pub(crate) dlopen_flags: u64,
    pub(crate) restore_rt: u64,
    pub(crate) syscall_ret: u64,
    /// Distance of errno from the thread pointer.
    pub(crate) errno_offset: u64,
    /// Text of the C library in the wide sense.
    pub(crate) libc: Vec<Range<u64>>,
    /// The loader's whole mapping.
    pub(crate) loader: Vec<Range<u64>>,
    /// Allocators: glibc's own range, or all text of a library that replaces it.
    pub(crate) allocators: Vec<Range<u64>>,
    /// Where signal handlers return to.
    pub(crate) restorers: Vec<u64>,
}

impl CLibrary {
    pub(crate) fn find(target: &Identity, memory: &Memory, maps: &Maps) -> Result<Self, Error> {
        let unsupported = |why: &str| Error::Unsupported { pid: target.pid(), why: why.into() };
        if maps.images().any(|head| is_musl(head.file_name())) {
            return Err(unsupported("it runs on musl; gilscope needs glibc"));
        }
        let parts: Vec<&Mapping> = maps.images().filter(|head| is_libc_part(head)).collect();
        let main = parts
            .iter()
            .find(|head| stem(head.file_name()) == "libc")
            .ok_or_else(|| unsupported("it has no glibc (statically linked?)"))?;
        let module = Module::read(memory, main.range.start)
            .ok_or_else(|| unsupported("its C library cannot be read"))?;
        let symbols =
            module.symbols(memory).ok_or_else(|| unsupported("its C library cannot be read"))?;
        let (dlopen, dlopen_flags) = parts
            .iter()
            .find_map(|head| Module::read(memory, head.range.start)?.find(memory, "dlopen"))
            .map(|address| (address, RTLD_NOW))
            // Before 2.34 dlopen may be absent; this one does the same for libc's own use.
            .or_else(|| Some((module.find(memory, "__libc_dlopen_mode")?, RTLD_NOW | RTLD_DLOPEN)))
            .ok_or_else(|| unsupported("its C library has no dlopen"))?;
        let text: Vec<(Range<u64>, Vec<u8>)> = parts
            .iter()
            .flat_map(|head| maps.text_of(head))
            .filter_map(|range| {
                let bytes = memory.read(range.start, range.end - range.start).ok()?;
                Some((range, bytes))
            })
            .collect();
        let restorers: Vec<u64> = text.iter().flat_map(|part| all(part, &RESTORE_RT)).collect();
        let in_main = |address: &u64| module.text.iter().any(|range| range.contains(address));
        Ok(Self {
            dlopen,
            dlopen_flags,
            restore_rt: restorers
                .iter()
                .copied()
                .find(in_main)
                .ok_or_else(|| unsupported("its C library has no signal return"))?,
            syscall_ret: text
                .iter()
                .find_map(|part| all(part, &SYSCALL_RET).find(in_main))
                .ok_or_else(|| unsupported("its C library has no system call to borrow"))?,
            errno_offset: errno_offset(memory, &symbols)
                .ok_or_else(|| unsupported("its errno cannot be found"))?,
            libc: text.iter().map(|part| part.0.clone()).collect(),
            loader: loader(maps),
            allocators: allocators(memory, maps, &symbols)
                .ok_or_else(|| unsupported("its allocator cannot be found"))?,
            restorers,
        })
    }
}

/// `RTLD_NOW` (dlfcn.h).
const RTLD_NOW: u64 = 2;
/// `__RTLD_DLOPEN` (glibc include/dlfcn.h).
const RTLD_DLOPEN: u64 = 0x8000_0000;

/// "libc.so.6" and "libc-2.31.so" both give "libc".
fn stem(file_name: &str) -> &str {
    let end = file_name.find(".so").unwrap_or(file_name.len());
    let name = &file_name[..end];
    match name.split_once('-') {
        Some((first, version)) if version.starts_with(|c: char| c.is_ascii_digit()) => first,
        _ => name,
    }
}

fn is_libc_part(head: &Mapping) -> bool {
    let name = head.file_name();
    name.contains(".so") && LIBC_FILES.contains(&stem(name))
}

/// musl is one file that is loader and library in one (musl's INSTALL).
pub(crate) fn is_musl(file_name: &str) -> bool {
    file_name.starts_with("ld-musl-") || file_name.starts_with("libc.musl-")
}

fn loader(maps: &Maps) -> Vec<Range<u64>> {
    let is_loader = |head: &&Mapping| {
        let name = head.file_name();
        name.starts_with("ld-linux") || (stem(name) == "ld" && name.contains(".so"))
    };
    maps.images().filter(is_loader).flat_map(|head| maps.text_of(head)).collect()
}

fn all(part: &(Range<u64>, Vec<u8>), pattern: &'static [u8]) -> impl Iterator<Item = u64> {
    let start = part.0.start;
    part.1
        .windows(pattern.len())
        .enumerate()
        .filter(move |(_, window)| *window == pattern)
        .map(move |(at, _)| start + at as u64)
}

/// glibc's `__errno_location` is `mov rel(%rip),%rax; add %fs:0,%rax; ret`: the word it loads is the offset.
fn errno_offset(memory: &Memory, symbols: &[Symbol]) -> Option<u64> {
    let mut at = symbols.iter().find(|symbol| symbol.name == "__errno_location")?.address;
    let mut code: [u8; 16] = memory.array(at).ok()?;
    if code.starts_with(&[0xf3, 0x0f, 0x1e, 0xfa]) {
        at += 4;
        code = memory.array(at).ok()?;
    }
    if !code.starts_with(&[0x48, 0x8b, 0x05]) || code[7..16] != [0x64, 0x48, 3, 4, 0x25, 0, 0, 0, 0]
    {
        return None;
    }
    let relative = i32::from_le_bytes(code[3..7].try_into().expect("four bytes"));
    memory.u64((at + 7).wrapping_add_signed(relative.into())).ok()
}

/// From the last exported symbol below the family to the first above it: `malloc.o` lies in one piece,
/// so its static functions are covered although nothing exports them.
fn allocators(memory: &Memory, maps: &Maps, libc: &[Symbol]) -> Option<Vec<Range<u64>>> {
    let is_family =
        |symbol: &&Symbol| MALLOC_FAMILY.contains(&symbol.name.as_str()) && !symbol.indirect;
    let first = libc.iter().filter(is_family).map(|symbol| symbol.address).min()?;
    let last = libc.iter().filter(is_family).map(|symbol| symbol.address).max()?;
    let text = maps.at(first)?;
    let start = libc.iter().rev().map(|symbol| symbol.address).find(|address| *address < first);
    let end = libc.iter().map(|symbol| symbol.address).find(|address| *address > last);
    let start = start.unwrap_or(0).max(text.range.start);
    let own = start..end.unwrap_or(text.range.end).min(text.range.end);
    let mut ranges = Vec::from([own]);
    for head in maps.images().filter(|head| !is_libc_part(head)) {
        let replaces = Module::read(memory, head.range.start)
            .is_some_and(|module| module.find(memory, "malloc").is_some());
        // The loader has a small malloc of its own until libc is there.
        if replaces && !head.file_name().starts_with("ld") {
            ranges.extend(maps.text_of(head));
        }
    }
    Some(ranges)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_of_old_and_new_glibc() {
        let names =
            ["libc.so.6", "libc-2.31.so", "libpthread-2.31.so", "libcrypt.so.1", "libc10.so"];
        let stems: Vec<_> = names.into_iter().map(stem).collect();
        assert_eq!(stems, ["libc", "libc", "libpthread", "libcrypt", "libc10"]);
    }

    #[test]
    fn our_own_c_library_is_understood() {
        let own = Identity::of(std::process::id()).unwrap();
        let (memory, maps) = (own.memory(false).unwrap(), own.maps().unwrap());
        let found = CLibrary::find(&own, &memory, &maps).unwrap();
        assert_eq!(found.dlopen, libc::dlopen as *const () as u64);
        let malloc = libc::malloc as *const () as u64;
        assert!(found.allocators[0].contains(&malloc));
        let size = found.allocators[0].end - found.allocators[0].start;
        assert!((0x2000..0x20000).contains(&size), "allocator of {size:#x} bytes");
        // SAFETY: errno's address of this thread; only the number is used.
        let errno = unsafe { libc::__errno_location() } as u64;
        let pointer: u64;
        // SAFETY: fs:0 holds the thread pointer itself (x86-64 TLS ABI).
        unsafe { std::arch::asm!("mov {}, fs:0", out(reg) pointer) };
        assert_eq!(pointer.wrapping_add(found.errno_offset), errno);
    }
}
