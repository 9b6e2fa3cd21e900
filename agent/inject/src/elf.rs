//! Exported symbols of a loaded ELF image, read from the target's memory.
//!
//! No file that the target names is opened: the image in memory is what runs, even when the file was
//! upgraded or lies in another mount namespace. Everything is bounded; a lying image gives `None`.

use crate::memory::Memory;
use object::elf::{
    DT_GNU_HASH, DT_HASH, DT_STRSZ, DT_STRTAB, DT_SYMTAB, Dyn64, ELFCLASS64, ET_DYN, FileHeader64,
    PF_X, PT_DYNAMIC, PT_GNU_EH_FRAME, PT_LOAD, ProgramHeader64, SHN_UNDEF, STT_GNU_IFUNC, Sym64,
};
use object::{LittleEndian as LE, pod};
use std::ops::Range;

const MAX_SYMBOLS: u64 = 1 << 20;
const MAX_HEADERS: u64 = 256;
const MAX_DYNAMIC: u64 = 4096;

/// A defined symbol of the dynamic table.
#[derive(Clone, Debug)]
pub(crate) struct Symbol {
    pub(crate) name: String,
    pub(crate) address: u64,
    /// Resolved by calling it: not a function to be called by address.
    pub(crate) indirect: bool,
}

/// One loaded image.
#[derive(Clone, Debug)]
pub(crate) struct Module {
    bias: u64,
    /// Executable segments.
    pub(crate) text: Vec<Range<u64>>,
    /// All segments.
    pub(crate) loads: Vec<Range<u64>>,
    /// `.eh_frame_hdr`.
    pub(crate) unwind_index: Option<Range<u64>>,
    symbols: u64,
    strings: u64,
    strings_len: u64,
    gnu_hash: Option<u64>,
    hash: Option<u64>,
}

impl Module {
    /// Reads the headers of the image whose first byte is mapped at `base`.
    pub(crate) fn read(memory: &Memory, base: u64) -> Option<Self> {
        let bytes = memory.read(base, size_of::<FileHeader64<LE>>() as u64).ok()?;
        let (header, _) = pod::from_bytes::<FileHeader64<LE>>(&bytes).ok()?;
        let count = u64::from(header.e_phnum.get(LE));
        let known = header.e_ident.magic == *b"\x7fELF" && header.e_ident.class == ELFCLASS64;
        if !known || count > MAX_HEADERS {
            return None;
        }
        let at = base.checked_add(header.e_phoff.get(LE))?;
        let bytes = memory.read(at, count * size_of::<ProgramHeader64<LE>>() as u64).ok()?;
        let (headers, _) =
            pod::slice_from_bytes::<ProgramHeader64<LE>>(&bytes, count as usize).ok()?;
        let first = headers.iter().find(|segment| segment.p_type.get(LE) == PT_LOAD)?;
        let bias = match header.e_type.get(LE) {
            ET_DYN => base.wrapping_sub(first.p_vaddr.get(LE) & !0xfff),
            _ => 0,
        };
        let mut module = Self {
            bias,
            text: Vec::new(),
            loads: Vec::new(),
            unwind_index: None,
            symbols: 0,
            strings: 0,
            strings_len: 0,
            gnu_hash: None,
            hash: None,
        };
        for segment in headers {
            module.take_segment(memory, segment)?;
        }
        Some(module)
    }

    fn take_segment(&mut self, memory: &Memory, segment: &ProgramHeader64<LE>) -> Option<()> {
        let start = self.bias.wrapping_add(segment.p_vaddr.get(LE));
        let range = start..start.checked_add(segment.p_memsz.get(LE))?;
        match segment.p_type.get(LE) {
            PT_LOAD => {
                if segment.p_flags.get(LE).contains(PF_X) {
                    self.text.push(range.clone());
                }
                self.loads.push(range);
            }
            PT_GNU_EH_FRAME => self.unwind_index = Some(range),
            PT_DYNAMIC => self.take_dynamic(memory, range)?,
            _ => {}
        }
        Some(())
    }

    fn take_dynamic(&mut self, memory: &Memory, range: Range<u64>) -> Option<()> {
        let count = ((range.end - range.start) / size_of::<Dyn64<LE>>() as u64).min(MAX_DYNAMIC);
        let bytes = memory.read(range.start, count * size_of::<Dyn64<LE>>() as u64).ok()?;
        let (entries, _) = pod::slice_from_bytes::<Dyn64<LE>>(&bytes, count as usize).ok()?;
        // glibc relocates these pointers in place where the section is writable; musl and the vdso do not.
        let place = |value: u64| {
            if value < self.bias { value.wrapping_add(self.bias) } else { value }
        };
        for entry in entries {
            let value = entry.d_val.get(LE);
            match entry.d_tag.get(LE) {
                DT_SYMTAB => self.symbols = place(value),
                DT_STRTAB => self.strings = place(value),
                DT_STRSZ => self.strings_len = value,
                DT_GNU_HASH => self.gnu_hash = Some(place(value)),
                DT_HASH => self.hash = Some(place(value)),
                _ => {}
            }
        }
        Some(())
    }

