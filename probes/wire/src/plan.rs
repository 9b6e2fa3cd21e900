//! What the daemon wants of the agent: one plain block, read once at boot. No text, no parsing.

/// How much is stamped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Mode {
    /// Every cycle is counted and timed. The default.
    Exact = 0,
    /// Every cycle is counted, times come from an unbiased sample of cycles.
    Light = 1,
    /// As exact, and every cycle also makes an event.
    Trace = 2,
}

/// Bits of [`Plan::probes`].
pub mod probe {
    /// The GIL probe.
    pub const GIL: u32 = 1;
    /// The thread state probe; it stands on the GIL probe.
    pub const TSTATE: u32 = 2;
    /// The imports probe.
    pub const IMPORTS: u32 = 4;
}

/// The plan, as it stands in the segment's header.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Plan {
    /// Bits of [`probe`].
    pub probes: u32,
    /// A [`Mode`].
    pub mode: u32,
    /// Least ns between two looks at a holder when a wait begins. Re-entries always look.
    pub blame_ration_ns: u64,
    /// A voluntary hold at least this long, in ns, makes an event.
    pub long_hold_ns: u64,
    /// `--light`: one cycle in this many is timed, a power of two.
    pub light_every: u32,
    /// 1 to look at holders (`process_vm_readv` on oneself), 0 not to (strict seccomp).
    pub blame: u32,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            probes: probe::GIL | probe::TSTATE,
            mode: Mode::Exact as u32,
            blame_ration_ns: 1_000_000,
            long_hold_ns: 5_000_000,
            light_every: 8,
            blame: 1,
        }
    }
}
