//! How the injector speaks to the agent's entry points: a block inside the agent's image, and one
//! on the stack of the thread that was borrowed.
//!
//! The injector finds [`Params`] in the image by its magic, fills it before the image is loaded, and
//! the constructor reads it. A resident agent gets the same facts as arguments of its command entry.

/// Found in the image by these bytes.
pub const MAGIC: [u8; 16] = *b"gilscope-params\0";

/// How the image came to be loaded.
pub mod origin {
    /// Not filled in: loaded by somebody else, do nothing.
    pub const NOBODY: u32 = 0;
    /// By dlopen on a borrowed thread.
    pub const INJECTED: u32 = 1;
    /// By LD_PRELOAD at program start, before the interpreter exists.
    pub const PRELOAD: u32 = 2;
}

/// Commands of the exported `gilscope_command(command, fd, offset, bytes, finish)`.
pub mod command {
    /// Map the segment (`bytes` at `offset` of `fd`) and boot.
    pub const ATTACH: u64 = 1;
    /// Take the hooks out and unmap the segment.
    pub const DETACH: u64 = 2;
}

/// Parameters in the image's data.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(16))]
pub struct Params {
    /// [`MAGIC`].
    pub magic: [u8; 16],
    /// `segment::ABI_VERSION`.
    pub abi_version: u32,
    /// An [`origin`].
    pub origin: u32,
    /// The memfd that holds image and segment, open in the target while the constructor runs.
    pub fd: i32,
    /// Preload only: further fd to close, or -1.
    pub second_fd: i32,
    /// Where the segment starts in it, bytes; a multiple of the page size.
    pub offset: u64,
    /// Length of the segment.
    pub bytes: u64,
    /// Address of the signal frame (see `inject`) whose step becomes the finish function; 0 for none.
    pub hook_slot: u64,
    /// Address of the [`Finish`] block, the argument of that step.
    pub finish: u64,
    /// Tells builds apart; the injector compares it with its own.
    pub build_id: u64,
}

/// What the finish function has to put right on the borrowed thread, just before it goes home.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Finish {
    /// Address of the thread's errno, and what it was.
    pub errno_address: u64,
    /// Its value.
    pub errno_value: i32,
    /// 1 if the thread was taken out of a system call that was rewound.
    pub in_syscall: u32,
    /// Signals that the thread had blocked.
    pub original_mask: u64,
    /// Signals that the process catches.
    pub caught_mask: u64,
    /// Address of the last frame's `uc` (its `rax` and `rip` are patched to -EINTR if a signal waits).
    pub final_uc: u64,
    /// `rip` behind the system call instruction.
    pub after_syscall: u64,
    /// Written by finish: 1 when it ran, 2 when it also made the call return EINTR.
    pub done: u32,
    /// Zero.
    pub reserved: u32,
}
