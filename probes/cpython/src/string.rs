//! Reading a string object into a buffer of fixed size, without making text of it.
//!
//! `str` of 3.x in all its forms (PEP 393: compact ASCII, compact, and up to 3.11 the legacy ones), `str` and
//! `unicode` of 2.7. What the bytes mean is for the daemon to say; here they are copied as CPython keeps them.

use crate::Memory;
use crate::layout::{Layout, Text, Wide};
use crate::memory::{Block, is_object_address};

/// The most that is read of a string's header.
pub(crate) const HEADER_BYTES: usize = 64;
/// `Py_TPFLAGS_STRING_SUBCLASS` of 2.7, `Py_TPFLAGS_BYTES_SUBCLASS` of 3.x (`Include/object.h`).
const BYTES_SUBCLASS: u64 = 1 << 27;
/// `Py_TPFLAGS_UNICODE_SUBCLASS`.
const UNICODE_SUBCLASS: u64 = 1 << 28;
/// More characters than that no name has: the object is no string.
const LONGEST: u64 = 1 << 31;

/// How a string's bytes are to be read. The numbers are those of the wire's `encoding`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Encoding {
    /// One byte a character: ASCII or Latin-1, or the bytes of a 2.7 `str`.
    Latin1 = 1,
    /// Two bytes a character, little endian.
    Ucs2 = 2,
    /// Four bytes a character, little endian.
    Ucs4 = 4,
}

impl Encoding {
    /// Bytes of a character.
    #[must_use]
    pub const fn width(self) -> u64 {
        self as u64
    }

    const fn of_width(width: u32) -> Option<Self> {
        match width {
            1 => Some(Self::Latin1),
            2 => Some(Self::Ucs2),
            4 => Some(Self::Ucs4),
            _ => None,
        }
    }
}

/// What to keep of a string that is longer than the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Its beginning: for names.
    Start,
    /// Its end: for files, whose ends tell them apart.
    End,
}

/// A string that was copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Bytes of the buffer that are filled, a whole number of characters.
    pub bytes: usize,
    /// How to read them.
    pub encoding: Encoding,
    /// Whether the string was longer.
    pub cut: bool,
}

/// Where a string's characters stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) data: u64,
    /// Characters.
    pub(crate) length: u64,
    pub(crate) encoding: Encoding,
}

impl Place {
    /// Copies what fits into `into` of the characters that stand here. 1 read.
    pub(crate) fn copy(&self, memory: &impl Memory, keep: Keep, into: &mut [u8]) -> Option<Copied> {
        let width = self.encoding.width();
        let whole = self.length.checked_mul(width)?;
        let bytes = whole.min(into.len() as u64 / width * width);
        let skipped = if keep == Keep::End { whole - bytes } else { 0 };
        let into = into.get_mut(..usize::try_from(bytes).ok()?)?;
        if bytes > 0 && !memory.copy(self.data.checked_add(skipped)?, into) {
            return None;
        }
        Some(Copied { bytes: into.len(), encoding: self.encoding, cut: bytes != whole })
    }

    /// Whether the characters here still start (or end) as those that were copied do. 1 read.
    pub(crate) fn holds(&self, memory: &impl Memory, keep: Keep, copied: &[u8]) -> bool {
        let mut few = [0; 16];
        let now = self.copy(memory, keep, &mut few).and_then(|now| few.get(..now.bytes));
        now.is_some_and(|now| match keep {
            Keep::Start => copied.starts_with(now),
            Keep::End => copied.ends_with(now),
        })
    }
}

impl Layout {
    /// Copies the string object at `object` into `into`. `None` if it is no string or cannot be read.
    ///
    /// 3 reads, 4 for `unicode` of 2.7, up to 5 for legacy forms.
    pub fn string(
        &self,
        memory: &impl Memory,
        object: u64,
        keep: Keep,
        into: &mut [u8],
    ) -> Option<Copied> {
        self.string_place(memory, object)?.copy(memory, keep, into)
    }

    /// Where the characters of the string object at `object` stand.
    pub(crate) fn string_place(&self, memory: &impl Memory, object: u64) -> Option<Place> {
        if !is_object_address(object) {
            return None;
        }
        let bytes = match self.text {
            Text::Python2 { unicode_data, .. } => unicode_data + 8,
            Text::Python3 { state, length, .. } => (state + 4).max(length + 8),
        };
        let header = Block::<HEADER_BYTES>::read(memory, object, bytes)?;
        if !self.is_live(header.word(0)) {
            return None;
        }
        let type_object = header.pointer(self.object.type_of)?;
        let flags = memory.word(type_object.checked_add(self.object.type_flags)?)?;
        let place = match self.text {
            Text::Python2 { .. } if flags & BYTES_SUBCLASS != 0 => Place {
                data: object + self.object.bytes_data,
                length: header.word(self.object.bytes)?,
                encoding: Encoding::Latin1,
            },
            Text::Python2 { unicode_length, unicode_data } if flags & UNICODE_SUBCLASS != 0 => {
                python2_unicode(memory, header.word(unicode_data)?, header.word(unicode_length)?)?
            }
            Text::Python3 { length, state, .. } if flags & UNICODE_SUBCLASS != 0 => {
                self.python3(memory, object, header.word(length)?, header.int(state)?)?
            }
            Text::Python2 { .. } | Text::Python3 { .. } => return None,
        };
        (place.length < LONGEST).then_some(place)
    }

    /// The state's bits: interned 2, kind 3, compact 1, ascii 1, and up to 3.11 ready 1 (`Include/cpython/unicodeobject.h`).
    fn python3(&self, memory: &impl Memory, object: u64, length: u64, state: u32) -> Option<Place> {
        let Text::Python3 { ascii_data, compact_data, wide, .. } = self.text else {
            return None;
        };
        let (kind, compact, ascii) = (state >> 2 & 7, state >> 5 & 1 == 1, state >> 6 & 1 == 1);
        if kind == 0 {
            return wide.and_then(|wide| wide_place(memory, object, wide));
        }
        let encoding = Encoding::of_width(kind)?;
        let data = match (compact, ascii) {
            (true, true) if kind == 1 => object + ascii_data,
            (true, false) => object + compact_data,
            (false, _) => memory.word(object + compact_data)?,
            (true, true) => return None,
        };
        Some(Place { data, length, encoding })
    }
}

/// A string that only has its `wchar_t` form, which is 4 bytes wide on Linux.
fn wide_place(memory: &impl Memory, object: u64, wide: Wide) -> Option<Place> {
    Some(Place {
        data: memory.word(object + wide.data)?,
        length: memory.word(object + wide.length)?,
        encoding: Encoding::Ucs4,
    })
}

/// 2.7 is built with two or four bytes a character (`--enable-unicode`), which no structure tells. The first four bytes
/// do: as one character they are at most U+10FFFF, as two the second one (or the terminator) would have to be a control.
fn python2_unicode(memory: &impl Memory, data: u64, length: u64) -> Option<Place> {
    let first = Block::<4>::read(memory, data, 4)?.int(0)?;
    let encoding = if first <= 0x10_ffff { Encoding::Ucs4 } else { Encoding::Ucs2 };
    Some(Place { data, length, encoding })
}
