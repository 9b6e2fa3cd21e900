//! Finding the loaded object that an address lies in: the interpreter's, or our own.
//!
//! Where glibc has `_dl_find_object` (2.35 and later) no lock is taken: then it may be done without the
//! GIL, since a fork in the middle leaves nothing locked in the child. Knows program headers and
//! nothing of what an object contains.

use crate::got::Module;
use crate::originals::ORIGINALS;
use core::ffi::{c_char, c_int, c_void};
use core::sync::atomic::Ordering::Acquire;

#[repr(C)]
struct ProgramHeader {
    kind: u32,
    flags: u32,
    offset: u64,
    virtual_address: u64,
    physical_address: u64,
    file_bytes: u64,
    memory_bytes: u64,
    align: u64,
}

#[repr(C)]
struct PhdrInfo {
    base: u64,
    name: *const c_char,
    headers: *const ProgramHeader,
    n_headers: u16,
}

const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_GNU_RELRO: u32 = 0x6474_e552;

unsafe extern "C" {
    fn dl_iterate_phdr(
        callback: unsafe extern "C" fn(*const PhdrInfo, usize, *mut c_void) -> c_int,
        data: *mut c_void,
    ) -> c_int;
}

struct Search {
    address: u64,
    found: Module,
}

/// `struct dl_find_object`, and as much of `struct link_map` as is public (`dlfcn.h`, `link.h`).
#[repr(C)]
struct FoundObject {
    flags: u64,
    start: u64,
    end: u64,
    link_map: *const LinkMap,
    rest: [u64; 9],
}

#[repr(C)]
struct LinkMap {
    base: u64,
    name: *const c_char,
    dynamic: u64,
}

/// As [`module_of`], but none where that would take the loader's lock.
pub fn module_without_lock(address: u64) -> Option<Module> {
    let function = ORIGINALS.find_object.load(Acquire);
    if function.is_null() {
        return None;
    }
    let mut found: FoundObject =
        FoundObject { flags: 0, start: 0, end: 0, link_map: core::ptr::null(), rest: [0; 9] };
    // SAFETY: glibc's `int _dl_find_object(void *, struct dl_find_object *)`; `found` has its layout, and
    // more room than it writes to. The object that holds a function of the interpreter stays loaded, and
    // its first page is its ELF header.
    unsafe {
        let find: extern "C" fn(u64, *mut FoundObject) -> c_int = core::mem::transmute(function);
        if find(address, &mut found) != 0 || found.link_map.is_null() {
            return None;
        }
        let map = &*found.link_map;
        let relro = relro_of(found.start, map.base);
        (map.dynamic != 0).then_some(Module { base: map.base, dynamic: map.dynamic, relro })
    }
}

/// Where PT_GNU_RELRO of the object whose file begins at `start` is mapped; zeros if it has none.
///
/// # Safety
/// `start` is where the first page of a loaded ELF file is mapped.
unsafe fn relro_of(start: u64, base: u64) -> (u64, u64) {
    const E_PHOFF: u64 = 32;
    const E_PHNUM: u64 = 56;
    // SAFETY: by contract; program headers lie in the first segment of what glibc loads.
    let headers = unsafe {
        if (start as *const [u8; 4]).read() != *b"\x7fELF" {
            return (0, 0);
        }
        let offset = ((start + E_PHOFF) as *const u64).read();
        let n = ((start + E_PHNUM) as *const u16).read();
        core::slice::from_raw_parts((start + offset) as *const ProgramHeader, n as usize)
    };
    let relro = headers.iter().find(|header| header.kind == PT_GNU_RELRO);
    relro.map_or((0, 0), |header| range_of(header, base))
}

/// Where a segment is mapped.
fn range_of(header: &ProgramHeader, base: u64) -> (u64, u64) {
    let start = base.wrapping_add(header.virtual_address);
    (start, start.wrapping_add(header.memory_bytes))
}

/// The loaded object whose segments hold `address`.
pub fn module_of(address: u64) -> Option<Module> {
    let mut search = Search { address, found: Module::default() };
    // SAFETY: the callback matches the type that dl_iterate_phdr(3) asks for and only copies.
    unsafe { dl_iterate_phdr(look_at, (&raw mut search).cast()) };
    (search.found.dynamic != 0).then_some(search.found)
}

/// A loaded object, and where it lies.
pub(crate) struct Object {
    /// Its GOT.
    pub(crate) module: Module,
    /// From the first to the last of its addresses.
    range: (u64, u64),
}

impl Object {
    /// True if an address lies between the object's first and its last.
    pub(crate) fn holds(&self, address: u64) -> bool {
        self.range.0 <= address && address < self.range.1
    }
}

type Each<'a> = &'a mut dyn FnMut(&Object);

/// Calls `each` with every loaded object. It must not enter the loader, whose lock is held.
pub(crate) fn each_object(mut each: Each<'_>) {
    // SAFETY: the callback matches the type that dl_iterate_phdr(3) asks for.
    unsafe { dl_iterate_phdr(pass_on, (&raw mut each).cast()) };
}

/// Describes the object to an [`Each`]; 0 goes on with the next.
unsafe extern "C" fn pass_on(info: *const PhdrInfo, _bytes: usize, data: *mut c_void) -> c_int {
    // SAFETY: as in `look_at`; `data` is the `Each` of `each_object`.
    let (info, each, headers) = unsafe {
        let info = &*info;
        let headers = core::slice::from_raw_parts(info.headers, info.n_headers as usize);
        (info, &mut *data.cast::<Each<'_>>(), headers)
    };
    let of_kind = |kind| headers.iter().find(|h| h.kind == kind).map(|h| range_of(h, info.base));
    let loads = headers.iter().filter(|h| h.kind == PT_LOAD).map(|h| range_of(h, info.base));
    let range = loads.fold((u64::MAX, 0), |all, one| (all.0.min(one.0), all.1.max(one.1)));
    let dynamic = of_kind(PT_DYNAMIC).map_or(0, |range| range.0);
    let relro = of_kind(PT_GNU_RELRO).unwrap_or((0, 0));
    each(&Object { module: Module { base: info.base, dynamic, relro }, range });
    0
}

/// Copies what is needed of the object that holds the address; 1 ends the walk.
unsafe extern "C" fn look_at(info: *const PhdrInfo, _bytes: usize, data: *mut c_void) -> c_int {
    // SAFETY: libc passes a valid info for the time of the call, `data` is our own `Search`, and the
    // headers are mapped while the loader's lock is held.
    let (info, search, headers) = unsafe {
        let info = &*info;
        let headers = core::slice::from_raw_parts(info.headers, info.n_headers as usize);
        (info, &mut *data.cast::<Search>(), headers)
    };
    let range = |h: &ProgramHeader| range_of(h, info.base);
    let holds = |h: &&ProgramHeader| {
        h.kind == PT_LOAD && range(h).0 <= search.address && search.address < range(h).1
    };
    if !headers.iter().any(|h| holds(&h)) {
        return 0;
    }
    let of_kind = |kind| headers.iter().find(|h| h.kind == kind).map(range);
    let dynamic = of_kind(PT_DYNAMIC).map_or(0, |range| range.0);
    search.found =
        Module { base: info.base, dynamic, relro: of_kind(PT_GNU_RELRO).unwrap_or((0, 0)) };
    1
}
