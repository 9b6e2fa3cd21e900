//! The target's memory through `/proc/PID/mem` (proc_pid_mem(5)).
//!
//! The file is bound to the address space it was opened on: after an exec, reads and writes fail
//! instead of reaching the new program.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Most bytes taken in one read, so that a lying size cannot make us big.
const MAX_READ: u64 = 64 << 20;

#[derive(Debug)]
pub(crate) struct Memory {
    file: File,
}

impl Memory {
    pub(crate) fn new(file: File) -> Self {
        Self { file }
    }

    pub(crate) fn read_into(&self, address: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(bytes, address)
    }

    pub(crate) fn read(&self, address: u64, length: u64) -> io::Result<Vec<u8>> {
        if length > MAX_READ {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut bytes = vec![0; length as usize];
        self.read_into(address, &mut bytes)?;
        Ok(bytes)
    }

    /// As many of `length` bytes as can be read from `address` on.
    pub(crate) fn read_some(&self, address: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        let mut filled = 0;
        while filled < length {
            match self.file.read_at(&mut bytes[filled..], address.wrapping_add(filled as u64)) {
                Ok(0) | Err(_) => break,
                Ok(more) => filled += more,
            }
        }
        bytes.truncate(filled);
        bytes
    }

    pub(crate) fn array<const N: usize>(&self, address: u64) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.read_into(address, &mut bytes)?;
        Ok(bytes)
    }

    pub(crate) fn u64(&self, address: u64) -> io::Result<u64> {
        self.array(address).map(u64::from_le_bytes)
    }

    pub(crate) fn u32(&self, address: u64) -> io::Result<u32> {
        self.array(address).map(u32::from_le_bytes)
    }

    pub(crate) fn write(&self, address: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, address)
    }
}