    /// All defined symbols, sorted by address.
    pub(crate) fn symbols(&self, memory: &Memory) -> Option<Vec<Symbol>> {
        let count = self.count(memory)?;
        let bytes = memory.read(self.symbols, count * size_of::<Sym64<LE>>() as u64).ok()?;
        let (table, _) = pod::slice_from_bytes::<Sym64<LE>>(&bytes, count as usize).ok()?;
        let strings = memory.read(self.strings, self.strings_len).ok()?;
        // Names may share their ends, but a million that all share one long string are an attack.
        let mut room = 2 * strings.len();
        let mut symbols: Vec<_> = table
            .iter()
            .filter(|symbol| symbol.st_shndx.get(LE) != SHN_UNDEF)
            .filter_map(|symbol| {
                let name = strings.get(symbol.st_name.get(LE) as usize..)?;
                let end = name.iter().take(room + 1).position(|byte| *byte == 0)?;
                room -= end;
                Some(Symbol {
                    name: String::from_utf8_lossy(&name[..end]).into_owned(),
                    address: self.bias.wrapping_add(symbol.st_value.get(LE)),
                    indirect: symbol.st_type() == STT_GNU_IFUNC,
                })
            })
            .collect();
        symbols.sort_by_key(|symbol| symbol.address);
        Some(symbols)
    }

    /// Address of one defined symbol. Indirect functions count as not there.
    pub(crate) fn find(&self, memory: &Memory, name: &str) -> Option<u64> {
        match self.gnu_hash {
            Some(table) => self.find_hashed(memory, table, name),
            None => {
                let symbols = self.symbols(memory)?;
                symbols.iter().find(|s| s.name == name && !s.indirect).map(|s| s.address)
            }
        }
    }

    /// The GNU hash table's way (binutils' `.gnu.hash`): bucket, then the chain to its end bit.
    fn find_hashed(&self, memory: &Memory, table: u64, name: &str) -> Option<u64> {
        let hash =
            name.bytes().fold(5381u32, |h, byte| h.wrapping_mul(33).wrapping_add(byte.into()));
        let [buckets, first, bloom, _] = gnu_header(memory, table)?;
        let bucket_at = table.wrapping_add(16 + 8 * u64::from(bloom));
        let mut index = memory.u32(bucket_at.wrapping_add(4 * u64::from(hash % buckets))).ok()?;
        let chain_at = bucket_at.wrapping_add(4 * u64::from(buckets));
        if index < first {
            return None;
        }
        for _ in 0..4096 {
            let seen = memory.u32(chain_at.wrapping_add(4 * u64::from(index - first))).ok()?;
            if seen | 1 == hash | 1
                && let Some(address) = self.symbol_if_named(memory, index, name)
            {
                return Some(address);
            }
            if seen & 1 == 1 {
                return None;
            }
            index = index.checked_add(1)?;
        }
        None
    }

    fn symbol_if_named(&self, memory: &Memory, index: u32, name: &str) -> Option<u64> {
        let size = size_of::<Sym64<LE>>() as u64;
        let bytes = memory.read(self.symbols.wrapping_add(size * u64::from(index)), size).ok()?;
        let (symbol, _) = pod::from_bytes::<Sym64<LE>>(&bytes).ok()?;
        let at = self.strings.checked_add(symbol.st_name.get(LE).into())?;
        let seen = memory.read_some(at, name.len() + 1);
        let same = seen.strip_suffix(&[0]) == Some(name.as_bytes());
        let defined = symbol.st_shndx.get(LE) != SHN_UNDEF && symbol.st_type() != STT_GNU_IFUNC;
        (same && defined).then(|| self.bias.wrapping_add(symbol.st_value.get(LE)))
    }

    fn count(&self, memory: &Memory) -> Option<u64> {
        if let Some(table) = self.hash {
            return memory
                .u32(table.wrapping_add(4))
                .ok()
                .map(u64::from)
                .filter(|n| *n <= MAX_SYMBOLS);
        }
        let table = self.gnu_hash?;
        let [buckets, first, bloom, _] = gnu_header(memory, table)?;
        let bucket_at = table.wrapping_add(16 + 8 * u64::from(bloom));
        let bytes = memory.read(bucket_at, 4 * u64::from(buckets)).ok()?;
        let highest = bytes
            .chunks_exact(4)
            .map(|word| u32::from_le_bytes(word.try_into().expect("chunks of four")))
            .max()?;
        if highest < first {
            return Some(first.into());
        }
        let chain_at = bucket_at.wrapping_add(4 * u64::from(buckets));
        let mut last = u64::from(highest);
        while memory.u32(chain_at.wrapping_add(4 * (last - u64::from(first)))).ok()? & 1 == 0 {
            last += 1;
            if last > MAX_SYMBOLS {
                return None;
            }
        }
        Some(last + 1)
    }
}

/// Buckets, first hashed symbol, words of the Bloom filter, its shift.
fn gnu_header(memory: &Memory, table: u64) -> Option<[u32; 4]> {
    let bytes: [u8; 16] = memory.array(table).ok()?;
    let word =
        |i: usize| u32::from_le_bytes(bytes[4 * i..4 * i + 4].try_into().expect("four bytes"));
    let header = [word(0), word(1), word(2), word(3)];
    let sane = header[0] != 0 && header[0] <= MAX_SYMBOLS as u32 && header[2] <= MAX_SYMBOLS as u32;
    sane.then_some(header)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Identity;

    #[test]
    fn finds_our_own_libc_symbols_both_ways() {
        let own = Identity::of(std::process::id()).unwrap();
        let (memory, maps) = (own.memory(false).unwrap(), own.maps().unwrap());
        let head = maps.images().find(|head| head.file_name().starts_with("libc.so")).unwrap();
        let module = Module::read(&memory, head.range.start).unwrap();
        let hashed = module.find(&memory, "getpid").unwrap();
        let listed = module.symbols(&memory).unwrap();
        assert_eq!(listed.iter().find(|s| s.name == "getpid").unwrap().address, hashed);
        assert_eq!(hashed, libc::getpid as *const () as u64);
        assert_eq!(module.find(&memory, "no_such_function"), None);
    }
}
