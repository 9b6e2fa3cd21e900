//! From an instruction to its line: the four formats of line tables, decoded from bytes alone.
//!
//! Total on any input: a table that is not one gives `None` or some number, never a panic or an endless loop.
//! Each function was compared with `dis.findlinestarts` or `co_lines()` of the interpreter it is for.

/// How an interpreter writes its line tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineFormat {
    /// `co_lnotab` of 2.7: pairs of address and line increments, both unsigned.
    UnsignedDeltas,
    /// `co_lnotab` of 3.6 to 3.9: the line increment is signed (`Objects/lnotab_notes.txt`).
    SignedDeltas,
    /// `co_linetable` of 3.10 (PEP 626).
    Ranges,
    /// `co_linetable` of 3.11 and later (PEP 657, `Objects/locations.md`).
    Locations,
}

/// The line of the instruction at `offset` bytes, in a function that starts at `first_line`.
///
/// `None` if the compiler gave the instruction no line, if `offset` is past the table (3.10 and later; older tables do
/// not say where they end), or if the table is damaged.
#[must_use]
pub fn line_of(format: LineFormat, table: &[u8], first_line: u32, offset: u32) -> Option<u32> {
    let (first_line, offset) = (i64::from(first_line), u64::from(offset));
    let line = match format {
        LineFormat::UnsignedDeltas => deltas(table, first_line, offset, i64::from),
        LineFormat::SignedDeltas => deltas(table, first_line, offset, signed),
        LineFormat::Ranges => ranges(table, first_line, offset)?,
        LineFormat::Locations => locations(table, first_line, offset)?,
    };
    u32::try_from(line).ok()
}

fn signed(byte: u8) -> i64 {
    i64::from(byte.cast_signed())
}

fn deltas(table: &[u8], first_line: i64, offset: u64, increment: fn(u8) -> i64) -> i64 {
    let (mut line, mut address) = (first_line, 0);
    for &[bytes, lines] in table.as_chunks::<2>().0 {
        address += u64::from(bytes);
        if address > offset {
            break;
        }
        line += increment(lines);
    }
    line
}

/// Increment of a range without a line.
const NO_LINE: u8 = 0x80;

fn ranges(table: &[u8], first_line: i64, offset: u64) -> Option<i64> {
    let (mut line, mut end) = (first_line, 0);
    for &[bytes, lines] in table.as_chunks::<2>().0 {
        end += u64::from(bytes);
        if lines != NO_LINE {
            line += signed(lines);
        }
        if end > offset {
            return (lines != NO_LINE).then_some(line);
        }
    }
    None
}

/// Entries start with a byte whose high bit is set, and only those have it.
fn locations(table: &[u8], first_line: i64, offset: u64) -> Option<i64> {
    let (mut line, mut end) = (first_line, 0);
    let mut rest = table;
    while let Some((&head, tail)) = rest.split_first() {
        if head & 0x80 == 0 {
            return None;
        }
        end += (u64::from(head & 7) + 1) * 2;
        let delta = line_delta(head >> 3 & 15, tail)?;
        line += delta.unwrap_or(0);
        if end > offset {
            return delta.map(|_| line);
        }
        let next = tail.iter().position(|byte| byte & 0x80 != 0).unwrap_or(tail.len());
        rest = tail.get(next..)?;
    }
    None
}

/// The line increment of an entry of kind `kind`; `Some(None)` if it has no line.
fn line_delta(kind: u8, data: &[u8]) -> Option<Option<i64>> {
    Some(match kind {
        15 => None,
        13 | 14 => Some(signed_varint(data)?),
        10..=12 => Some(i64::from(kind) - 10),
        _ => Some(0),
    })
}

/// Six bits a byte, lowest first, bit 6 set on all but the last; the lowest bit of the whole is the sign.
fn signed_varint(data: &[u8]) -> Option<i64> {
    let mut value: i64 = 0;
    for (index, &byte) in data.iter().take(6).enumerate() {
        value |= i64::from(byte & 0x3f) << (6 * index);
        if byte & 0x40 == 0 {
            return Some(if value & 1 == 1 { -(value >> 1) } else { value >> 1 });
        }
    }
    None
}
