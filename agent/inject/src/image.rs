//! The agent's image: finding and filling its parameter block, naming its build, making its memfd's name.

use crate::error::Error;
use sha2::{Digest, Sha256};
use std::mem::offset_of;
use wire::params::{MAGIC, Params};
use wire::segment::{ABI_VERSION, PAGE};

/// Begins the name of every memfd of ours.
const PREFIX: &str = "gilscope-";

/// An agent image that was checked.
#[derive(Clone, Copy)]
pub(crate) struct Image<'a> {
    bytes: &'a [u8],
    params_at: usize,
    /// Tells builds apart.
    pub(crate) build_id: u64,
}

impl<'a> Image<'a> {
    pub(crate) fn check(bytes: &'a [u8]) -> Result<Self, Error> {
        if !bytes.starts_with(b"\x7fELF") {
            return Err(Error::Image("not an ELF file"));
        }
        let version = offset_of!(Params, abi_version);
        let mut found = bytes
            .windows(size_of::<Params>())
            .enumerate()
            .filter(|(_, block)| block.starts_with(&MAGIC))
            .filter(|(_, block)| block[version..version + 4] == ABI_VERSION.to_le_bytes())
            .map(|(at, _)| at);
        match (found.next(), found.next()) {
            (Some(params_at), None) => {
                let digest = Sha256::digest(bytes);
                let build_id = u64::from_be_bytes(digest[..8].try_into().expect("32 bytes"));
                Ok(Self { bytes, params_at, build_id })
            }
            (None, _) => Err(Error::Image("it has no parameter block of this build")),
            (Some(_), Some(_)) => Err(Error::Image("it has two parameter blocks")),
        }
    }

    /// Where the segment begins behind it.
    pub(crate) fn segment_offset(&self) -> u64 {
        self.bytes.len().next_multiple_of(PAGE) as u64
    }

    /// Where in the file `hook_slot` and `finish` of the parameters stand, side by side.
    pub(crate) fn hook_slot_at(&self) -> u64 {
        const { assert!(offset_of!(Params, finish) == offset_of!(Params, hook_slot) + 8) };
        (self.params_at + offset_of!(Params, hook_slot)) as u64
    }

    /// The bytes with these parameters.
    pub(crate) fn filled(&self, filling: &Filling) -> Vec<u8> {
        let mut bytes = self.bytes.to_vec();
        let mut put = |at: usize, value: &[u8]| {
            let at = self.params_at + at;
            bytes[at..at + value.len()].copy_from_slice(value);
        };
        put(offset_of!(Params, origin), &filling.origin.to_le_bytes());
        put(offset_of!(Params, fd), &filling.fd.to_le_bytes());
        put(offset_of!(Params, second_fd), &(-1i32).to_le_bytes());
        put(offset_of!(Params, offset), &self.segment_offset().to_le_bytes());
        put(offset_of!(Params, bytes), &filling.segment_bytes.to_le_bytes());
        put(offset_of!(Params, build_id), &self.build_id.to_le_bytes());
        bytes
    }
}

/// What is told to the agent through its image.
pub(crate) struct Filling {
    /// A `wire::params::origin`.
    pub(crate) origin: u32,
    /// The memfd, in the target.
    pub(crate) fd: i32,
    pub(crate) segment_bytes: u64,
}

/// A name that no earlier attach has used: build and nonce.
pub(crate) fn memfd_name(build_id: u64) -> String {
    format!("{PREFIX}{build_id:016x}-{:016x}", nonce())
}

/// The build that a mapped or open memfd of ours belongs to.
pub(crate) fn build_of(file_name: &str) -> Option<u64> {
    let (build, nonce) = file_name.strip_prefix(PREFIX)?.split_once('-')?;
    let plain = build.len() == 16 && nonce.len() == 16;
    plain.then(|| u64::from_str_radix(build, 16).ok()).flatten()
}

/// `/proc/self/fd/N`, spelled as never before in that process: `dlopen` compares names with those of
/// loaded libraries before it opens anything, and would give back an earlier one.
pub(crate) fn unique_path(fd: i32) -> String {
    let mut bits = nonce();
    let mut path = String::from("/proc/self");
    for _ in 0..24 {
        path.push_str(if bits & 1 == 1 { "/." } else { "/" });
        bits >>= 1;
    }
    path + &format!("/fd/{fd}")
}

/// Differs from call to call and from process to process; need not be secret.
fn nonce() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        let name = memfd_name(0xabc);
        assert_eq!(build_of(&name), Some(0xabc));
        assert_ne!(name, memfd_name(0xabc));
        assert_eq!(build_of("gilscope-xyz-1"), None);
        assert_eq!(build_of("gilscope"), None);
    }

    #[test]
    fn paths_differ_and_lead_to_the_same() {
        let (one, two) = (unique_path(3), unique_path(3));
        assert_ne!(one, two);
        let real = |path: String| std::fs::canonicalize(path.replace("/fd/3", "/fd")).unwrap();
        assert_eq!(real(one), real(two));
    }

    #[test]
    fn damaged_images_are_refused() {
        assert!(Image::check(b"text").is_err());
        assert!(Image::check(b"\x7fELF and nothing else").is_err());
    }
}
