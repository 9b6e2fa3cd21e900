//! The list of free frames (up to 3.10): a static variable up to 3.9, part of the interpreter's state in 3.10.
//!
//! No symbol tells where it is, but small exported functions use it: `_PyFrame_DebugMallocStats` loads the number of free
//! frames, `PyFrame_ClearFreeList` the list and then the number. Their first instructions are decoded, and what comes of it
//! is believed only if the list has as many frames as the number says.

use super::Kind;
use crate::Memory;
use crate::memory::is_object_address;

/// `PyFrame_MAXFREELIST`.
const MOST: u64 = 200;
/// Bytes of a function that are looked at.
const BYTES: usize = 48;

/// Where the number of free frames stands; the list itself is the word before it, or right behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FreeList {
    /// An address, and the address of the list if the code told it.
    Static(u64, Option<u64>),
    /// An offset in `PyInterpreterState`; the list stands before it (`struct _Py_frame_state`).
    InInterpreter(u64),
}

impl FreeList {
    pub(super) fn find(memory: &impl Memory, kind: Kind, users: &[Option<u64>; 2]) -> Option<Self> {
        if !matches!(kind, Kind::Objects { .. }) {
            return None;
        }
        users.iter().flatten().find_map(|&function| {
            let mut code = [0; BYTES];
            if !memory.copy(function, &mut code) {
                return None;
            }
            decode(&code, function)
        })
    }

    /// Number and bytes of the free frames; `free` gives the next one and the bytes of a frame that is free.
    pub(super) fn walk(
        self,
        memory: &impl Memory,
        interpreters: &[u64],
        free: impl Fn(u64) -> Option<(u64, u64)>,
    ) -> Option<(u64, u64)> {
        let one = |number: u64, head: u64| {
            let count = memory.word(number)? & 0xffff_ffff;
            let first = memory.word(head)?;
            let bytes = chain(first, count, &free)?;
            let same = memory.word(head)? == first && memory.word(number)? & 0xffff_ffff == count;
            same.then_some((count, bytes))
        };
        match self {
            Self::Static(number, Some(head)) => one(number, head),
            // The compiler chose the order of two neighbours.
            Self::Static(number, None) => {
                let before = number.checked_sub(8).filter(|_| number.is_multiple_of(8));
                let behind = (number + 4).next_multiple_of(8);
                core::iter::once(behind).chain(before).find_map(|head| one(number, head))
            }
            Self::InInterpreter(offset) => {
                let all = interpreters.iter().map(|&interpreter| {
                    let number = interpreter.checked_add(offset)?;
                    one(number, number.checked_sub(8)?)
                });
                all.sum_pairs()
            }
        }
    }
}

/// Bytes of a chain of exactly `count` frames.
fn chain(first: u64, count: u64, free: impl Fn(u64) -> Option<(u64, u64)>) -> Option<u64> {
    if count > MOST {
        return None;
    }
    let (mut at, mut bytes) = (first, 0);
    for _ in 0..count {
        if !is_object_address(at) {
            return None;
        }
        let (next, more) = free(at)?;
        (at, bytes) = (next, bytes + more);
    }
    // Of an empty list the variable itself is null; the last frame of another leads to none.
    (at == 0).then_some(bytes)
}

trait SumPairs {
    fn sum_pairs(self) -> Option<(u64, u64)>;
}

impl<I: Iterator<Item = Option<(u64, u64)>>> SumPairs for I {
    fn sum_pairs(mut self) -> Option<(u64, u64)> {
        self.try_fold((0, 0), |sum: (u64, u64), more| more.map(|m| (sum.0 + m.0, sum.1 + m.1)))
    }
}

/// The first 32-bit load of a function, and the 64-bit load from a fixed address before it, if there is one.
///
/// Knows the few instructions that compilers put there; any other ends it.
fn decode(code: &[u8], function: u64) -> Option<FreeList> {
    let (mut at, mut head) = (0_usize, None);
    let byte = |at: usize| code.get(at).copied();
    let int = |at: usize| Some(i32::from_le_bytes(code.get(at..at + 4)?.try_into().ok()?));
    if code.starts_with(&[0xf3, 0x0f, 0x1e, 0xfa]) {
        at = 4; // endbr64
    }
    while at < BYTES {
        let prefix = byte(at).filter(|byte| (0x40..0x50).contains(byte));
        let start = at + usize::from(prefix.is_some());
        let is_wide = prefix.is_some_and(|prefix| prefix & 8 != 0);
        let (opcode, modrm) = (byte(start)?, byte(start + 1)?);
        at = match opcode {
            0x50..=0x57 => start + 1,             // push
            0xb8..=0xbf if !is_wide => start + 5, // mov register, constant
            0x83 => start + 3,                    // sub rsp, small constant
            0x85 | 0x31 => start + 2,             // test, xor of registers
            0x8b | 0x8d => {
                let (form, rest) = (modrm >> 6, modrm & 7);
                let end = match (form, rest) {
                    (0, 5) | (2, 0..=3 | 5..=7) => start + 6,
                    (1, 0..=3 | 5..=7) => start + 3,
                    _ => return None,
                };
                if opcode == 0x8b && form == 0 {
                    let to = (function + end as u64).checked_add_signed(int(start + 2)?.into())?;
                    if !is_wide {
                        return Some(FreeList::Static(to, head));
                    }
                    head = Some(to);
                }
                if opcode == 0x8b && form == 2 && !is_wide {
                    let offset = u64::try_from(int(start + 2)?).ok()?;
                    return Some(FreeList::InInterpreter(offset));
                }
                end
            }
            _ => return None,
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{FreeList, decode};

    /// The beginnings of the functions in 2.7.18, 3.8.18 and 3.10.13, as GCC 12 made them.
    #[test]
    fn loads_of_the_number_are_found() {
        let padded = |code: &[u8]| {
            let mut bytes = [0xcc; super::BYTES];
            bytes[..code.len()].copy_from_slice(code);
            decode(&bytes, 0x1000)
        };
        let clear = b"\x48\x8b\x3d\xf1\x41\x16\x00\x53\x8b\x1d\xe2\x41\x16\x00\x48\x85\xff";
        let (list, number) = (0x1007 + 0x16_41f1, 0x100e + 0x16_41e2);
        assert_eq!(padded(clear), Some(FreeList::Static(number, Some(list))));
        let stats = b"\x8b\x15\x5a\x36\x2a\x00\xb9\x70\x01\x00\x00";
        assert_eq!(padded(stats), Some(FreeList::Static(0x1006 + 0x2a_365a, None)));
        let state = b"\x48\x8b\x05\x19\x20\x29\x00\xb9\x68\x01\x00\x00\x48\x8d\x35\x91\xb0\x1a\x00\
            \x48\x8b\x80\x38\x02\x00\x00\x48\x8b\x40\x10\x8b\x90\xd8\x2e\x00\x00\xe9";
        assert_eq!(padded(state), Some(FreeList::InInterpreter(0x2ed8)));
        assert_eq!(padded(b"\x0f\x05"), None);
        assert_eq!(padded(b"\x8b\x04\x25"), None);
    }
}
