//! Entries for what a hostile target may show to whoever attaches: text of `/proc`, images, stacks,
//! filters. Each takes any bytes and must come back, soon and in bounded memory.
//!
//! `tests/fuzz` calls them under libFuzzer; the test below feeds them the corpus kept there.

use crate::elf::Module;
use crate::maps::Maps;
use crate::memory::Memory;
use crate::ptrace::Registers;
use crate::seccomp::{self, Instruction};
use crate::status::Status;
use crate::unwind::Unwinder;
use std::fs::File;
use std::os::fd::FromRawFd;
use std::os::unix::fs::FileExt;

/// Where the image of a fuzzed target is mapped.
const BASE: u64 = 0x1_0000;
/// More of an input is not looked at.
const IMAGE_BYTES: usize = 1 << 16;

/// The text of `/proc/PID/maps`.
pub fn maps(data: &[u8]) {
    let maps = Maps::parse(&String::from_utf8_lossy(data));
    assert!(maps.iter().all(|mapping| mapping.range.start < mapping.range.end));
    for mapping in maps.iter() {
        assert!(maps.at(mapping.range.start).is_some());
    }
    for head in maps.images() {
        assert!(maps.text_of(head).next().is_some(), "an image has code");
    }
}

/// The text of `/proc/PID/status`.
pub fn status(data: &[u8]) {
    Status::parse(&String::from_utf8_lossy(data));
}

/// A program that a seccomp filter may be; it ends, whatever it is.
pub fn filter(data: &[u8]) {
    let words = data.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word));
    let program: Vec<_> = words.map(Instruction::from_word).collect();
    seccomp::forbidden(&[program]);
}

/// Memory that holds `data` at [`BASE`] and nothing else.
fn memory_of(data: &[u8]) -> Memory {
    thread_local!(static FILE: File = {
        // SAFETY: the name is a C string; the descriptor is new and nobody else's.
        unsafe { File::from_raw_fd(libc::memfd_create(c"fuzz".as_ptr(), libc::MFD_CLOEXEC)) }
    });
    FILE.with(|file| {
        file.set_len(0).expect("a memfd can be emptied");
        file.write_all_at(data, BASE).expect("a memfd takes what fits into memory");
        Memory::new(file.try_clone().expect("a descriptor is left"))
    })
}

/// An image in memory: is it an interpreter, what does it export, and the stack of a thread in it.
pub fn image(data: &[u8]) {
    let data = &data[..data.len().min(IMAGE_BYTES)];
    let memory = memory_of(data);
    let end = BASE + (data.len() as u64).next_multiple_of(4096).max(4096);
    let text = format!("{BASE:x}-{end:x} r-xp 00000000 fd:01 7 /usr/bin/python\n");
    let maps = Maps::parse(&text);
    let _ = crate::python::find(&memory, &maps, "/usr/bin/python"); // any answer is right
    if let Some(module) = Module::read(&memory, BASE) {
        for symbol in module.symbols(&memory).unwrap_or_default() {
            assert!(symbol.name.len() <= data.len());
        }
        module.find(&memory, "getpid");
    }
    unwind(&memory, &maps, data);
}

/// Walks from registers that stand at the end of the data.
fn unwind(memory: &Memory, maps: &Maps, data: &[u8]) {
    let word = |i: usize| {
        let start = data.len().saturating_sub(8 * (i + 1));
        data.get(start..start + 8).map_or(0, |b| u64::from_le_bytes(b.try_into().expect("eight")))
    };
    // SAFETY: plain integers, for which zero is a value.
    let mut registers: Registers = unsafe { std::mem::zeroed() };
    registers.rip = BASE + word(0) % IMAGE_BYTES as u64;
    registers.rsp = BASE + word(1) % IMAGE_BYTES as u64;
    (registers.rbp, registers.rbx, registers.r12) = (word(2), word(3), word(4));
    let mut unwinder = Unwinder::default();
    unwinder.add(memory, maps, registers.rip);
    let _ = unwinder.walk(memory, &registers); // proven or not
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_takes_its_corpus() {
        type Entry = fn(&[u8]);
        let entries: [(&str, Entry); 4] =
            [("maps", maps), ("status", status), ("filter", filter), ("image", image)];
        for (name, entry) in entries {
            let folder = format!("{}/../../tests/fuzz/corpus/{name}", env!("CARGO_MANIFEST_DIR"));
            let files = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{folder}: {e}"));
            let inputs = files.map(|file| std::fs::read(file.unwrap().path()).unwrap());
            let n = inputs.map(|input| entry(&input)).count();
            assert!(n > 0, "{name} has no corpus");
            entry(&[]);
        }
    }
}
