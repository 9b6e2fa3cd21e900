//! Reading memory that may vanish or change while it is read.
//!
//! Addresses come from structures that other threads rewrite, so each is checked to lie in the user half of the
//! address space before it is handed to the reader, and a read gives all of its bytes or none.

/// Lowest address that is read: the first pages are never mapped (`vm.mmap_min_addr`).
const LOWEST: u64 = 0x1_0000;
/// End of the user half with four-level page tables (Linux `Documentation/arch/x86/x86_64/mm.rst`).
/// The kernel hands out more only to who asks for it, which no allocator below CPython does.
const END: u64 = 1 << 47;

/// Whether `bytes` bytes at `address` may lie in a process's own memory.
#[must_use]
pub const fn is_user_range(address: u64, bytes: u64) -> bool {
    address >= LOWEST && address < END && bytes <= END - address
}

/// Whether `address` may be that of an object or a structure of CPython: user memory, aligned to 8.
#[must_use]
pub const fn is_object_address(address: u64) -> bool {
    is_user_range(address, 8) && address.is_multiple_of(8)
}

/// A way to read a process's memory that survives any address, such as `process_vm_readv`.
///
/// The provided methods are what this crate uses; an implementor writes [`Memory::read`] only.
pub trait Memory {
    /// Copies `into.len()` bytes at `address`; `false` if not all of them could be read (then `into` is unspecified).
    fn read(&self, address: u64, into: &mut [u8]) -> bool;

    /// As [`Memory::read`], after checking the range.
    fn copy(&self, address: u64, into: &mut [u8]) -> bool {
        is_user_range(address, into.len() as u64) && self.read(address, into)
    }

    /// The 8 bytes at `address`.
    fn word(&self, address: u64) -> Option<u64> {
        let mut bytes = [0; 8];
        self.copy(address, &mut bytes).then(|| u64::from_le_bytes(bytes))
    }

    /// The address kept at `address`, if it may be that of an object.
    fn pointer(&self, address: u64) -> Option<u64> {
        self.word(address).filter(|&word| is_object_address(word))
    }
}

/// Up to `N` bytes read in one go, to be taken apart without further reads.
#[derive(Clone, Copy)]
pub(crate) struct Block<const N: usize> {
    bytes: [u8; N],
    used: usize,
}

impl<const N: usize> Block<N> {
    /// Reads `bytes` bytes (at most `N`) at `address`.
    pub(crate) fn read(memory: &impl Memory, address: u64, bytes: u64) -> Option<Self> {
        let mut block = Self { bytes: [0; N], used: usize::try_from(bytes).ok()? };
        let into = block.bytes.get_mut(..block.used)?;
        memory.copy(address, into).then_some(block)
    }

    fn array<const K: usize>(&self, offset: u64) -> Option<[u8; K]> {
        let start = usize::try_from(offset).ok()?;
        let end = start.checked_add(K)?;
        if end > self.used {
            return None;
        }
        self.bytes.get(start..end)?.try_into().ok()
    }

    pub(crate) fn word(&self, offset: u64) -> Option<u64> {
        self.array(offset).map(u64::from_le_bytes)
    }

    pub(crate) fn int(&self, offset: u64) -> Option<u32> {
        self.array(offset).map(u32::from_le_bytes)
    }

    pub(crate) fn byte(&self, offset: u64) -> Option<u8> {
        self.array(offset).map(u8::from_le_bytes)
    }

    /// The address at `offset`, if it may be that of an object.
    pub(crate) fn pointer(&self, offset: u64) -> Option<u64> {
        self.word(offset).filter(|&word| is_object_address(word))
    }
}
