//! A recording, or a range of one, as it is named on the command line: `F`, `F@from..to`.
//!
//! Each end is the name of a mark or a time since the session began; left out, it is the session's own.

use super::flags;
use crate::errors::Failure;
use crate::store::{Range, Snapshot};
use std::path::{Path, PathBuf};

/// What was named; the range is looked up once the recording is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) path: PathBuf,
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
}

impl Named {
    /// A file of that very name comes first: an `@` may be part of it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let whole = || Self { path: text.into(), from: None, to: None };
        if Path::new(text).exists() {
            return Ok(whole());
        }
        let Some((path, range)) = text.rsplit_once('@') else { return Ok(whole()) };
        let (from, to) = range
            .split_once("..")
            .ok_or("wants FILE or FILE@FROM..TO, each a mark's name or a time such as 12s")?;
        let end = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Ok(Self { path: path.into(), from: end(from), to: end(to) })
    }

    /// Ends given by flags win over those behind the `@`.
    pub(crate) fn with_ends(mut self, from: Option<&String>, to: Option<&String>) -> Self {
        self.from = from.cloned().or(self.from);
        self.to = to.cloned().or(self.to);
        self
    }

    /// The range in a recording.
    pub(crate) fn range(&self, snapshot: &Snapshot<'_>) -> Result<Range, Failure> {
        let whole = snapshot.range();
        let at = |end: &Option<String>, own: u64| match end {
            Some(text) => moment(text, snapshot),
            None => Ok(own),
        };
        let (start_ns, end_ns) = (at(&self.from, whole.start_ns)?, at(&self.to, whole.end_ns)?);
        let range = Range::new(start_ns, end_ns).intersection(&whole);
        if range.is_empty() {
            let seconds = |ns: u64| ns as f64 / 1e9;
            return Err(Failure::usage(format!(
                "nothing lies between {:.3} s and {:.3} s of {}",
                seconds(start_ns),
                seconds(end_ns),
                self.path.display()
            ))
            .remedy(format!(
                "it covers {:.3} s to {:.3} s",
                seconds(whole.start_ns),
                seconds(whole.end_ns)
            )));
        }
        Ok(range)
    }
}

/// A mark's name, of several the first; else a time since the session began, ns.
fn moment(text: &str, snapshot: &Snapshot<'_>) -> Result<u64, Failure> {
    if let Some(mark) = snapshot.marks().iter().find(|mark| mark.name == text) {
        return Ok(mark.at_ns);
    }
    match flags::duration(text) {
        Ok(time) => Ok(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)),
        Err(_) if text == "0" || text == "0s" => Ok(0),
        Err(_) => {
            let names: Vec<_> =
                snapshot.marks().iter().map(|mark| format!("\"{}\"", mark.name)).collect();
            let known = match names.is_empty() {
                true => "the recording has no marks".to_owned(),
                false => format!("its marks are {}", names.join(", ")),
            };
            Err(Failure::usage(format!("\"{text}\" is no mark and no time"))
                .remedy(format!("{known}; a time is written 12s or 1m30s")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{Batch, Mark, ProcessSample, Target};
    use crate::store::Store;

    const SECOND: u64 = 1_000_000_000;

    fn named(text: &str) -> Named {
        Named::parse(text).unwrap()
    }

    fn store() -> Store {
        let mut store = Store::new(Target::default());
        for at_ns in [0, 10 * SECOND] {
            let process = Some(ProcessSample { at_ns, ..Default::default() });
            let marks = vec![Mark { id: 1, name: "warm up".into(), at_ns: 4 * SECOND }];
            store.apply(&Batch { at_ns, process, marks, ..Default::default() });
        }
        store
    }

    #[test]
    fn a_range_is_between_marks_or_times() {
        let store = store();
        let range = |text: &str| named(text).range(&store.snapshot()).map_err(|e| e.to_string());
        assert_eq!(range("F"), Ok(Range::new(0, 10 * SECOND)));
        assert_eq!(range("F@warm up.."), Ok(Range::new(4 * SECOND, 10 * SECOND)));
        assert_eq!(range("a@b@2s..warm up"), Ok(Range::new(2 * SECOND, 4 * SECOND)));
        assert_eq!(range("F@0..1m"), Ok(Range::new(0, 10 * SECOND)));
        assert!(range("F@8s..3s").unwrap_err().contains("covers"));
        assert!(range("F@cold..").unwrap_err().contains("its marks are \"warm up\""));
        assert!(Named::parse("F@warm").is_err());
    }
}
