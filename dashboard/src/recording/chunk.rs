//! A chunk: some batches as bytes, and back. Encode and decode mirror each other.
//!
//! The writer keeps chunks small, so that the reader can refuse those that would fill its memory.

use super::older::before_frames;
use super::schema::FORMAT_WITH_FRAMES;
use crate::batch::Batch;

/// zstd's default: the writer has a second for each chunk.
const LEVEL: i32 = 3;

/// Batches in a chunk.
pub const BATCHES_MAX: usize = 128;
/// Bytes that a chunk of more than one batch unpacks to.
pub const PLAIN_BYTES_MAX: usize = 16 << 20;
/// A chunk that unpacks to more than [`PLAIN_BYTES_MAX`] is one large batch, which packs about so well.
const RATIO_MAX: usize = 64;

/// Batches before they are packed; the writer looks at their size.
pub fn plain(batches: &[Batch]) -> Vec<u8> {
    postcard::to_allocvec(batches).expect("a batch holds nothing that cannot be encoded")
}

pub fn pack(plain: &[u8]) -> Vec<u8> {
    let mut packer = zstd::bulk::Compressor::new(LEVEL).expect("the level is one of zstd's");
    packer.include_checksum(true).expect("a parameter that zstd has");
    packer.compress(plain).expect("the output grows with the input")
}

/// Batches of a recording of format `version`. The text says what is wrong with the bytes.
pub fn decode(data: &[u8], version: i64) -> Result<Vec<Batch>, String> {
    let most = PLAIN_BYTES_MAX.max(data.len().saturating_mul(RATIO_MAX));
    unpack(&plain_of(data, most)?, version)
}

/// What was packed, if it is not more than `most` bytes. The text says what is wrong with the bytes.
pub fn plain_of(data: &[u8], most: usize) -> Result<Vec<u8>, String> {
    let size =
        zstd::bulk::Decompressor::upper_bound(data).ok_or("a chunk does not tell its size")?;
    if size > most {
        return Err(format!("a chunk of {} bytes claims to hold {size}", data.len()));
    }
    zstd::bulk::decompress(data, size).map_err(|cause| cause.to_string())
}

/// One batch after the other: an empty one takes a few bytes here and hundreds in memory.
pub fn unpack(plain: &[u8], version: i64) -> Result<Vec<Batch>, String> {
    let failed = |cause: postcard::Error| cause.to_string();
    let (n_batches, mut rest) = postcard::take_from_bytes::<usize>(plain).map_err(failed)?;
    if n_batches > BATCHES_MAX {
        return Err(format!("a chunk claims to hold {n_batches} batches"));
    }
    let mut batches = Vec::new();
    for _ in 0..n_batches {
        let (batch, after) = match version {
            ..FORMAT_WITH_FRAMES => before_frames(rest),
            _ => postcard::take_from_bytes(rest),
        }
        .map_err(failed)?;
        batches.push(batch);
        rest = after;
    }
    Ok(batches)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::schema::FORMAT_VERSION;

    #[test]
    fn a_small_file_cannot_fill_the_memory() {
        let refused = |plain: &[u8]| decode(&pack(plain), FORMAT_VERSION).unwrap_err();
        assert!(refused(&vec![0; PLAIN_BYTES_MAX + 1]).contains("claims to hold"));
        let many = plain(&vec![Batch::default(); BATCHES_MAX + 1]);
        assert!(refused(&many).contains("129 batches"));
    }
}
