//! Whether a target's seccomp filters let the agent's system calls through (seccomp(2)).
//!
//! A filter may kill the process for one call it does not expect, so they are fetched and run here,
//! on what the chain and the agent will ask for. Where they cannot be fetched, the answer is no.

use crate::error::Error;
use crate::identity::Identity;
use crate::ptrace::{Stop, Tracee};
use crate::restart;
use crate::status::Status;

/// `SECCOMP_RET_ALLOW` and `SECCOMP_RET_LOG` (linux/seccomp.h); everything else stands in the way.
const ALLOW: u32 = 0x7fff_0000;
const LOG: u32 = 0x7ffc_0000;
/// `AUDIT_ARCH_X86_64`.
const ARCH: u32 = 0xc000_003e;
/// Bytes of `struct seccomp_data`: number, architecture, rip, six arguments.
const DATA: usize = 64;
const PROT_ALL: [u64; 3] = [1, 3, 5];
/// Flags of pthread_create's clone, where clone3 is refused with ENOSYS (glibc createthread.c).
const CLONE_THREAD: u64 = 0x3d_0f00;

/// What is known about filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filtered {
    /// None are set.
    No,
    /// All of them allow what is needed.
    Passes,
}

/// One instruction of classic BPF (linux/filter.h, `struct sock_filter`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Instruction {
    pub(crate) code: u16,
    pub(crate) if_true: u8,
    pub(crate) if_false: u8,
    pub(crate) k: u32,
}

impl Instruction {
    /// From the eight bytes of a `struct sock_filter`.
    pub(crate) fn from_word(word: u64) -> Self {
        let [c0, c1, if_true, if_false, k @ ..] = word.to_le_bytes();
        Self { code: u16::from_le_bytes([c0, c1]), if_true, if_false, k: u32::from_le_bytes(k) }
    }
}

/// Judges the target's filters; stops a thread for a moment to fetch them.
pub(crate) fn judge(target: &Identity, status: &Status) -> Result<Filtered, Error> {
    let refuse = |why: String| Err(Error::Unsupported { pid: target.pid(), why });
    match status.seccomp {
        0 => Ok(Filtered::No),
        2 => match fetch(target) {
            Some(filters) if !filters.is_empty() => match forbidden(&filters) {
                None => Ok(Filtered::Passes),
                Some(name) => {
                    refuse(format!("its seccomp filter forbids {name}, which the agent needs"))
                }
            },
            _ => refuse(
                "it has seccomp filters that gilscope may not read (that takes CAP_SYS_ADMIN): \
                 start it with `gilscope run`"
                    .into(),
            ),
        },
        _ => refuse("it is in strict seccomp mode, where nothing can be loaded".into()),
    }
}

/// All filters of the main thread, newest first. Threads may differ; the agent's come from there.
fn fetch(target: &Identity) -> Option<Vec<Vec<Instruction>>> {
    std::thread::scope(|scope| {
        let fetching = scope.spawn(|| {
            let memory = target.memory(false).ok()?;
            let Stop::Stopped(tracee) = Tracee::stop(target.pid()) else { return None };
            restart::rewind_now(&tracee, &memory).ok()?;
            target.verify().ok()?;
            let mut filters = Vec::new();
            while let Some(filter) = tracee.seccomp_filter(filters.len()).ok()? {
                filters.push(filter);
            }
            Some(filters)
        });
        fetching.join().ok().flatten()
    })
}

/// The first call of ours that some filter does not simply allow.
pub(crate) fn forbidden(filters: &[Vec<Instruction>]) -> Option<&'static str> {
    let needs = needed_calls();
    needs.iter().find_map(|(name, number, arguments)| {
        let data = seccomp_data(*number, arguments);
        let passes = |filter: &Vec<Instruction>| {
            matches!(run(filter, &data).map(|action| action & 0xffff_0000), Some(ALLOW | LOG))
        };
        (!filters.iter().all(passes)).then_some(*name)
    })
}

