//! Flags that several verbs share, and how they become a layer of the options.
//!
//! A flag that is also an option holds text here; `config` checks it, with the same words for a flag
//! as for a file.

use crate::remedy;
use clap::{ArgAction, Args};
use config::{Layers, help};
use std::path::PathBuf;
use std::time::Duration;

/// Flags that every verb takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Common flags")]
pub(crate) struct Common {
    /// Say nothing but errors
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Log more; twice and three times for even more
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    #[arg(long, global = true, value_name = "WHEN", help = help("color"))]
    color: Option<String>,
    /// Set any option of the configuration; may be given more than once
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl Common {
    pub(crate) fn lay(&self, layers: &mut Layers) -> Result<(), config::Error> {
        for pair in &self.set {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            layers.set(&format!("--set {pair}"), key.trim(), value.trim())?;
        }
        lay(layers, "color", self.color.as_deref())
    }
}

/// Flags of verbs that watch a process.
#[derive(Debug, Args)]
#[command(next_help_heading = "What is recorded, and how")]
pub(crate) struct Watching {
    #[arg(long, value_name = "LIST", help = help("probes"))]
    probes: Option<String>,
    #[arg(long, value_name = "WAY", help = help("method"))]
    method: Option<String>,
    /// Count every GIL cycle, time only a sample of them (gil_mode = light)
    #[arg(long, conflicts_with = "trace")]
    light: bool,
    /// Record every GIL cycle as an event (gil_mode = trace)
    #[arg(long)]
    trace: bool,
    #[arg(long, value_name = "HZ", help = help("cpu_hz"))]
    cpu_hz: Option<String>,
    /// Put a remedy on from the start: io-priority, io-priority=20us, switch-interval=1ms, keep-chunks; may be repeated
    #[arg(long = "try", value_name = "REMEDY")]
    tries: Vec<String>,
}

impl Watching {
    pub(crate) fn lay(&self, layers: &mut Layers) -> Result<(), config::Error> {
        lay(layers, "probes", self.probes.as_deref())?;
        lay(layers, "method", self.method.as_deref())?;
        lay(layers, "cpu_hz", self.cpu_hz.as_deref())?;
        if self.light {
            layers.set("--light", "gil_mode", "light")?;
        }
        if self.trace {
            layers.set("--trace", "gil_mode", "trace")?;
        }
        self.tries.iter().try_for_each(|remedy| lay_remedy(layers, remedy))
    }
}

/// Flags of verbs that serve the dashboard.
#[derive(Debug, Args)]
#[command(next_help_heading = "Dashboard")]
pub(crate) struct Serving {
    #[arg(long, value_name = "ADDRESS", help = help("listen"))]
    listen: Option<String>,
    #[arg(long, help = help("open"))]
    open: bool,
}

impl Serving {
    pub(crate) fn lay(&self, layers: &mut Layers) -> Result<(), config::Error> {
        lay(layers, "listen", self.listen.as_deref())?;
        if self.open {
            layers.set("--open", "open", "true")?;
        }
        Ok(())
    }
}

/// Flags of verbs that watch a process, serve the dashboard unless told not to, and may record.
#[derive(Debug, Args)]
pub(crate) struct Session {
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    watching: Watching,
    #[command(flatten)]
    serving: Serving,
    /// Serve no dashboard
    #[arg(long, conflicts_with_all = ["listen", "open"])]
    no_dashboard: bool,
}

impl Session {
    pub(crate) fn lay(&self, layers: &mut Layers) -> Result<(), config::Error> {
        self.watching.lay(layers)?;
        self.serving.lay(layers)?;
        match self.no_dashboard {
            true => layers.set("--no-dashboard", "dashboard", "false"),
            false => Ok(()),
        }
    }
}

/// Where a result goes.
#[derive(Debug, Args)]
pub(crate) struct Output {
    /// File to write; - is stdout
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Overwrite the file if it exists
    #[arg(short, long)]
    pub(crate) force: bool,
}

/// A remedy is an option too: its name switches it on, its value is a key of its own.
fn lay_remedy(layers: &mut Layers, text: &str) -> Result<(), config::Error> {
    let flag = format!("--try {text}");
    let (name, value) = remedy::split(text);
    let value = value.unwrap_or_default();
    match name {
        "switch-interval" => layers.set(&flag, "switch_interval", value.trim()),
        "io-priority" => {
            if !value.is_empty() {
                layers.set(&flag, "io_priority_wait", value.trim())?;
            }
            layers.set(&flag, "io_priority", "true")
        }
        "keep-chunks" => layers.set(&flag, "keep_chunks", "true"),
        // An unknown remedy is refused as an unknown key is, with its own name.
        unknown => layers.set(&flag, unknown, "true"),
    }
}

fn lay(layers: &mut Layers, key: &str, text: Option<&str>) -> Result<(), config::Error> {
    match text {
        Some(text) => layers.set(&format!("--{}", key.replace('_', "-")), key, text),
        None => Ok(()),
    }
}

/// A duration such as 30s, 1m30s or 500ms; a bare number is seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let parsed = match text.parse::<u32>() {
        Ok(seconds) => Some(Duration::from_secs(seconds.into())),
        Err(_) => humantime::parse_duration(text).ok(),
    };
    match parsed {
        Some(duration) if duration >= Duration::from_millis(1) => Ok(duration),
        Some(_) => Err("must be at least 1ms".to_owned()),
        None => Err("wants a number with a unit, such as 30s, 1m30s or 500ms".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit_or_are_seconds() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("3"), Ok(Duration::from_secs(3)));
        for bad in ["", "0", "-3", "soon", "10parsecs", "99999999999999999999s"] {
            assert!(duration(bad).is_err(), "{bad:?}");
        }
    }
}
