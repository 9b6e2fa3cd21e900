//! A chunk: some batches as bytes, and back. Encode and decode mirror each other.

use crate::batch::Batch;

/// zstd's default: the writer has a second for each chunk.
const LEVEL: i32 = 3;

/// What a chunk may unpack to; a bound against a damaged or hostile file.
const UNPACKED_BYTES_MAX: usize = 1 << 30;

pub fn encode(batches: &[Batch]) -> Vec<u8> {
    let plain =
        postcard::to_allocvec(batches).expect("a batch holds nothing that cannot be encoded");
    let mut packer = zstd::bulk::Compressor::new(LEVEL).expect("the level is one of zstd's");
    packer.include_checksum(true).expect("a parameter that zstd has");
    packer.compress(&plain).expect("the output grows with the input")
}

/// The text says what is wrong with the bytes.
pub fn decode(data: &[u8]) -> Result<Vec<Batch>, String> {
    let size = zstd::bulk::Decompressor::upper_bound(data).unwrap_or(usize::MAX);
    if size > UNPACKED_BYTES_MAX {
        return Err("a chunk claims more than 1 GiB".into());
    }
    let plain = zstd::bulk::decompress(data, size).map_err(|cause| cause.to_string())?;
    postcard::from_bytes(&plain).map_err(|cause| cause.to_string())
}
