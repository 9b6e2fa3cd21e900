//! A function's line table, read some time after the function was sampled.

use alloc::vec;
use alloc::vec::Vec;

use crate::Memory;
use crate::layout::Layout;
use crate::memory::is_object_address;
use crate::sample::CodeKey;

/// Larger tables are refused; that of the largest generated modules has a few 100 KiB.
const LARGEST: u64 = 1 << 24;

/// The bytes of the line table of the code object `key`, if it is still that code object before and after reading.
///
/// Decode them with [`line_of`](crate::lines::line_of) and `layout.code.line_format`.
pub fn line_table(memory: &impl Memory, layout: &Layout, key: &CodeKey) -> Option<Vec<u8>> {
    let table = layout.still(memory, key)?;
    let bytes = line_table_bytes(memory, layout, table)?;
    (layout.still(memory, key) == Some(table)).then_some(bytes)
}

/// The contents of the `bytes` object (2.7: `str`) at `table`.
pub fn line_table_bytes(memory: &impl Memory, layout: &Layout, table: u64) -> Option<Vec<u8>> {
    if !is_object_address(table) {
        return None;
    }
    let size = memory.word(table + layout.object.bytes).filter(|&size| size <= LARGEST)?;
    let mut bytes = vec![0; usize::try_from(size).ok()?];
    (bytes.is_empty() || memory.copy(table + layout.object.bytes_data, &mut bytes)).then_some(bytes)
}
