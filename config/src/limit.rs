//! What a value may be: the last comment line of each key in `default.toml`, and the test against it.

use std::net::SocketAddr;
use std::time::Duration;

/// A value that passed its [`Limit`].
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Bool(bool),
    Integer(u64),
    Duration(Duration),
    Bytes(u64),
    Address(SocketAddr),
    Text(String),
    List(Vec<String>),
}

/// What a value may be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Limit {
    Bool,
    Integer { least: u64, most: u64, power_of_two: bool },
    Duration { least: Duration, most: Duration },
    Bytes { least: u64, most: u64 },
    OneOf(Vec<String>),
    AnyOf(Vec<String>),
    Address,
    Text,
}

impl Limit {
    /// Reads a limit as `default.toml` writes it; none if the line is not one.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        match line {
            "true or false" => return Some(Self::Bool),
            "Loopback address and port" => return Some(Self::Address),
            "Text" => return Some(Self::Text),
            _ => {}
        }
        let names = |list: &str| list.split(", ").map(str::to_owned).collect();
        if let Some(list) = line.strip_prefix("One of: ") {
            return Some(Self::OneOf(names(list)));
        }
        if let Some(list) = line.strip_prefix("Any of: ") {
            return Some(Self::AnyOf(names(list)));
        }
        let power_of_two = line.starts_with("Power of two from ");
        let range = line.strip_prefix("Power of two from ").or(line.strip_prefix("From "))?;
        let (least, most) = range.split_once(" to ")?;
        if let (Ok(least), Ok(most)) = (least.parse(), most.parse()) {
            return Some(Self::Integer { least, most, power_of_two });
        }
        if let (Some(least), Some(most)) = (bytes(least), bytes(most)) {
            return Some(Self::Bytes { least, most });
        }
        let (least, most) = (humantime::parse_duration(least), humantime::parse_duration(most));
        Some(Self::Duration { least: least.ok()?, most: most.ok()? })
    }

    /// Tests text, as it comes from a flag or the environment. The error says what is wrong.
    pub(crate) fn check_text(&self, text: &str) -> Result<Value, String> {
        match self {
            Self::Bool => match text {
                "true" | "1" | "yes" | "on" => Ok(Value::Bool(true)),
                "false" | "0" | "no" | "off" => Ok(Value::Bool(false)),
                _ => Err(format!("{text:?} is neither true nor false")),
            },
            Self::Integer { .. } => match text.parse() {
                Ok(number) => self.check_integer(number),
                Err(_) => Err(format!("{text:?} is not a whole number")),
            },
            Self::Duration { least, most } => {
                let found = humantime::parse_duration(text)
                    .map_err(|_| format!("{text:?} is not a duration, such as 200us, 5ms or 2s"))?;
                within(text, &found, least, most, |value| {
                    humantime::format_duration(*value).to_string()
                })?;
                Ok(Value::Duration(found))
            }
            Self::Bytes { least, most } => {
                let found = bytes(text)
                    .ok_or(format!("{text:?} is not a size, such as 4096, 64KiB or 1MiB"))?;
                within(text, &found, least, most, |value| size(*value))?;
                Ok(Value::Bytes(found))
            }
            Self::OneOf(names) if names.iter().any(|name| name == text) => {
                Ok(Value::Text(text.to_owned()))
            }
            Self::OneOf(names) => Err(format!("{text:?} is none of {}", names.join(", "))),
            Self::AnyOf(_) => self.check_list(text.split(',').map(str::trim)),
            Self::Address => loopback(text),
            Self::Text => Ok(Value::Text(text.to_owned())),
        }
    }

    /// Tests a value of a file.
    pub(crate) fn check_toml(&self, value: &toml::Value) -> Result<Value, String> {
        match (self, value) {
            (Self::Bool, toml::Value::Boolean(value)) => Ok(Value::Bool(*value)),
            (Self::Integer { least, most, .. }, toml::Value::Integer(value)) => {
                match u64::try_from(*value) {
                    Ok(value) => self.check_integer(value),
                    Err(_) => Err(format!("{value} is out of range: from {least} to {most}")),
                }
            }
            (Self::Bytes { .. }, toml::Value::Integer(value)) => {
                self.check_text(&value.to_string())
            }
            (Self::AnyOf(_), toml::Value::Array(values)) => {
                match values.iter().map(toml::Value::as_str).collect() {
                    Some::<Vec<&str>>(names) => self.check_list(names.into_iter()),
                    None => Err("wants a list of names in quotes".to_owned()),
                }
            }
            (Self::Bool | Self::Integer { .. }, _) => {
                Err(format!("wants {}, without quotes", self.noun()))
            }
            (Self::AnyOf(_), _) => Err("wants a list, such as [\"gil\", \"cpu\"]".to_owned()),
            (_, toml::Value::String(text)) => self.check_text(text),
            _ => Err(format!("wants {} in quotes", self.noun())),
        }
    }

    fn noun(&self) -> &'static str {
        match self {
            Self::Bool => "true or false",
            Self::Integer { .. } => "a whole number",
            Self::Duration { .. } => "a duration",
            Self::Bytes { .. } => "a size",
            Self::Address => "an address and port",
            Self::OneOf(_) | Self::AnyOf(_) | Self::Text => "text",
        }
    }

    fn check_integer(&self, number: u64) -> Result<Value, String> {
        let Self::Integer { least, most, power_of_two } = self else {
            return Err("is not a number".to_owned());
        };
        within(&number.to_string(), &number, least, most, u64::to_string)?;
        if *power_of_two && !number.is_power_of_two() {
            return Err(format!("{number} is not a power of two"));
        }
        Ok(Value::Integer(number))
    }

    fn check_list<'a>(&self, names: impl Iterator<Item = &'a str>) -> Result<Value, String> {
        let Self::AnyOf(known) = self else { return Err("is not a list".to_owned()) };
        let mut found: Vec<String> = Vec::new();
        for name in names {
            if !known.iter().any(|known| known == name) {
                return Err(format!("{name:?} is none of {}", known.join(", ")));
            }
            if !found.iter().any(|known| known == name) {
                found.push(name.to_owned());
            }
        }
        if found.is_empty() {
            return Err(format!("is empty; wants any of {}", known.join(", ")));
        }
        Ok(Value::List(found))
    }
}