/// What the chains, `dlopen` and the agent ask the kernel for. Pointers and descriptors are any.
fn needed_calls() -> Vec<(&'static str, i64, [u64; 6])> {
    const ANY: u64 = 0x7f00_0000_0000;
    const FD: u64 = 3;
    let mut calls = vec![
        ("memfd_create", libc::SYS_memfd_create, [ANY, crate::memfd::creation_flags(), 0, 0, 0, 0]),
        ("rt_sigreturn", libc::SYS_rt_sigreturn, [0; 6]),
        ("rt_sigpending", libc::SYS_rt_sigpending, [ANY, 8, 0, 0, 0, 0]),
        ("rt_sigprocmask", libc::SYS_rt_sigprocmask, [2, ANY, ANY, 8, 0, 0]),
        ("prctl", libc::SYS_prctl, [25, ANY, 0, 0, 0, 0]), // PR_GET_TSC
        ("getpid", libc::SYS_getpid, [0; 6]),
        ("gettid", libc::SYS_gettid, [0; 6]),
        ("openat", libc::SYS_openat, [libc::AT_FDCWD as u32 as u64, ANY, 0x80000, 0, 0, 0]),
        ("read", libc::SYS_read, [FD, ANY, 832, 0, 0, 0]),
        ("pread64", libc::SYS_pread64, [FD, ANY, 784, 64, 0, 0]),
        ("newfstatat", libc::SYS_newfstatat, [FD, ANY, ANY, 0x1000, 0, 0]),
        ("close", libc::SYS_close, [FD, 0, 0, 0, 0, 0]),
        ("munmap", libc::SYS_munmap, [ANY, 4096, 0, 0, 0, 0]),
        ("madvise", libc::SYS_madvise, [ANY, 4096, 10, 0, 0, 0]),
        // clone3 is left out: containers answer ENOSYS, and glibc falls back to clone.
        ("clone", libc::SYS_clone, [CLONE_THREAD, ANY, ANY, ANY, ANY, 0]),
        ("set_robust_list", libc::SYS_set_robust_list, [ANY, 24, 0, 0, 0, 0]),
        ("rseq", libc::SYS_rseq, [ANY, 32, 0, 0x5305_3053, 0, 0]),
        ("process_vm_readv", libc::SYS_process_vm_readv, [1, ANY, 1, ANY, 1, 0]),
        ("futex", libc::SYS_futex, [ANY, 0x81, 1, 0, 0, 0]),
        ("exit", libc::SYS_exit, [0; 6]),
    ];
    for protection in PROT_ALL {
        calls.push(("mmap", libc::SYS_mmap, [0, 4096, protection, 0x802, FD, 0]));
        calls.push(("mmap", libc::SYS_mmap, [ANY, 4096, protection, 0x812, FD, 4096]));
        calls.push(("mprotect", libc::SYS_mprotect, [ANY, 4096, protection, 0, 0, 0]));
    }
    calls.push(("mmap", libc::SYS_mmap, [0, 1 << 20, 3, 1, FD, 4096]));
    calls
}

fn seccomp_data(number: i64, arguments: &[u64; 6]) -> [u8; DATA] {
    let mut data = [0; DATA];
    data[..4].copy_from_slice(&(number as u32).to_le_bytes());
    data[4..8].copy_from_slice(&ARCH.to_le_bytes());
    for (place, argument) in data[16..].chunks_exact_mut(8).zip(arguments) {
        place.copy_from_slice(&argument.to_le_bytes());
    }
    data
}

