//! A target's memory, read from outside through `/proc/PID/mem` (proc_pid_mem(5)).

use std::fs::File;
use std::os::unix::fs::FileExt;

/// Bound to the address space it was opened on: after an exec, reads fail.
pub struct TargetMemory(File);

impl TargetMemory {
    pub fn open(pid: u32) -> std::io::Result<Self> {
        File::open(format!("/proc/{pid}/mem")).map(Self)
    }
}

impl cpython::Memory for TargetMemory {
    fn read(&self, address: u64, into: &mut [u8]) -> bool {
        self.0.read_exact_at(into, address).is_ok()
    }
}
