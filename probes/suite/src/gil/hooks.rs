//! The hooks themselves: compare, perhaps record, jump to the original.
//!
//! Naked functions: on entry the stack is as the caller left it, and it is so again when the
//! original gets control; the original returns straight to the caller. Argument registers are kept,
//! everything else is caller-saved by the System V ABI. One push more than the return address keeps
//! the stack aligned to 16 for the Rust function in between.

use super::{acquired, released, semaphore, wait};
use crate::hot::HOT;
use crate::originals::ORIGINALS;
use core::arch::naked_asm;
use core::mem::offset_of;

use crate::hot::Hot;
use crate::originals::Originals;

/// Stands for `pthread_cond_signal(cond)`. In a section with what it calls: neighbours share cache lines and
/// a page, which a cycle has to fetch anew after each system call.
#[unsafe(naked)]
#[unsafe(link_section = ".text.hot")]
pub extern "C" fn cond_signal() {
    naked_asm!(
        "cmp rdi, [rip + {hot} + {switch_cond}]",
        "je 2f",
        "cmp rdi, [rip + {hot} + {cond}]",
        "je 3f",
        "jmp [rip + {originals} + {original}]",
        "2:",
        "push rdi",
        "call {acquired}",
        "pop rdi",
        "jmp [rip + {originals} + {original}]",
        "3:",
        "push rdi",
        "call {released}",
        "pop rdi",
        "jmp [rip + {originals} + {original}]",
        hot = sym HOT,
        switch_cond = const offset_of!(Hot, switch_cond),
        cond = const offset_of!(Hot, cond),
        originals = sym ORIGINALS,
        original = const offset_of!(Originals, cond_signal),
        acquired = sym acquired,
        released = sym released,
    )
}

/// Stands for `pthread_cond_timedwait(cond, mutex, deadline)`.
#[unsafe(naked)]
pub extern "C" fn cond_timedwait() {
    naked_asm!(
        "cmp rdi, [rip + {hot} + {cond}]",
        "je 2f",
        "jmp [rip + {originals} + {original}]",
        "2:",
        "push rdi",
        "push rsi",
        "push rdx",
        "call {turn}",
        "pop rdx",
        "pop rsi",
        "pop rdi",
        "jmp [rip + {originals} + {original}]",
        hot = sym HOT,
        cond = const offset_of!(Hot, cond),
        originals = sym ORIGINALS,
        original = const offset_of!(Originals, cond_timedwait),
        turn = sym wait::turn,
    )
}

/// Stands for `pthread_cond_wait(cond, mutex)`.
#[unsafe(naked)]
pub extern "C" fn cond_wait() {
    naked_asm!(
        "cmp rdi, [rip + {hot} + {switch_cond}]",
        "je 2f",
        "jmp [rip + {originals} + {original}]",
        "2:",
        "push rdi",
        "push rsi",
        "sub rsp, 8",
        "call {forced_switch}",
        "add rsp, 8",
        "pop rsi",
        "pop rdi",
        "jmp [rip + {originals} + {original}]",
        hot = sym HOT,
        switch_cond = const offset_of!(Hot, switch_cond),
        originals = sym ORIGINALS,
        original = const offset_of!(Originals, cond_wait),
        forced_switch = sym wait::forced_switch,
    )
}

/// Stands for `sem_post(sem)` (2.7).
#[unsafe(naked)]
pub extern "C" fn sem_post() {
    naked_asm!(
        "cmp rdi, [rip + {hot} + {cond}]",
        "je 2f",
        "jmp [rip + {originals} + {original}]",
        "2:",
        "push rdi",
        "call {posts}",
        "pop rdi",
        "jmp [rip + {originals} + {original}]",
        hot = sym HOT,
        cond = const offset_of!(Hot, cond),
        originals = sym ORIGINALS,
        original = const offset_of!(Originals, sem_post),
        posts = sym semaphore::posts,
    )
}

/// Stands for `PyThreadState_Swap(state)` (2.7): with a state, its caller has just got the GIL.
#[unsafe(naked)]
pub extern "C" fn thread_state_swap() {
    naked_asm!(
        "test rdi, rdi",
        "je 2f",
        "cmp qword ptr [rip + {hot} + {cond}], 0",
        "je 2f",
        "push rdi",
        "call {swaps_in}",
        "pop rdi",
        "2:",
        "jmp [rip + {originals} + {original}]",
        hot = sym HOT,
        cond = const offset_of!(Hot, cond),
        originals = sym ORIGINALS,
        original = const offset_of!(Originals, thread_state_swap),
        swaps_in = sym semaphore::swaps_in,
    )
}

/// Stands for `sem_wait(sem)` (2.7). If the semaphore could be taken at once, that was the call.
#[unsafe(naked)]
pub extern "C" fn sem_wait() {
    naked_asm!(
        "cmp rdi, [rip + {hot} + {cond}]",
        "je 2f",
        "jmp [rip + {originals} + {original}]",
        "2:",
        "push rdi",
        "call {waits}",
        "pop rdi",
        "test eax, eax",
        "jz 3f",
        "jmp [rip + {originals} + {original}]",
        "3:",
        "ret",
        hot = sym HOT,
        cond = const offset_of!(Hot, cond),
        originals = sym ORIGINALS,
        original = const offset_of!(Originals, sem_wait),
        waits = sym semaphore::waits,
    )
}
