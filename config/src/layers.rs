//! Layers of values, the later over the earlier, each value with where it came from.
//!
//! A value is checked in the layer that brings it, so an error always names the file, variable or
//! flag to go to. Knows no file system: texts are handed in, see `source`.

use crate::limit::Value;
use crate::schema::{self, Key};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `default.toml`, built in.
    Default,
    /// A file.
    File(PathBuf),
    /// An environment variable.
    Variable(String),
    /// A flag, as the user writes it: "--listen".
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => formatter.write_str("default.toml"),
            Self::File(path) => write!(formatter, "{}", path.display()),
            Self::Variable(name) | Self::Flag(name) => formatter.write_str(name),
        }
    }
}

/// What is wrong with an option, and where.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A key that does not exist.
    #[error("{origin}: unknown key `{key}`; known are {}", known())]
    UnknownKey {
        /// Where it stands.
        origin: Origin,
        /// The key.
        key: String,
    },
    /// A value that cannot be taken.
    #[error("{origin}: {}{problem}", of(.origin, .key))]
    Value {
        /// Where it stands.
        origin: Origin,
        /// Its key.
        key: String,
        /// What is wrong, with the allowed range.
        problem: String,
    },
    /// A file that is not TOML.
    #[error("{origin}: line {line}: {problem}")]
    Syntax {
        /// The file.
        origin: Origin,
        /// Counted from 1.
        line: usize,
        /// What the parser says.
        problem: String,
    },
    /// A file that is there but cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

