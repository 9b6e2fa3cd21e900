//! A chain of hand-made signal frames on the borrowed thread's own stack.
//!
//! Each frame is what `rt_sigreturn` restores: the kernel itself runs step after step and puts the
//! thread back with the last one, whether or not gilscope still lives (injection.md sections 1 and 2).
//! Low to high: room for the called functions, frames, data, extended state, red zone, the thread's rsp.
//!
//! Pure arithmetic on addresses and bytes; nothing is read or written here.

use crate::ptrace::Registers;

/// Bytes of one frame; the first word is where the previous step returns to.
const FRAME: u64 = 320;
/// The ABI's area below rsp that a leaf function may use (System V x86-64, section 3.2.2).
const RED_ZONE: u64 = 128;
/// `UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS` (asm/ucontext.h).
const UC_FLAGS: u64 = 7;
const USER_CS: u64 = 0x33;
const USER_SS: u64 = 0x2b;
/// Trap, direction and alignment-check flags: a called function must not see them.
const UNWANTED_FLAGS: u64 = 0x100 | 0x400 | 0x40000;
/// Blocks every signal; a raw sigreturn may block even those that libc keeps for itself.
pub(crate) const ALL_BLOCKED: u64 = !0;

/// One step of a chain.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// A system call: its number and arguments.
    Syscall(i64, [u64; 6]),
    /// A call of a function: address and arguments.
    Call(u64, [u64; 6]),
}

/// Where everything will lie.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    first: u64,
    steps: usize,
    /// Address of the caller's data, 16-aligned.
    pub(crate) data: u64,
    data_len: usize,
    state: u64,
    end: u64,
}

/// What the chain needs of the target.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Anchors {
    pub(crate) restore_rt: u64,
    pub(crate) syscall_ret: u64,
}

impl Place {
    /// Lays out `steps` steps, `data_len` bytes of data and `state_len` of extended state below `rsp`.
    pub(crate) fn below(rsp: u64, steps: usize, data_len: usize, state_len: usize) -> Self {
        let end = rsp - RED_ZONE;
        let state = (end - state_len as u64) & !63;
        let data = (state - data_len as u64) & !15;
        // Functions are entered with rsp at a frame: the ABI wants that to be 8 modulo 16.
        let first = data - FRAME * (steps as u64 + 1) - 8;
        Self { first, steps, data, data_len, state, end }
    }

    /// Address of the frame of step `index`; the one behind the last step takes the thread home.
    pub(crate) fn frame(&self, index: usize) -> u64 {
        self.first + FRAME * index as u64
    }

    /// Address of the last frame's `uc`.
    pub(crate) fn home_uc(&self) -> u64 {
        self.frame(self.steps) + 8
    }

    /// rsp with which the chain is started.
    pub(crate) fn entry(&self) -> u64 {
        self.frame(0) + 8
    }

    /// The lowest address that is written.
    pub(crate) fn lowest(&self) -> u64 {
        self.first
    }

    /// The bytes from [`Place::lowest`] on.
    pub(crate) fn image(
        &self,
        steps: &[Step],
        data: &[u8],
        state: &[u8],
        home: &Home,
        anchors: Anchors,
    ) -> Vec<u8> {
        assert!(steps.len() == self.steps && data.len() == self.data_len, "laid out for others");
        let mut bytes = Vec::with_capacity((self.end - self.first) as usize);
        for (index, step) in steps.iter().enumerate() {
            let registers = step.registers(&home.registers, self.frame(index + 1), anchors);
            self.push_frame(&mut bytes, &registers, ALL_BLOCKED, anchors);
        }
        self.push_frame(&mut bytes, &home.registers, home.mask, anchors);
        bytes.resize((self.data - self.first) as usize, 0);
        bytes.extend_from_slice(data);
        bytes.resize((self.state - self.first) as usize, 0);
        bytes.extend_from_slice(state);
        bytes
    }

