//! The checked plan: what the program works with once all layers are laid.

use crate::layers::{Error, Layers, Origin};
use crate::limit::{Value, size};
use std::net::SocketAddr;
use std::time::Duration;
use wire::plan::probe;
use wire::policy;

/// Most bytes that all rings together may take; they are faulted in before the target sees them.
const RINGS_MOST_BYTES: u64 = 1 << 30;
/// Where every cycle is an event, fewer threads have longer rings, unless the user has said otherwise: at
/// 1.6 million events a second they last for the 5 ms that the daemon lets go by.
const TRACE_THREADS_MAX: usize = 256;
const TRACE_RING_BYTES: usize = 512 << 10;

/// Probes that are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probes {
    /// The GIL, recorded from inside.
    pub gil: bool,
    /// CPU per thread, sampled from outside.
    pub cpu: bool,
    /// What the interpreter keeps for frames, read from outside.
    pub frames: bool,
    /// Thread states, recorded from inside; it stands on the GIL probe.
    pub tstate: bool,
    /// Imports, recorded from inside; it stands on the GIL probe.
    pub imports: bool,
}

impl Probes {
    /// Those that the agent is asked for (`wire::plan::probe`).
    fn wire(self) -> u32 {
        let bit = |on: bool, bit: u32| if on { bit } else { 0 };
        let on_it = bit(self.tstate, probe::TSTATE) | bit(self.imports, probe::IMPORTS);
        bit(self.gil, probe::GIL | on_it)
    }
}

/// How to get into the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The least intrusive way that works.
    Auto,
    /// By the dynamic loader, as the process starts.
    Preload,
    /// By CPython's own protocol.
    RemoteDebug,
    /// By stopping one thread for a moment.
    Ptrace,
}

pub use wire::plan::Mode;

/// Colour on the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// In any case.
    Always,
    /// Not at all.
    Never,
}

/// How far I/O threads go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IoPriority {
    /// How long an I/O thread waits before it asks for the GIL.
    pub wait: Duration,
    /// Most of their time that CPU threads may lose to switching, percent.
    pub switching_percent: u32,
    /// Least share of the GIL that CPU threads keep, percent.
    pub cpu_share_percent: u32,
}

impl Default for IoPriority {
    fn default() -> Self {
        Self {
            wait: Duration::from_nanos(policy::IO_WAIT_NS),
            switching_percent: policy::SWITCHING_PERMILLE / 10,
            cpu_share_percent: policy::CPU_SHARE_PERMILLE / 10,
        }
    }
}

/// All options, checked.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Probes that are on.
    pub probes: Probes,
    /// How to get in.
    pub method: Method,
    /// How much of the GIL is timed.
    pub gil_mode: Mode,
    /// Whether waiters look at what the holder runs.
    pub gil_blame: bool,
    /// Least time between two looks.
    pub gil_blame_ration: Duration,
    /// A voluntary hold at least this long makes an event.
    pub gil_long_hold: Duration,
    /// Light mode times one cycle in this many; a power of two.
    pub gil_light_every: u32,
    /// Whether I/O threads go first from the start.
    pub io_priority: bool,
    /// How far they go first, now or when it is tried later.
    pub io_priority_setting: IoPriority,
    /// Switch interval to give the interpreter; zero leaves it its own.
    pub switch_interval: Duration,
    /// Whether chunks of temporary thread states are kept from the start.
    pub keep_chunks: bool,
    /// CPU samples a second, 1 to 100.
    pub cpu_hz: u32,
    /// Slots for threads, 16 to 65,536.
    pub threads_max: usize,
    /// Bytes of each thread's ring.
    pub ring_bytes: usize,
    /// Whether the dashboard is served.
    pub dashboard: bool,
    /// Where it is served.
    pub listen: SocketAddr,
    /// Whether a browser is opened.
    pub open: bool,
    /// Colour on the terminal.
    pub color: Color,
    /// Directives of the log.
    pub log: String,
}

impl Plan {
    /// The plan that the layers make together.
    ///
    /// # Errors
    /// When values that are each allowed do not go together.
    pub fn new(layers: &Layers) -> Result<Self, Error> {
        let probes = list(layers, "probes");
        let mut plan = Self {
            probes: Probes {
                gil: probes.contains(&"gil".to_owned()),
                cpu: probes.contains(&"cpu".to_owned()),
                frames: probes.contains(&"frames".to_owned()),
                tstate: probes.contains(&"tstate".to_owned()),
                imports: probes.contains(&"imports".to_owned()),
            },
            method: match text(layers, "method") {
                "preload" => Method::Preload,
                "remote-debug" => Method::RemoteDebug,
                "ptrace" => Method::Ptrace,
                _ => Method::Auto,
            },
            gil_mode: match text(layers, "gil_mode") {
                "light" => Mode::Light,
                "trace" => Mode::Trace,
                _ => Mode::Exact,
            },
            gil_blame: switch(layers, "gil_blame"),
            gil_blame_ration: duration(layers, "gil_blame_ration"),
            gil_long_hold: duration(layers, "gil_long_hold"),
            gil_light_every: number(layers, "gil_light_every") as u32,
            io_priority: switch(layers, "io_priority"),
            io_priority_setting: IoPriority {
                wait: duration(layers, "io_priority_wait"),
                switching_percent: number(layers, "io_priority_switching") as u32,
                cpu_share_percent: number(layers, "io_priority_cpu_share") as u32,
            },
            switch_interval: duration(layers, "switch_interval"),
            keep_chunks: switch(layers, "keep_chunks"),
            cpu_hz: number(layers, "cpu_hz") as u32,
            threads_max: number(layers, "threads_max") as usize,
            ring_bytes: number(layers, "ring_bytes") as usize,
            dashboard: switch(layers, "dashboard"),
            listen: address(layers, "listen"),
            open: switch(layers, "open"),
            color: match text(layers, "color") {
                "always" => Color::Always,
                "never" => Color::Never,
                _ => Color::Auto,
            },
            log: text(layers, "log").to_owned(),
        };
        plan.make_room_for_trace(layers);
        plan.check_rings(layers)?;
        Ok(plan)
    }

