//! What the machine itself allows, whatever the target: facts are gathered first, then judged.

use super::{Check, State};
use std::fs;

/// CAP_SYS_PTRACE, see capabilities(7).
const CAP_SYS_PTRACE: u32 = 19;

/// What is read from `/proc` and `/sys`; none where it cannot be read.
#[derive(Debug, Default)]
pub(super) struct Facts {
    arch: &'static str,
    kernel: Option<String>,
    clocksource: Option<String>,
    /// Yama's scope; none on a kernel without Yama.
    ptrace_scope: Option<u8>,
    may_ptrace_all: bool,
    /// `vm.memfd_noexec`; none before Linux 6.3.
    memfd_noexec: Option<u8>,
    memory_available_bytes: Option<u64>,
    /// The kernel's active security modules, with commas between.
    security_modules: Option<String>,
}

impl Facts {
    pub(super) fn gather() -> Self {
        Self {
            arch: std::env::consts::ARCH,
            kernel: read("/proc/sys/kernel/osrelease"),
            clocksource: read("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
            ptrace_scope: read("/proc/sys/kernel/yama/ptrace_scope")
                .and_then(|text| text.parse().ok()),
            may_ptrace_all: fs::read_to_string("/proc/self/status")
                .is_ok_and(|status| has_capability(&status, CAP_SYS_PTRACE)),
            memfd_noexec: read("/proc/sys/vm/memfd_noexec").and_then(|text| text.parse().ok()),
            memory_available_bytes: fs::read_to_string("/proc/meminfo")
                .ok()
                .and_then(|text| memory_available(&text)),
            security_modules: read("/sys/kernel/security/lsm"),
        }
    }
}

fn read(path: &str) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

fn has_capability(status: &str, capability: u32) -> bool {
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    effective
        .and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
        .is_some_and(|bits| bits >> capability & 1 == 1)
}

fn memory_available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

pub(super) fn checks(facts: &Facts, plan: &config::Plan) -> Vec<Check> {
    let mut all =
        vec![system(facts), clock(facts), ptrace(facts), memfd(facts), memory(facts, plan)];
    all.extend(untested(facts));
    all
}

fn system(facts: &Facts) -> Check {
    let found = format!(
        "Linux {} on {}",
        facts.kernel.as_deref().unwrap_or("of unknown version"),
        facts.arch
    );
    match facts.arch {
        "x86_64" => Check::ok("system", found),
        _ => Check::bad("system", State::Fail, found, "gilscope works on x86-64 only"),
    }
}

fn clock(facts: &Facts) -> Check {
    match facts.clocksource.as_deref() {
        Some("tsc") => Check::ok("clock", "the kernel trusts the time-stamp counter"),
        found => Check::bad(
            "clock",
            State::Warn,
            format!("clocksource is {}", found.unwrap_or("unknown")),
            "nothing to do: stamps come from the kernel's own clock and cost more",
        ),
    }
}

fn ptrace(facts: &Facts) -> Check {
    let name = "ptrace";
    match facts.ptrace_scope {
        _ if facts.may_ptrace_all && facts.ptrace_scope != Some(3) => {
            Check::ok(name, "this user may attach to any process")
        }
        None | Some(0) => Check::ok(name, "this user may attach to processes of their own"),
        Some(1) => Check::bad(
            name,
            State::Warn,
            "kernel.yama.ptrace_scope is 1: only processes that gilscope starts, or that allow it",
            "start it with `gilscope run -- …`; or give gilscope CAP_SYS_PTRACE (sudo)",
        ),
        Some(2) => Check::bad(
            name,
            State::Warn,
            "kernel.yama.ptrace_scope is 2: only with CAP_SYS_PTRACE",
            "start it with `gilscope run -- …`; or give gilscope CAP_SYS_PTRACE (sudo)",
        ),
        Some(_) => Check::bad(
            name,
            State::Fail,
            "kernel.yama.ptrace_scope is 3: nobody may attach until the next boot",
            "start it with `gilscope run -- …`",
        ),
    }
}

fn memfd(facts: &Facts) -> Check {
    match facts.memfd_noexec {
        Some(2) => Check::bad(
            "memfd",
            State::Fail,
            "vm.memfd_noexec is 2: the agent cannot be loaded",
            "sysctl vm.memfd_noexec=1 in this pid namespace",
        ),
        _ => Check::ok("memfd", "anonymous files may be executed"),
    }
}

fn memory(facts: &Facts, plan: &config::Plan) -> Check {
    let needed = wire::segment::Layout::new(plan.threads_max, plan.ring_bytes).bytes() as u64;
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    match facts.memory_available_bytes {
        Some(available) if available < 2 * needed => Check::bad(
            "memory",
            State::Warn,
            format!("{} MiB are free, each target takes {} MiB", mib(available), mib(needed)),
            "lower threads_max or ring_bytes",
        ),
        _ => Check::ok(
            "memory",
            format!("each target takes {} MiB of gilscope's memory", mib(needed)),
        ),
    }
}

/// What nobody has tried yet is said, not left to be found out: most of it needs another kernel or
/// processor than the tests run on.
const UNTESTED: &[&str] = &[
    "CET shadow stacks: a target with them is refused, which no test has seen happen",
    "glibc before 2.36, musl, 32-bit, other processors than x86-64",
    "CPython newer than the tests have, free-threaded builds, suspend and resume of the machine",
];

/// Security modules under which no test has run; those of this machine are told apart.
const MODULES: &[&str] = &["yama", "selinux", "apparmor"];

fn untested(facts: &Facts) -> Vec<Check> {
    let active = facts.security_modules.as_deref().unwrap_or_default();
    let here: Vec<_> =
        MODULES.iter().copied().filter(|module| active.split(',').any(|a| a == *module)).collect();
    let here = if here.is_empty() { "none is active".to_owned() } else { here.join(", ") };
    let modules = format!("refusals by Yama, SELinux and AppArmor (here: {here})");
    let notes = UNTESTED.iter().map(|text| Check::note("untested", *text));
    std::iter::once(Check::note("untested", modules)).chain(notes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> config::Plan {
        config::Plan::new(&config::Layers::default()).unwrap()
    }

    fn good() -> Facts {
        Facts { arch: "x86_64", clocksource: Some("tsc".into()), ..Facts::default() }
    }

    #[test]
    fn a_plain_machine_passes() {
        assert!(checks(&good(), &plan()).iter().all(|check| check.remedy.is_none()));
    }

    #[test]
    fn yama_stops_only_those_without_the_capability() {
        for (scope, all, expected) in [
            (None, false, State::Ok),
            (Some(0), false, State::Ok),
            (Some(1), false, State::Warn),
            (Some(2), false, State::Warn),
            (Some(2), true, State::Ok),
            (Some(3), true, State::Fail),
        ] {
            let facts = Facts { ptrace_scope: scope, may_ptrace_all: all, ..good() };
            assert_eq!(ptrace(&facts).state, expected, "{scope:?} {all}");
        }
    }

    #[test]
    fn what_does_not_pass_has_a_remedy() {
        let facts = Facts {
            arch: "riscv64",
            clocksource: Some("hpet".into()),
            ptrace_scope: Some(3),
            memfd_noexec: Some(2),
            memory_available_bytes: Some(1 << 20),
            ..Facts::default()
        };
        let bad = checks(&facts, &plan())
            .into_iter()
            .filter(|check| matches!(check.state, State::Warn | State::Fail))
            .collect::<Vec<_>>();
        assert_eq!(bad.len(), 5);
        assert!(bad.iter().all(|check| check.remedy.is_some()));
    }

    #[test]
    fn what_was_never_tried_is_said_and_what_of_it_is_here() {
        let told = |modules: &str| {
            let facts = Facts { security_modules: Some(modules.into()), ..good() };
            untested(&facts).into_iter().map(|check| check.found).collect::<Vec<_>>().join("\n")
        };
        let text = told("capability,yama,apparmor");
        for word in ["CET", "SELinux", "AppArmor", "(here: yama, apparmor)", "free-threaded"] {
            assert!(text.contains(word), "{word} in {text}");
        }
        assert!(told("capability").contains("(here: none is active)"));
    }

    #[test]
    fn proc_files_are_read_as_the_kernel_writes_them() {
        assert!(has_capability("CapPrm:\t0\nCapEff:\t000001ffffffffff\n", CAP_SYS_PTRACE));
        assert!(!has_capability("CapEff:\t0000000000000000\n", CAP_SYS_PTRACE));
        assert_eq!(memory_available("MemTotal: 4 kB\nMemAvailable:    2048 kB\n"), Some(2 << 20));
    }
}