    fn push_frame(&self, bytes: &mut Vec<u8>, r: &Registers, mask: u64, anchors: Anchors) {
        let words = [
            anchors.restore_rt,
            UC_FLAGS,
            0,
            0,
            0,
            0, // return address, uc_flags, uc_link, uc_stack
            r.r8,
            r.r9,
            r.r10,
            r.r11,
            r.r12,
            r.r13,
            r.r14,
            r.r15,
            r.rdi,
            r.rsi,
            r.rbp,
            r.rbx,
            r.rdx,
            r.rax,
            r.rcx,
            r.rsp,
            r.rip,
            r.eflags,
            USER_CS | USER_SS << 48,
            0,
            0,
            0,
            0, // cs gs fs ss, err trapno oldmask cr2
            self.state,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            mask,
            0,
        ];
        debug_assert_eq!(words.len() as u64 * 8, FRAME);
        words.iter().for_each(|word| bytes.extend_from_slice(&word.to_le_bytes()));
    }
}

/// How the thread goes on afterwards.
#[derive(Clone, Copy)]
pub(crate) struct Home {
    pub(crate) registers: Registers,
    pub(crate) mask: u64,
}

impl Step {
    fn registers(&self, home: &Registers, rsp: u64, anchors: Anchors) -> Registers {
        let mut r = *home;
        let arguments = match *self {
            Step::Syscall(number, arguments) => {
                (r.rip, r.rax, r.r10) = (anchors.syscall_ret, number as u64, arguments[3]);
                arguments
            }
            Step::Call(address, arguments) => {
                (r.rip, r.rax) = (address, 0);
                arguments
            }
        };
        [r.rdi, r.rsi, r.rdx, r.rcx, r.r8, r.r9] = arguments;
        r.rsp = rsp;
        r.eflags &= !UNWANTED_FLAGS;
        r
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANCHORS: Anchors = Anchors { restore_rt: 0x1111, syscall_ret: 0x2222 };

    fn word(bytes: &[u8], at: u64) -> u64 {
        u64::from_le_bytes(bytes[at as usize..at as usize + 8].try_into().unwrap())
    }

    #[test]
    fn frames_chain_and_stay_below_the_red_zone() {
        for rsp in (0x7fff_0000_1000u64..).step_by(8).take(16) {
            let steps = [Step::Syscall(39, [1, 2, 3, 4, 5, 6]), Step::Call(0x3333, [7; 6])];
            let place = Place::below(rsp, 2, 70, 2756);
            // SAFETY: a struct of integers, for which zero is a value.
            let mut registers: Registers = unsafe { std::mem::zeroed() };
            (registers.rsp, registers.rip, registers.eflags) = (rsp, 0x4444, 0x746);
            let home = Home { registers, mask: 0xff };
            let bytes = place.image(&steps, &[9; 70], &[8; 2756], &home, ANCHORS);
            assert!(place.lowest() + bytes.len() as u64 <= rsp - RED_ZONE);
            for (index, rip) in [(0, 0x2222), (1, 0x3333), (2, 0x4444)] {
                let at = place.frame(index) - place.lowest();
                assert_eq!(place.frame(index) % 16, 8);
                assert_eq!(word(&bytes, at), 0x1111);
                assert_eq!(word(&bytes, at + 176), rip);
                assert_eq!(word(&bytes, at + 232) % 64, 0);
            }
            let first = place.frame(0) - place.lowest();
            assert_eq!(word(&bytes, first + 168), place.frame(1), "returns into the next frame");
            assert_eq!(word(&bytes, first + 152), 39);
            assert_eq!((word(&bytes, first + 112), word(&bytes, first + 64)), (1, 4));
            assert_eq!(word(&bytes, first + 184), 0x246, "no direction, trap or alignment flag");
            assert_eq!(word(&bytes, first + 304), ALL_BLOCKED);
            let last = place.home_uc() - 8 - place.lowest();
            assert_eq!((word(&bytes, last + 168), word(&bytes, last + 184)), (rsp, 0x746));
            assert_eq!(word(&bytes, last + 304), 0xff);
            assert_eq!(bytes[(place.data - place.lowest()) as usize..][..70], [9; 70]);
        }
    }
}
