//! The checked plan: what the program works with once all layers are laid.

use crate::layers::{Error, Layers, Origin};
use crate::limit::{Value, size};
use std::net::SocketAddr;
use std::time::Duration;
use wire::plan::probe;

/// Most bytes that all rings together may take; they are faulted in before the target sees them.
const RINGS_MOST_BYTES: u64 = 1 << 30;

/// Probes that are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probes {
    /// The GIL, recorded from inside.
    pub gil: bool,
    /// CPU per thread, sampled from outside.
    pub cpu: bool,
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
    /// Least time between two looks when a wait begins.
    pub gil_blame_ration: Duration,
    /// A voluntary hold at least this long makes an event.
    pub gil_long_hold: Duration,
    /// Light mode times one cycle in this many; a power of two.
    pub gil_light_every: u32,
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
        let plan = Self {
            probes: Probes {
                gil: probes.contains(&"gil".to_owned()),
                cpu: probes.contains(&"cpu".to_owned()),
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
        plan.check_rings(layers)?;
        Ok(plan)
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
            probes: if self.probes.gil { probe::GIL } else { 0 },
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
        assert_eq!(plan(&[("probes", "cpu")]).unwrap().probes, Probes { gil: false, cpu: true });
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
