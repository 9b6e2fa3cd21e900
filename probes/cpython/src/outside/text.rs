//! Strings of the target as `String`, and comparing them cheaply.

use alloc::string::String;
use alloc::vec;

use crate::Memory;
use crate::layout::{Layout, Text};
use crate::string::{Encoding, Keep};

/// Bytes that are kept of a string.
const LONGEST: usize = 4096;

/// The text of a string object, cut to what is sensible for a name.
pub(super) fn text(memory: &impl Memory, layout: &Layout, object: u64) -> Option<String> {
    let mut buffer = vec![0; LONGEST];
    let copied = layout.string(memory, object, Keep::Start, &mut buffer)?;
    let bytes = buffer.get(..copied.bytes)?;
    // A Python 2 `str` is bytes, mostly UTF-8; Latin-1 with high characters rarely is valid as such.
    if let (Text::Python2 { .. }, Encoding::Latin1, Ok(text)) =
        (&layout.text, copied.encoding, core::str::from_utf8(bytes))
    {
        return Some(text.into());
    }
    decode(bytes, copied.encoding)
}

/// Text of bytes as CPython keeps them. Lone surrogates become U+FFFD; what is no character at all is refused.
fn decode(bytes: &[u8], encoding: Encoding) -> Option<String> {
    match encoding {
        Encoding::Latin1 => Some(bytes.iter().copied().map(char::from).collect()),
        Encoding::Ucs2 => {
            let units = bytes.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit));
            Some(
                char::decode_utf16(units)
                    .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
                    .collect(),
            )
        }
        Encoding::Ucs4 => bytes
            .as_chunks::<4>()
            .0
            .iter()
            .map(|unit| character(u32::from_le_bytes(*unit)))
            .collect(),
    }
}

fn character(unit: u32) -> Option<char> {
    (unit <= 0x10_ffff).then(|| char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER))
}

/// Whether the string object at `object` is the ASCII text `expected`: mostly one read, as lengths differ.
pub(super) fn is_text(memory: &impl Memory, layout: &Layout, object: u64, expected: &[u8]) -> bool {
    let length_at = match layout.text {
        Text::Python2 { .. } => layout.object.bytes,
        Text::Python3 { length, .. } => length,
    };
    if object.checked_add(length_at).and_then(|at| memory.word(at)) != Some(expected.len() as u64) {
        return false;
    }
    let mut buffer = [0; 32];
    let copied = layout.string(memory, object, Keep::Start, &mut buffer);
    copied.is_some_and(|copied| {
        copied.encoding == Encoding::Latin1
            && !copied.cut
            && buffer.get(..copied.bytes) == Some(expected)
    })
}

#[cfg(test)]
mod tests {
    use super::decode;
    use crate::string::Encoding;

    #[test]
    fn decodes_each_width() {
        assert_eq!(decode(b"caf\xe9", Encoding::Latin1).as_deref(), Some("café"));
        assert_eq!(
            decode(&[0x93, 0x30, 0x00, 0xd8], Encoding::Ucs2).as_deref(),
            Some("ん\u{fffd}")
        );
        assert_eq!(decode(&[0x40, 0xf4, 0x01, 0x00], Encoding::Ucs4).as_deref(), Some("👀"));
        assert_eq!(decode(&[0, 0, 0, 1], Encoding::Ucs4), None);
    }
}
