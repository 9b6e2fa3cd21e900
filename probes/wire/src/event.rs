//! One thing that happened, 64 bytes, as it stands in a ring.
//!
//! An event is fixed in size so that a ring is an array, a torn or hostile one is found by looking
//! at one cache line, and losing is counted in events. Fields that a kind does not use are zero.

/// What an event says. Unknown kinds are skipped and counted by the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A contended acquire: the wait ended at `at_ns` and lasted `duration_ns`.
    Wait = 1,
    /// A hold that was ended by a drop request: released at `at_ns` after `duration_ns`.
    ForcedRelease = 2,
    /// A hold longer than the plan's threshold, released voluntarily.
    LongHold = 3,
    /// `--trace` only: any other hold, released at `at_ns` after `duration_ns`.
    Hold = 4,
    /// The wait on `switch_cond` after a forced release (CPython FORCE_SWITCHING) began at `at_ns`.
    ForcedSwitchWait = 5,
}

impl Kind {
    /// The kind behind a byte of a ring, if there is one.
    pub fn from_u8(byte: u8) -> Option<Self> {
        [Self::Wait, Self::ForcedRelease, Self::LongHold, Self::Hold, Self::ForcedSwitchWait]
            .into_iter()
            .find(|kind| *kind as u8 == byte)
    }
}

/// No thread: the serial of nobody.
pub const NO_THREAD: u32 = 0;
/// No code was sampled.
pub const NO_CODE: u32 = 0;
/// `instruction` when it is not known.
pub const NO_INSTRUCTION: u32 = u32::MAX;

/// An event. Plain data: every bit pattern is a value, [`Kind::from_u8`] says whether it means one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct Event {
    /// A [`Kind`].
    pub kind: u8,
    /// Zero; room for flags.
    pub flags: u8,
    /// Wait: drop requests that this waiter set.
    pub drop_requests: u16,
    /// Wait: how often the holder was looked at.
    pub samples: u32,
    /// When it ended, stamp in ns.
    pub at_ns: u64,
    /// How long it lasted, ns.
    pub duration_ns: u64,
    /// Wait: part of `duration_ns` in which nobody held the GIL and this thread was not yet running.
    pub free_ns: u64,
    /// Wait: serial of the thread that held the GIL when the wait began, or [`NO_THREAD`].
    pub holder_start: u32,
    /// Wait: serial of the thread that released it last before the wait ended.
    pub holder_end: u32,
    /// Wait: index in the code table of what the holder ran, as seen last; [`NO_CODE`] if not seen.
    pub code: u32,
    /// Byte offset of the holder's instruction in its code, or [`NO_INSTRUCTION`].
    pub instruction: u32,
    /// Forced release: ns from the drop request to the release.
    pub drop_to_release_ns: u64,
    /// Zero.
    pub reserved: u64,
}

/// Words of 64 bits in an event; a reader copies an event word by word.
pub const WORDS: usize = 8;

impl Event {
    /// The event as words, for storing in a ring.
    #[inline(always)]
    pub fn to_words(self) -> [u64; WORDS] {
        // SAFETY: `Event` is `repr(C)`, 64 bytes, without padding or pointers: plain integers.
        unsafe { core::mem::transmute(self) }
    }

    /// The event that stands in these words.
    pub fn from_words(words: [u64; WORDS]) -> Self {
        // SAFETY: every bit pattern is a valid `Event`: all fields are plain integers.
        unsafe { core::mem::transmute(words) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_survives_words() {
        let event =
            Event { kind: Kind::Wait as u8, at_ns: 7, duration_ns: 9, code: 3, ..Event::default() };
        assert_eq!(Event::from_words(event.to_words()), event);
        assert_eq!(size_of::<Event>(), 8 * WORDS);
    }
}
