//! Remedies: what `gilscope try` can change in a running target, by name, and take back.
//!
//! Text becomes a [`Remedy`] here and nowhere else; what it does to the target is the agent's affair
//! (`suite`, gil/priority.rs and tstate/chunks.rs), reached through the segment by `collect::policy`.

pub use config::IoPriority;
use config::Plan;
use std::time::Duration;
use wire::policy;

/// Something to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// I/O threads get the GIL before CPU threads.
    IoPriority(IoPriority),
    /// Another switch interval, as by `sys.setswitchinterval`.
    SwitchInterval(Duration),
    /// The data-stack chunk of a temporary thread state is kept for the next one (Python 3.11 and later).
    KeepChunks,
}

impl Remedy {
    /// All names, for help and errors.
    pub const NAMES: [&'static str; 3] = ["io-priority", "switch-interval", "keep-chunks"];

    /// From a name and perhaps a value: "io-priority", "io-priority=20us", "switch-interval=1ms".
    /// What the value does not say comes from `plan`.
    ///
    /// # Errors
    /// One line that says what is wrong and what would be right.
    pub fn parse(text: &str, plan: &Plan) -> Result<Self, String> {
        let (name, value) = split(text);
        if (name, value.is_some()) == ("keep-chunks", true) {
            return Err("keep-chunks takes no value".to_owned());
        }
        let duration = value.map(|value| duration(value.trim(), name)).transpose()?;
        match (name, duration) {
            ("io-priority", wait) => {
                let of_plan = plan.io_priority_setting;
                Ok(Self::IoPriority(IoPriority { wait: wait.unwrap_or(of_plan.wait), ..of_plan }))
            }
            ("keep-chunks", _) => Ok(Self::KeepChunks),
            ("switch-interval", Some(interval)) => Ok(Self::SwitchInterval(interval)),
            ("switch-interval", None) => {
                Err("switch-interval wants a time, such as `switch-interval 1ms`".to_owned())
            }
            _ => Err(unknown(name)),
        }
    }

    /// What the options ask for from the start.
    pub fn of_plan(plan: &Plan) -> Vec<Self> {
        let io = plan.io_priority.then_some(Self::IoPriority(plan.io_priority_setting));
        let interval = (!plan.switch_interval.is_zero()).then_some(plan.switch_interval);
        let chunks = plan.keep_chunks.then_some(Self::KeepChunks);
        io.into_iter().chain(interval.map(Self::SwitchInterval)).chain(chunks).collect()
    }

    /// Its name, without its setting.
    pub fn name(&self) -> &'static str {
        match self {
            Self::IoPriority(_) => "io-priority",
            Self::SwitchInterval(_) => "switch-interval",
            Self::KeepChunks => "keep-chunks",
        }
    }

    /// Its setting, for a person.
    pub fn setting(&self) -> String {
        match self {
            Self::IoPriority(IoPriority { wait, switching_percent, cpu_share_percent }) => format!(
                "asks after {}; CPU threads lose at most {switching_percent} % to switching and keep \
                 {cpu_share_percent} % of the GIL",
                time(*wait)
            ),
            Self::SwitchInterval(interval) => time(*interval),
            Self::KeepChunks => {
                "the 16 KiB data-stack chunk of a state that is deleted goes to the next one; 16 are kept at most"
                    .to_owned()
            }
        }
    }
}

/// The name in a text that may hold a value too; for undoing, where the value does not matter.
pub fn name_of(text: &str) -> Result<&'static str, String> {
    let (wanted, _) = split(text);
    Remedy::NAMES.into_iter().find(|name| *name == wanted).ok_or_else(|| unknown(wanted))
}

/// The name and, where one is given, the value as it stands.
pub fn split(text: &str) -> (&str, Option<&str>) {
    match text.split_once(['=', ' ']) {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    }
}

fn unknown(name: &str) -> String {
    format!("{name:?} is no remedy; there are {}", Remedy::NAMES.join(", "))
}

fn time(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

fn duration(text: &str, name: &str) -> Result<Duration, String> {
    let (least, most) = match name {
        "io-priority" => (Duration::from_nanos(policy::IO_WAIT_LEAST_NS), Duration::from_secs(1)),
        _ => (Duration::from_micros(1), Duration::from_secs(10)),
    };
    match humantime::parse_duration(text) {
        Ok(found) if (least..=most).contains(&found) => Ok(found),
        Ok(_) => Err(format!("{name} takes from {} to {}", time(least), time(most))),
        Err(_) => Err(format!("{text:?} is not a time, such as 50us or 1ms")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        Plan::new(&config::Layers::default()).unwrap()
    }

    #[test]
    fn names_and_values_are_read() {
        let Ok(Remedy::IoPriority(io)) = Remedy::parse("io-priority", &plan()) else { panic!() };
        assert_eq!(io, IoPriority::default());
        let Ok(Remedy::IoPriority(io)) = Remedy::parse("io-priority=20us", &plan()) else {
            panic!()
        };
        assert_eq!(io.wait, Duration::from_micros(20));
        let interval = Remedy::parse("switch-interval 1ms", &plan());
        assert_eq!(interval, Ok(Remedy::SwitchInterval(Duration::from_millis(1))));
    }

    #[test]
    fn nonsense_is_refused_with_what_would_be_right() {
        for (text, says) in [
            ("magic", "there are io-priority, switch-interval, keep-chunks"),
            ("switch-interval", "wants a time"),
            ("switch-interval 0s", "takes from"),
            ("io-priority=1ns", "takes from 5us"),
            ("io-priority=soon", "is not a time"),
            ("keep-chunks=16", "takes no value"),
        ] {
            let error = Remedy::parse(text, &plan()).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
        assert!(name_of("x").is_err());
        assert_eq!(name_of("switch-interval 1ms"), Ok("switch-interval"));
    }
}