fn known() -> String {
    schema::keys().iter().map(|key| key.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// A flag or variable names its key already.
fn of(origin: &Origin, key: &str) -> String {
    match origin {
        Origin::Default | Origin::File(_) => format!("`{key}`: "),
        Origin::Variable(_) | Origin::Flag(_) => String::new(),
    }
}

/// All values so far; complete from the start, since the first layer is `default.toml`.
#[derive(Clone, Debug)]
pub struct Layers {
    values: BTreeMap<&'static str, (Value, Origin)>,
}

impl Default for Layers {
    fn default() -> Self {
        let values = schema::keys()
            .iter()
            .map(|key| (key.name.as_str(), (key.value.clone(), Origin::Default)))
            .collect();
        Self { values }
    }
}

impl Layers {
    /// Lays the text of a file over what is there.
    ///
    /// # Errors
    /// For text that is not TOML, an unknown key and a value that its key does not allow.
    pub fn add_file(&mut self, path: &Path, text: &str) -> Result<(), Error> {
        let origin = Origin::File(path.to_owned());
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            let before = error.span().map_or(0, |span| span.start.min(text.len()));
            Error::Syntax {
                origin: origin.clone(),
                line: 1 + text.as_bytes()[..before].iter().filter(|byte| **byte == b'\n').count(),
                problem: error.message().to_owned(),
            }
        })?;
        for (name, value) in &table {
            let key = find(name, &origin)?;
            let value = key.limit.check_toml(value);
            self.put(key, value, origin.clone())?;
        }
        Ok(())
    }

    /// Lays `GILSCOPE_*` over what is there; other variables are passed over, and so are
    /// `GILSCOPE_WEB_DIST` (read when gilscope is built) and `GILSCOPE_TEST_*` (read by its tests).
    ///
    /// # Errors
    /// For an unknown `GILSCOPE_` variable and a value that its key does not allow.
    pub fn add_variables(
        &mut self,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(), Error> {
        for (variable, text) in variables {
            let Some(name) = variable.strip_prefix("GILSCOPE_") else { continue };
            if name == "WEB_DIST" || name.starts_with("TEST_") {
                continue;
            }
            let key = find(&name.to_lowercase(), &Origin::Variable(variable.clone()))?;
            self.put(key, key.limit.check_text(&text), Origin::Variable(variable))?;
        }
        Ok(())
    }

    /// Lays one value from the command line over what is there. `flag` is what the user wrote.
    ///
    /// # Errors
    /// For an unknown key and a value that the key does not allow.
    pub fn set(&mut self, flag: &str, name: &str, text: &str) -> Result<(), Error> {
        let origin = Origin::Flag(flag.to_owned());
        let key = find(name, &origin)?;
        self.put(key, key.limit.check_text(text), origin)
    }

    fn put(
        &mut self,
        key: &'static Key,
        value: Result<Value, String>,
        origin: Origin,
    ) -> Result<(), Error> {
        match value {
            Ok(value) => {
                self.values.insert(&key.name, (value, origin));
                Ok(())
            }
            Err(problem) => Err(Error::Value { origin, key: key.name.clone(), problem }),
        }
    }

    pub(crate) fn value(&self, name: &str) -> &Value {
        &self.values.get(name).expect("the plan asks for keys of default.toml").0
    }

    /// Where a key's value came from; none if there is no such key.
    pub fn origin(&self, name: &str) -> Option<&Origin> {
        self.values.get(name).map(|(_, origin)| origin)
    }
}

fn find(name: &str, origin: &Origin) -> Result<&'static Key, Error> {
    schema::find(name)
        .ok_or_else(|| Error::UnknownKey { origin: origin.clone(), key: name.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Result<Layers, String> {
        let mut layers = Layers::default();
        layers.add_file(Path::new("./gilscope.toml"), text).map_err(|error| error.to_string())?;
        Ok(layers)
    }

    #[test]
    fn the_later_layer_wins_and_is_remembered() {
        let mut layers = file("cpu_hz = 20\nopen = true").unwrap();
        layers
            .add_variables([("GILSCOPE_CPU_HZ".into(), "30".into()), ("HOME".into(), "/".into())])
            .unwrap();
        assert_eq!(layers.value("cpu_hz"), &Value::Integer(30));
        layers.set("--set cpu_hz=40", "cpu_hz", "40").unwrap();
        assert_eq!(layers.value("cpu_hz"), &Value::Integer(40));
        assert_eq!(layers.origin("cpu_hz"), Some(&Origin::Flag("--set cpu_hz=40".into())));
        assert_eq!(layers.origin("open"), Some(&Origin::File("./gilscope.toml".into())));
        assert_eq!(layers.origin("color"), Some(&Origin::Default));
    }

    #[test]
    fn an_unknown_key_names_file_and_key() {
        let error = file("cpu_hertz = 20").unwrap_err();
        assert!(
            error.starts_with("./gilscope.toml: unknown key `cpu_hertz`; known are probes, "),
            "{error}"
        );
        let error = Layers::default()
            .add_variables([("GILSCOPE_COLOUR".into(), "never".into())])
            .unwrap_err();
        assert!(
            error.to_string().starts_with("GILSCOPE_COLOUR: unknown key `colour`; "),
            "{error}"
        );
    }

    #[test]
    fn a_bad_value_names_file_key_and_range() {
        #[track_caller]
        fn check(text: &str, expected: &str) {
            assert_eq!(file(text).unwrap_err(), expected);
        }
        check("cpu_hz = 500", "./gilscope.toml: `cpu_hz`: 500 is out of range: from 1 to 100");
        check("cpu_hz = -1", "./gilscope.toml: `cpu_hz`: -1 is out of range: from 1 to 100");
        check("cpu_hz = \"10\"", "./gilscope.toml: `cpu_hz`: wants a whole number, without quotes");
        check(
            "probes = \"gil\"",
            "./gilscope.toml: `probes`: wants a list, such as [\"gil\", \"cpu\"]",
        );
        check("gil_long_hold = 5", "./gilscope.toml: `gil_long_hold`: wants a duration in quotes");
        check(
            "[gil]\nmode = 1",
            concat!(
                "./gilscope.toml: unknown key `gil`; known are ",
                "probes, method, gil_mode, gil_blame, gil_blame_ration, gil_long_hold, gil_light_every, ",
                "io_priority, io_priority_wait, io_priority_switching, io_priority_cpu_share, ",
                "switch_interval, keep_chunks, cpu_hz, threads_max, ring_bytes, dashboard, listen, open, color, log"
            ),
        );
    }

    #[test]
    fn text_that_is_not_toml_names_its_line() {
        let error = file("cpu_hz = 10\n\nopen = = true").unwrap_err();
        assert!(error.starts_with("./gilscope.toml: line 3: "), "{error}");
    }
}
