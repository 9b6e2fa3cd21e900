//! Checks what a client asks for: a span of time and a width in pixels.
//!
//! Spans are clamped to what the session has, so no question costs more than the whole of it; what is
//! not a whole number, or ends before it starts, is an error.

use crate::store::Range;
use serde::Deserialize;

/// Width of a plot when none is asked for.
const PX_DEFAULT: usize = 1000;
/// A wider one than any screen's only costs.
pub const PX_MAX: usize = 4000;

/// The span and width of a question, as asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct View {
    pub from_ns: Option<u64>,
    pub to_ns: Option<u64>,
    /// Instead of the two: the last so many ns.
    pub last_ns: Option<u64>,
    pub px: Option<usize>,
    /// Bands of CPU that are given one by one, busiest first; the rest is summed. All by default.
    pub bands: Option<usize>,
}

impl View {
    /// The view itself if it makes sense, else why not.
    pub fn checked(self) -> Result<Self, String> {
        if self.last_ns.is_some() && (self.from_ns.is_some() || self.to_ns.is_some()) {
            return Err("give last_ns, or from_ns and to_ns, not both".to_owned());
        }
        if self.from_ns.unwrap_or(0) >= self.to_ns.unwrap_or(u64::MAX) {
            return Err("from_ns must be below to_ns".to_owned());
        }
        match self.px {
            Some(px) if !(1..=PX_MAX).contains(&px) => Err(format!("px must be 1 to {PX_MAX}")),
            _ => Ok(self),
        }
    }

    /// The part of `whole` that is asked for.
    pub fn range_in(&self, whole: Range) -> Range {
        let start = match self.last_ns {
            Some(last) => whole.end_ns.saturating_sub(last),
            None => self.from_ns.unwrap_or(0),
        };
        whole.intersection(&Range::new(start, self.to_ns.unwrap_or(u64::MAX)))
    }

    /// Pixels wanted.
    pub fn px(&self) -> usize {
        self.px.unwrap_or(PX_DEFAULT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::extract::Query;
    use proptest::prelude::*;

    fn parse(query: &str) -> Result<View, String> {
        let uri = format!("/x?{query}").parse().unwrap();
        let Query(view) = Query::<View>::try_from_uri(&uri).map_err(|error| error.to_string())?;
        view.checked()
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in [
            "px=0",
            "px=4001",
            "px=NaN",
            "px=1e9",
            "px=-1",
            "from_ns=-1",
            "from_ns=1.5",
            "from_ns=NaN",
            "from_ns=5&to_ns=5",
            "from_ns=6&to_ns=5",
            "last_ns=5&from_ns=1",
            "from_ns=99999999999999999999",
            "px=1&px=2",
        ] {
            assert!(parse(bad).is_err(), "{bad}: {:?}", parse(bad));
        }
    }

    proptest! {
        #[test]
        fn every_answer_lies_within_the_session(
            from in proptest::option::of(any::<u64>()), to in proptest::option::of(any::<u64>()),
            last in proptest::option::of(any::<u64>()), start in any::<u64>(), end in any::<u64>(),
        ) {
            let whole = Range::new(start, end);
            let view = View { from_ns: from, to_ns: to, last_ns: last, ..View::default() };
            if let Ok(view) = view.checked() {
                let range = view.range_in(whole);
                prop_assert!(range.is_empty() || whole.contains(&range), "{range:?} in {whole:?}");
            }
        }
    }
}
