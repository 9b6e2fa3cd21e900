//! Which CPython it is.

/// `major.minor.micro`: `PY_VERSION_HEX` without its last byte, the release level (`Include/patchlevel.h`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(u32);

impl Version {
    /// The version with these three numbers.
    #[must_use]
    pub const fn new(major: u8, minor: u8, micro: u8) -> Self {
        Self((major as u32) << 16 | (minor as u32) << 8 | micro as u32)
    }

    /// From `PY_VERSION_HEX`: the value of the exported `Py_Version` (3.11+) and the second word of the debug offsets.
    #[must_use]
    pub const fn from_hex(hex: u32) -> Self {
        Self(hex >> 8)
    }

    /// From what `Py_GetVersion()` returns: `3.11.2 (main, …`, also `3.13.0+ …` and `3.14.0rc1 …`.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (major, rest) = number(text)?;
        let (minor, rest) = number(rest.strip_prefix(b".")?)?;
        let micro = rest.strip_prefix(b".").and_then(number).map_or(0, |(micro, _)| micro);
        Some(Self::new(major, minor, micro))
    }

    /// Whether frames live in chunks of each thread's data stack (`Python/pystate.c`, `push_chunk`; 3.11 and later).
    #[must_use]
    pub const fn has_data_stack(self) -> bool {
        self.0 >= Self::new(3, 11, 0).0
    }

    /// Its allocators' blocks begin at multiples of so many bytes (`ALIGNMENT` in `Objects/obmalloc.c`, 16 from
    /// 3.8 on; some late releases before it, too, for which 8 is also true).
    #[must_use]
    pub const fn block_spacing(self) -> u32 {
        if self.0 >= Self::new(3, 8, 0).0 { 16 } else { 8 }
    }

    /// The first number.
    #[must_use]
    pub const fn major(self) -> u8 {
        (self.0 >> 16) as u8
    }

    /// The second number.
    #[must_use]
    pub const fn minor(self) -> u8 {
        (self.0 >> 8) as u8
    }

    /// The third number.
    #[must_use]
    pub const fn micro(self) -> u8 {
        self.0 as u8
    }

    /// Whether gilscope promises to work with it: 2.7 and 3.6 to 3.15. Newer ones may work by their debug offsets.
    #[must_use]
    pub const fn is_supported(self) -> bool {
        matches!((self.major(), self.minor()), (2, 7) | (3, 6..=15))
    }

    /// Whether it publishes its own offsets at `_PyRuntime` (3.13 and later).
    #[must_use]
    pub const fn has_debug_offsets(self) -> bool {
        self.0 >= Self::new(3, 13, 0).0
    }
}

impl core::fmt::Display for Version {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}.{}.{}", self.major(), self.minor(), self.micro())
    }
}

impl core::fmt::Debug for Version {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Display::fmt(self, f)
    }
}

/// A decimal number of at most 255 at the start of `text`, and what follows it.
fn number(text: &[u8]) -> Option<(u8, &[u8])> {
    let mut value: Option<u8> = None;
    let mut rest = text;
    while let Some((&digit @ b'0'..=b'9', tail)) = rest.split_first() {
        value = Some(value.unwrap_or(0).checked_mul(10)?.checked_add(digit - b'0')?);
        rest = tail;
    }
    Some((value?, rest))
}

#[cfg(test)]
mod tests {
    use super::Version;

    #[test]
    fn reads_what_py_getversion_returns() {
        let cases: [(&[u8], Option<Version>); 7] = [
            (b"3.11.2 (main, Apr 28 2025, 14:11:48) [GCC 12.2.0]", Some(Version::new(3, 11, 2))),
            (b"2.7.18 (default, May  9 2026)", Some(Version::new(2, 7, 18))),
            (b"3.13.0+ (heads/3.13:abc)", Some(Version::new(3, 13, 0))),
            (b"3.15.0rc1", Some(Version::new(3, 15, 0))),
            (b"3.14", Some(Version::new(3, 14, 0))),
            (b"3.", None),
            (b"3.999.1", None),
        ];
        for (text, expected) in cases {
            assert_eq!(Version::parse(text), expected);
        }
        assert_eq!(Version::from_hex(0x030b_02f0), Version::new(3, 11, 2));
        assert!(Version::new(3, 9, 18) < Version::new(3, 10, 0));
    }

    #[test]
    fn supports_what_is_promised_and_no_more() {
        for supported in [(2, 7), (3, 6), (3, 13), (3, 15)] {
            assert!(Version::new(supported.0, supported.1, 0).is_supported());
        }
        for other in [(2, 6), (3, 5), (3, 16), (4, 0)] {
            assert!(!Version::new(other.0, other.1, 0).is_supported());
        }
    }
}