    fn make_room_for_trace(&mut self, layers: &Layers) {
        if self.gil_mode != Mode::Trace {
            return;
        }
        let is_default = |key| layers.origin(key) == Some(&Origin::Default);
        if is_default("threads_max") {
            self.threads_max = TRACE_THREADS_MAX;
        }
        if is_default("ring_bytes") {
            self.ring_bytes = TRACE_RING_BYTES;
        }
    }

    fn check_rings(&self, layers: &Layers) -> Result<(), Error> {
        let bytes = self.threads_max as u64 * self.ring_bytes as u64;
        if bytes <= RINGS_MOST_BYTES {
            return Ok(());
        }
        Err(Error::Value {
            origin: layers.origin("ring_bytes").cloned().unwrap_or(Origin::Default),
            key: "ring_bytes".to_owned(),
            problem: format!(
                "{} rings of {} are more than {}; lower threads_max or ring_bytes",
                self.threads_max,
                size(self.ring_bytes as u64),
                size(RINGS_MOST_BYTES)
            ),
        })
    }

    /// The part that the agent reads.
    pub fn wire(&self) -> wire::plan::Plan {
        wire::plan::Plan {
            probes: self.probes.wire(),
            mode: self.gil_mode as u32,
            blame_ration_ns: self.gil_blame_ration.as_nanos() as u64,
            long_hold_ns: self.gil_long_hold.as_nanos() as u64,
            light_every: self.gil_light_every,
            blame: u32::from(self.gil_blame),
        }
    }
}

const KIND: &str = "the limit in default.toml gives this kind";

fn switch(layers: &Layers, name: &str) -> bool {
    let Value::Bool(value) = layers.value(name) else { panic!("{KIND}") };
    *value
}

fn number(layers: &Layers, name: &str) -> u64 {
    let (Value::Integer(value) | Value::Bytes(value)) = layers.value(name) else {
        panic!("{KIND}")
    };
    *value
}

fn duration(layers: &Layers, name: &str) -> Duration {
    let Value::Duration(value) = layers.value(name) else { panic!("{KIND}") };
    *value
}

fn address(layers: &Layers, name: &str) -> SocketAddr {
    let Value::Address(value) = layers.value(name) else { panic!("{KIND}") };
    *value
}

fn text<'a>(layers: &'a Layers, name: &str) -> &'a str {
    let Value::Text(value) = layers.value(name) else { panic!("{KIND}") };
    value
}

fn list<'a>(layers: &'a Layers, name: &str) -> &'a [String] {
    let Value::List(value) = layers.value(name) else { panic!("{KIND}") };
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(pairs: &[(&str, &str)]) -> Result<Plan, Error> {
        let mut layers = Layers::default();
        for (name, text) in pairs {
            layers.set(&format!("--set {name}"), name, text).unwrap();
        }
        Plan::new(&layers)
    }

    #[test]
    fn the_defaults_are_what_the_agent_has_as_its_own() {
        let ours = plan(&[]).unwrap().wire();
        assert_eq!(format!("{ours:?}"), format!("{:?}", wire::plan::Plan::default()));
    }

    #[test]
    fn the_defaults_of_a_remedy_are_what_the_agent_knows() {
        let plan = plan(&[]).unwrap();
        assert_eq!(plan.io_priority_setting, IoPriority::default());
        assert!(
            !plan.io_priority && plan.switch_interval.is_zero(),
            "stock unless it is asked for"
        );
    }

    #[test]
    fn every_name_of_a_choice_gives_its_own_value() {
        let modes =
            ["exact", "light", "trace"].map(|name| plan(&[("gil_mode", name)]).unwrap().gil_mode);
        assert_eq!(modes, [Mode::Exact, Mode::Light, Mode::Trace]);
        let methods = ["auto", "preload", "remote-debug", "ptrace"]
            .map(|name| plan(&[("method", name)]).unwrap().method);
        assert_eq!(methods, [Method::Auto, Method::Preload, Method::RemoteDebug, Method::Ptrace]);
        let colors =
            ["auto", "always", "never"].map(|name| plan(&[("color", name)]).unwrap().color);
        assert_eq!(colors, [Color::Auto, Color::Always, Color::Never]);
        assert_eq!(
            plan(&[("probes", "cpu")]).unwrap().probes,
            Probes { gil: false, cpu: true, tstate: false, frames: false, imports: false }
        );
    }

    #[test]
    fn a_trace_has_longer_rings_unless_they_were_chosen() {
        let room = |options: &[(&'static str, &str)]| {
            let plan = plan(options).unwrap();
            (plan.threads_max, plan.ring_bytes)
        };
        assert_eq!(room(&[]), (1024, 64 << 10));
        assert_eq!(room(&[("gil_mode", "trace")]), (256, 512 << 10));
        assert_eq!(room(&[("gil_mode", "trace"), ("ring_bytes", "1KiB")]), (256, 1 << 10));
        assert_eq!(room(&[("gil_mode", "trace"), ("threads_max", "1024")]), (1024, 512 << 10));
    }

    #[test]
    fn rings_that_would_eat_the_machine_are_refused() {
        let error =
            plan(&[("threads_max", "65536"), ("ring_bytes", "1MiB")]).unwrap_err().to_string();
        assert_eq!(
            error,
            "--set ring_bytes: 65536 rings of 1MiB are more than 1GiB; lower threads_max or ring_bytes"
        );
    }
}