/// What the dashboard shows must not leave the machine unencrypted.
fn loopback(text: &str) -> Result<Value, String> {
    match text.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_loopback() => Ok(Value::Address(address)),
        Ok(_) => Err(format!(
            "{text} is not a loopback address; listen on 127.0.0.1 and forward the port with `ssh -L`"
        )),
        Err(_) => Err(format!("{text:?} is not an address and port, such as 127.0.0.1:7676")),
    }
}

fn within<T: PartialOrd>(
    text: &str,
    found: &T,
    least: &T,
    most: &T,
    show: impl Fn(&T) -> String,
) -> Result<(), String> {
    if found < least || found > most {
        return Err(format!("{text} is out of range: from {} to {}", show(least), show(most)));
    }
    Ok(())
}

const UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// Bytes that "64KiB", "64 KiB" or "65536" stand for.
fn bytes(text: &str) -> Option<u64> {
    for (unit, factor) in UNITS {
        if let Some(number) = text.strip_suffix(unit) {
            return number.trim_end().parse::<u64>().ok()?.checked_mul(factor);
        }
    }
    text.parse().ok()
}

/// Writes a size in the largest unit that divides it.
pub(crate) fn size(bytes: u64) -> String {
    let (unit, factor) = UNITS
        .into_iter()
        .find(|(_, factor)| bytes > 0 && bytes.is_multiple_of(*factor))
        .unwrap_or(("B", 1));
    format!("{}{unit}", bytes / factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(limit: &str, text: &str, expected: Result<Value, &str>) {
        let limit = Limit::parse(limit).unwrap();
        assert_eq!(limit.check_text(text), expected.map_err(str::to_owned));
    }

    #[test]
    fn a_range_holds_its_ends_and_nothing_beyond() {
        check("From 1 to 100", "1", Ok(Value::Integer(1)));
        check("From 1 to 100", "100", Ok(Value::Integer(100)));
        check("From 1 to 100", "101", Err("101 is out of range: from 1 to 100"));
        check("From 1 to 100", "fast", Err("\"fast\" is not a whole number"));
        check("Power of two from 2 to 1024", "12", Err("12 is not a power of two"));
    }

    #[test]
    fn durations_and_sizes_carry_their_unit() {
        check("From 0s to 1s", "200us", Ok(Value::Duration(Duration::from_micros(200))));
        check("From 0s to 1s", "2s", Err("2s is out of range: from 0s to 1s"));
        check("From 0s to 1s", "soon", Err("\"soon\" is not a duration, such as 200us, 5ms or 2s"));
        check("From 1KiB to 16MiB", "64 KiB", Ok(Value::Bytes(65_536)));
        check("From 1KiB to 16MiB", "1", Err("1 is out of range: from 1KiB to 16MiB"));
        check(
            "From 1KiB to 16MiB",
            "99999999999GiB",
            Err("\"99999999999GiB\" is not a size, such as 4096, 64KiB or 1MiB"),
        );
    }

    #[test]
    fn only_this_machine_is_listened_on() {
        let here = |text: &str| Ok(Value::Address(text.parse().unwrap()));
        check("Loopback address and port", "127.0.0.1:0", here("127.0.0.1:0"));
        check("Loopback address and port", "[::1]:7676", here("[::1]:7676"));
        let wide = "0.0.0.0:80 is not a loopback address; listen on 127.0.0.1 and forward the port with `ssh -L`";
        check("Loopback address and port", "0.0.0.0:80", Err(wide));
        let bare = "\"7676\" is not an address and port, such as 127.0.0.1:7676";
        check("Loopback address and port", "7676", Err(bare));
    }

    #[test]
    fn names_come_from_the_list_and_only_once() {
        check(
            "Any of: gil, cpu",
            "cpu, gil,cpu",
            Ok(Value::List(vec!["cpu".into(), "gil".into()])),
        );
        check("Any of: gil, cpu", "gpu", Err("\"gpu\" is none of gil, cpu"));
        check("One of: auto, never", "Auto", Err("\"Auto\" is none of auto, never"));
    }

    #[test]
    fn a_line_that_is_no_limit_is_not_taken_for_one() {
        for line in ["", "Serve the dashboard.", "From here to there", "From 1 until 2"] {
            assert_eq!(Limit::parse(line), None, "{line}");
        }
    }
}
