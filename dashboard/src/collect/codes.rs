//! What a code index of the agent means: function, file, and the line of an instruction.
//!
//! The agent copied the names when it first saw the code. The line table is read from outside as soon
//! as the code shows up here, and only believed if the code object is still the same one.

use super::mapping::Mapping;
use super::memory::TargetMemory;
use crate::batch::CodeFact;
use cpython::Layout;
use cpython::lines::line_of;
use cpython::outside::line_table;
use cpython::sample::CodeKey;
use std::collections::HashMap;
use wire::code::{CodeEntry, encoding};

struct Known {
    first_line: u32,
    /// Absent if the code object was gone when we came to read it.
    table: Option<Vec<u8>>,
}

/// All codes seen so far; at most as many as the table has entries.
#[derive(Default)]
pub struct Codes {
    known: HashMap<u32, Known>,
    news: Vec<CodeFact>,
}

impl Codes {
    /// Makes sure that a code is known.
    pub fn see(&mut self, code: u32, mapping: &Mapping, python: Option<(&TargetMemory, &Layout)>) {
        if self.known.contains_key(&code) {
            return;
        }
        let Some(entry) = mapping.code(code) else { return };
        let key = CodeKey {
            code: entry.key.code,
            name: entry.key.name,
            file: entry.key.file,
            first_line: entry.key.first_line,
        };
        let table = python.and_then(|(memory, layout)| line_table(memory, layout, &key));
        self.known.insert(code, Known { first_line: key.first_line, table });
        let EntryText { function, file } = text(&entry);
        self.news.push(CodeFact { code, function, file, first_line: key.first_line });
    }

    /// The line of an instruction, if the line table could be read.
    pub fn line(&self, code: u32, instruction: u32, layout: Option<&Layout>) -> Option<u32> {
        let known = self.known.get(&code)?;
        line_of(layout?.code.line_format, known.table.as_ref()?, known.first_line, instruction)
    }

    /// Codes that were not told yet.
    pub fn take_news(&mut self) -> Vec<CodeFact> {
        std::mem::take(&mut self.news)
    }
}

struct EntryText {
    function: String,
    file: String,
}

fn text(entry: &CodeEntry) -> EntryText {
    EntryText {
        function: decode(&entry.name, entry.name_len, entry.name_encoding),
        file: decode(&entry.file, entry.file_len, entry.file_encoding),
    }
}

/// Text of a string as CPython keeps it. Lengths come from the target and are cut to what there is.
pub(super) fn decode(bytes: &[u8], len: u8, how: u8) -> String {
    let bytes = &bytes[..usize::from(len).min(bytes.len())];
    let units = |width: usize| bytes.chunks_exact(width);
    match how {
        encoding::LATIN1 => match std::str::from_utf8(bytes) {
            // A Python 2 `str` is bytes, mostly UTF-8; Latin-1 with high characters rarely is valid.
            Ok(text) => text.to_owned(),
            Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
        },
        encoding::UCS2 => {
            let units: Vec<u16> =
                units(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]])).collect();
            String::from_utf16_lossy(&units)
        }
        encoding::UCS4 => units(4)
            .map(|unit| u32::from_le_bytes([unit[0], unit[1], unit[2], unit[3]]))
            .map(|unit| char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_encoding_reads_back() {
        assert_eq!(decode(b"caf\xe9....", 4, encoding::LATIN1), "café");
        assert_eq!(decode(&[0x42, 0, 0xac, 0x20], 4, encoding::UCS2), "B€");
        assert_eq!(decode(&[0x40, 0xf6, 1, 0], 4, encoding::UCS4), "🙀");
        assert_eq!(decode(b"x", 200, encoding::LATIN1), "x");
        assert_eq!(decode(b"x", 1, 77), "");
    }
}