/// Runs classic BPF as seccomp does (kernel/seccomp.c allows only these instructions). `None` for a
/// program that is not understood. Jumps only go forward, so it ends.
fn run(program: &[Instruction], data: &[u8; DATA]) -> Option<u32> {
    let (mut a, mut x, mut store) = (0u32, 0u32, [0u32; 16]);
    let mut at = 0usize;
    loop {
        let Instruction { code, if_true, if_false, k } = *program.get(at)?;
        at += 1;
        let operand = if code & 0x08 == 0 { k } else { x };
        match code {
            // LD W ABS
            0x20 => a = load(data, k)?,
            // LD and LDX of immediates and of the scratch store; W LEN is the size of the data.
            0x00 => a = k,
            0x01 => x = k,
            0x60 => a = *store.get(k as usize)?,
            0x61 => x = *store.get(k as usize)?,
            0x80 => a = DATA as u32,
            0x81 => x = DATA as u32,
            // ST, STX
            0x02 => *store.get_mut(k as usize)? = a,
            0x03 => *store.get_mut(k as usize)? = x,
            // TAX, TXA
            0x07 => x = a,
            0x87 => a = x,
            // RET
            0x06 => return Some(k),
            0x16 => return Some(a),
            // JA
            0x05 => at = at.checked_add(k as usize)?,
            _ if code & 0x07 == 0x05 => {
                let holds = match code & 0xf0 {
                    0x10 => a == operand,
                    0x20 => a > operand,
                    0x30 => a >= operand,
                    0x40 => a & operand != 0,
                    _ => return None,
                };
                at += usize::from(if holds { if_true } else { if_false });
            }
            _ if code & 0x07 == 0x04 => a = arithmetic(code & 0xf0, a, operand)?,
            _ => return None,
        }
    }
}

fn load(data: &[u8; DATA], at: u32) -> Option<u32> {
    let at = at as usize;
    Some(u32::from_le_bytes(data.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn arithmetic(operation: u16, a: u32, operand: u32) -> Option<u32> {
    Some(match operation {
        0x00 => a.wrapping_add(operand),
        0x10 => a.wrapping_sub(operand),
        0x20 => a.wrapping_mul(operand),
        0x30 => a.checked_div(operand)?,
        0x40 => a | operand,
        0x50 => a & operand,
        0x60 => a.checked_shl(operand)?,
        0x70 => a.checked_shr(operand)?,
        0x80 => a.wrapping_neg(),
        0xa0 => a ^ operand,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn i(code: u16, if_true: u8, if_false: u8, k: u32) -> Instruction {
        Instruction { code, if_true, if_false, k }
    }

    /// Kills on one number, allows the rest.
    fn kill_on(number: i64) -> Vec<Instruction> {
        vec![i(0x20, 0, 0, 0), i(0x15, 0, 1, number as u32), i(0x06, 0, 0, 0), i(0x06, 0, 0, ALLOW)]
    }

    #[test]
    fn a_filter_that_kills_on_a_needed_call_is_seen() {
        assert_eq!(forbidden(&[kill_on(libc::SYS_memfd_create)]), Some("memfd_create"));
        assert_eq!(forbidden(&[kill_on(libc::SYS_reboot)]), None);
        assert_eq!(forbidden(&[kill_on(libc::SYS_reboot), kill_on(libc::SYS_mmap)]), Some("mmap"));
    }

    #[test]
    fn arguments_count() {
        // Kills on PROT_EXEC: data at 16 + 2 * 8 is the third argument.
        let filter =
            vec![i(0x20, 0, 0, 32), i(0x45, 0, 1, 4), i(0x06, 0, 0, 0), i(0x06, 0, 0, ALLOW)];
        assert_eq!(run(&filter, &seccomp_data(9, &[0, 0, 5, 0, 0, 0])), Some(0));
        assert_eq!(run(&filter, &seccomp_data(9, &[0, 0, 3, 0, 0, 0])), Some(ALLOW));
    }

    #[test]
    fn programs_that_are_not_understood_are_refused() {
        assert_eq!(run(&[i(0x30, 0, 0, 0)], &[0; DATA]), None);
        assert_eq!(run(&[], &[0; DATA]), None);
        assert_eq!(run(&[i(0x20, 0, 0, 61)], &[0; DATA]), None);
        assert_eq!(run(&[i(0x05, 0, 0, u32::MAX)], &[0; DATA]), None);
    }
}
