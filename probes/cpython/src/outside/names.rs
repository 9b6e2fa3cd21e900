//! Python's own names of threads: `sys.modules['threading']._active`, which is a dict of thread ident to `Thread`.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::dict::{Pair, attributes, pairs};
use super::text::{is_text, text};
use crate::Memory;
use crate::layout::{Dict, Layout};
use crate::memory::Block;

/// Bytes of an interpreter in which `sys.modules` is looked for: in 2.7 to 3.13 it stands at 7656 at most.
const NEARBY: u64 = 8192;

/// Names of the threads of the interpreter at `interpreter`, by ident. Empty if `threading` was never imported.
pub(super) fn names(
    memory: &impl Memory,
    layout: &Layout,
    interpreter: u64,
) -> BTreeMap<u64, String> {
    active(memory, layout, interpreter).unwrap_or_default()
}

fn active(
    memory: &impl Memory,
    layout: &Layout,
    interpreter: u64,
) -> Option<BTreeMap<u64, String>> {
    let threading = find(memory, layout, &modules(memory, layout, interpreter)?, b"threading")?;
    let active = find(memory, layout, &globals(memory, layout, threading)?, b"_active")?;
    let threads = pairs(memory, layout, active)?;
    Some(
        threads
            .into_iter()
            .filter_map(|(ident, thread)| named(memory, layout, ident, thread))
            .collect(),
    )
}

/// The pairs of `sys.modules`: a dict that knows a module `sys`.
///
/// It stands at the layout's offset or, as fields come and go in front of it between patch releases, nearby.
pub(super) fn modules(
    memory: &impl Memory,
    layout: &Layout,
    interpreter: u64,
) -> Option<Vec<Pair>> {
    let nearby = (0..NEARBY).step_by(8);
    core::iter::once(layout.interpreter.modules).chain(nearby).find_map(|offset| {
        let found = pairs(memory, layout, memory.pointer(interpreter.checked_add(offset)?)?)?;
        find(memory, layout, &found, b"sys").map(|_| found)
    })
}

/// The globals of a module.
pub(super) fn globals(memory: &impl Memory, layout: &Layout, module: u64) -> Option<Vec<Pair>> {
    // PyModuleObject: md_dict comes first.
    let globals = memory.pointer(module.checked_add(layout.object.bytes)?)?;
    pairs(memory, layout, globals)
}

/// The value of the pair whose key is `name`.
pub(super) fn find(
    memory: &impl Memory,
    layout: &Layout,
    pairs: &[Pair],
    name: &[u8],
) -> Option<u64> {
    pairs.iter().find(|(key, _)| is_text(memory, layout, *key, name)).map(|&(_, value)| value)
}

/// Ident and name of a `Thread`, if it says itself that it has this ident.
fn named(memory: &impl Memory, layout: &Layout, key: u64, thread: u64) -> Option<(u64, String)> {
    let (name_key, ident_key): (&[u8], &[u8]) = match layout.dict {
        Dict::Table => (b"_Thread__name", b"_Thread__ident"),
        _ => (b"_name", b"_ident"),
    };
    let attributes = attributes(memory, layout, thread)?;
    let ident = integer(memory, layout, key)?;
    let own = integer(memory, layout, find(memory, layout, &attributes, ident_key)?)?;
    let name = text(memory, layout, find(memory, layout, &attributes, name_key)?)?;
    (ident == own).then_some((ident, name))
}

/// The value of an `int` that fits two digits of 30 bits, or of a 2.7 `int`.
fn integer(memory: &impl Memory, layout: &Layout, object: u64) -> Option<u64> {
    let block = Block::<16>::read(memory, object.checked_add(layout.object.bytes)?, 16)?;
    let size = block.word(0)?;
    let digits = match layout.dict {
        Dict::Table => return Some(size),
        Dict::Sized | Dict::Values { .. } => size,
        // lv_tag: sign in the lowest two bits, 0 is positive; one more bit reserved (Include/internal/pycore_long.h).
        Dict::Tagged { .. } | Dict::Inline { .. } => (size & 3 == 0).then_some(size >> 3)?,
    };
    let (low, high) = (u64::from(block.int(8)?), u64::from(block.int(12)?));
    match digits {
        1 => Some(low),
        2 => Some(high << 30 | low),
        _ => None,
    }
}
