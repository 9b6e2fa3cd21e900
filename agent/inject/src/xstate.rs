//! The borrowed thread's floating point and vector state, in the form that `rt_sigreturn` takes back.
//!
//! The trap: the size must be what the *task* uses. ptrace returns the machine's maximum; passing that
//! on for a process without AMX permission makes the kernel restore only the SSE part, silently.
//! (Linux arch/x86/kernel/fpu/signal.c, `check_xstate_in_sigframe`.)

use std::arch::x86_64::__cpuid_count;
use std::sync::OnceLock;

/// `FP_XSTATE_MAGIC1` and `2` (asm/sigcontext.h).
const MAGIC1: u32 = 0x4650_5853;
const MAGIC2: u32 = 0x4650_5845;
/// x87, SSE, AVX, MPX, AVX-512 and PKRU: what a task has without asking.
const ALWAYS: u64 = 0x2ff;
/// Bytes of the legacy area and the header.
const LEAST: usize = 576;
/// Readable bytes kept behind the block.
const SLACK: usize = 64;

/// Sizes and offsets of state components 2 to 31 (CPUID leaf 0xD). CPUID traps in a VM: asked once.
fn components() -> &'static [(usize, usize); 32] {
    static COMPONENTS: OnceLock<[(usize, usize); 32]> = OnceLock::new();
    COMPONENTS.get_or_init(|| {
        let mut all = [(0, 0); 32];
        for (index, component) in all.iter_mut().enumerate().skip(2) {
            let leaf = __cpuid_count(0xd, index as u32);
            *component = (leaf.eax as usize, leaf.ebx as usize);
        }
        all
    })
}

/// Asks CPUID now, so that no thread stands still meanwhile.
pub(crate) fn warm_up() {
    components();
}

/// Turns what `PTRACE_GETREGSET NT_X86_XSTATE` gave into a signal frame's block.
///
/// `None` if it is too short or does not say which components there are.
pub(crate) fn signal_block(regset: &[u8]) -> Option<Vec<u8>> {
    let word = |at: usize| Some(u64::from_le_bytes(regset.get(at..at + 8)?.try_into().ok()?));
    let enabled = word(464)?;
    let in_use = word(512)?;
    let features = (enabled & ALWAYS) | (in_use & enabled);
    let ends = (2..32)
        .filter(|index| features >> index & 1 == 1)
        .map(|index| components()[index].0 + components()[index].1);
    let size = ends.max().unwrap_or(0).max(LEAST);
    if enabled == 0 || size > regset.len() {
        return None;
    }
    let mut block = regset[..size].to_vec();
    block[464..512].fill(0);
    block[464..468].copy_from_slice(&MAGIC1.to_le_bytes());
    block[468..472].copy_from_slice(&(size as u32 + 4).to_le_bytes());
    block[472..480].copy_from_slice(&features.to_le_bytes());
    block[480..484].copy_from_slice(&(size as u32).to_le_bytes());
    block[512..520].copy_from_slice(&(in_use & features).to_le_bytes());
    block.extend_from_slice(&MAGIC2.to_le_bytes());
    block.resize(size + 4 + SLACK, 0);
    Some(block)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_follows_the_task_not_the_machine() {
        let mut regset = vec![0u8; 16384];
        regset[464..472].copy_from_slice(&0x3u64.to_le_bytes());
        regset[512..520].copy_from_slice(&0x3u64.to_le_bytes());
        let block = signal_block(&regset).unwrap();
        assert_eq!(block.len(), LEAST + 4 + SLACK);
        assert_eq!(block[480..484], 576u32.to_le_bytes());
        assert_eq!(block[576..580], MAGIC2.to_le_bytes());
    }

    #[test]
    fn too_short_or_empty_is_refused() {
        assert_eq!(signal_block(&[0; 100]), None);
        assert_eq!(signal_block(&[0; 4096]), None);
    }
}
