//! Dicts and instance attributes of every version, read whole as pairs of key and value addresses.

use alloc::vec;
use alloc::vec::Vec;

use crate::Memory;
use crate::layout::{Dict, Layout};
use crate::memory::{Block, is_object_address};

/// Entries of a dict that are read at most; a larger one is refused.
const ENTRIES: u64 = 1 << 17;
/// `Py_TPFLAGS_DICT_SUBCLASS`, `Py_TPFLAGS_MANAGED_DICT` (3.11+), `Py_TPFLAGS_INLINE_VALUES` (3.13+): `Include/object.h`.
const DICT_SUBCLASS: u64 = 1 << 29;
const MANAGED_DICT: u64 = 1 << 4;
const INLINE_VALUES: u64 = 1 << 2;
/// From `tp_flags` to `tp_dictoffset` in `PyTypeObject`, in every version.
const DICTOFFSET_AFTER_FLAGS: u64 = 120;
/// `DICT_KEYS_GENERAL` (3.11+): the entries carry hashes.
const KEYS_GENERAL: u8 = 0;

/// Addresses of a key and of its value.
pub(super) type Pair = (u64, u64);

/// The type flags of the object at `object`.
fn flags(memory: &impl Memory, layout: &Layout, object: u64) -> Option<(u64, u64)> {
    if !is_object_address(object) {
        return None;
    }
    let type_object = memory.pointer(object + layout.object.type_of)?;
    Some((type_object, memory.word(type_object + layout.object.type_flags)?))
}

/// All pairs of the dict at `dict`. `None` if it is none, or changed its keys while it was read.
pub(super) fn pairs(memory: &impl Memory, layout: &Layout, dict: u64) -> Option<Vec<Pair>> {
    if flags(memory, layout, dict)?.1 & DICT_SUBCLASS == 0 {
        return None;
    }
    if layout.dict == Dict::Table {
        return table_pairs(memory, dict);
    }
    // Behind the object: ma_used, ma_version_tag, ma_keys, ma_values.
    let keys_at = dict + layout.object.bytes + 16;
    let both = Block::<16>::read(memory, keys_at, 16)?;
    let keys = both.pointer(0)?;
    let pairs = if both.word(8)? == 0 {
        raw_key_entries(memory, layout, keys).map(present)
    } else {
        shared_pairs(memory, layout, keys, both.pointer(8)?)
    };
    (memory.word(keys_at) == Some(keys)).then_some(pairs?)
}

/// 2.7: `ma_mask` at 32, `ma_table` at 40, entries of hash, key, value.
fn table_pairs(memory: &impl Memory, dict: u64) -> Option<Vec<Pair>> {
    let mask = memory.word(dict + 32)?;
    let table = memory.pointer(dict + 40)?;
    let pairs = entries(memory, table, mask.checked_add(1)?, 24)?;
    (memory.word(dict + 40) == Some(table)).then(|| present(pairs))
}

/// The entries of the `PyDictKeysObject` at `keys`, unused ones included, so that positions match those of values
/// kept elsewhere.
fn raw_key_entries(memory: &impl Memory, layout: &Layout, keys: u64) -> Option<Vec<Pair>> {
    let header = Block::<40>::read(memory, keys, 40)?;
    if layout.dict == Dict::Sized {
        // dk_refcnt 0, dk_size 8, dk_nentries 32, dk_indices 40 (Objects/dict-common.h).
        let size = header.word(8)?;
        let width = match size {
            0..=0xff => 1,
            0x100..=0xffff => 2,
            0x1_0000..=0xffff_ffff => 4,
            _ => return None,
        };
        return entries(memory, keys + 40 + size * width, header.word(32)?, 24);
    }
    // dk_log2_index_bytes 9, dk_kind 10, dk_nentries 24, dk_indices 32 (Include/internal/pycore_dict.h).
    let index_bytes =
        1_u64.checked_shl(header.byte(9)?.into()).filter(|&bytes| bytes <= ENTRIES * 8)?;
    let width = if header.byte(10)? == KEYS_GENERAL { 24 } else { 16 };
    entries(memory, keys + 32 + index_bytes, header.word(24)?, width)
}

/// `count` entries of `width` bytes at `address`; key and value are an entry's last two words.
fn entries(memory: &impl Memory, address: u64, count: u64, width: usize) -> Option<Vec<Pair>> {
    if count > ENTRIES {
        return None;
    }
    let bytes = words(memory, address, usize::try_from(count).ok()? * width / 8)?;
    let pair = |entry: &[u64]| match entry {
        [.., key, value] => (*key, *value),
        _ => (0, 0),
    };
    Some(bytes.chunks_exact(width / 8).map(pair).collect())
}

fn words(memory: &impl Memory, address: u64, count: usize) -> Option<Vec<u64>> {
    let mut bytes = vec![0; count * 8];
    if count > 0 && !memory.copy(address, &mut bytes) {
        return None;
    }
    Some(bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word)).collect())
}

fn present(pairs: Vec<Pair>) -> Vec<Pair> {
    pairs
        .into_iter()
        .filter(|&(key, value)| is_object_address(key) && is_object_address(value))
        .collect()
}

/// Keys at `keys`, their values in the `PyDictValues` at `values`: from 3.13 behind capacity, size and flags.
fn shared_pairs(
    memory: &impl Memory,
    layout: &Layout,
    keys: u64,
    values: u64,
) -> Option<Vec<Pair>> {
    let header = if matches!(layout.dict, Dict::Inline { .. }) { 8 } else { 0 };
    let entries = raw_key_entries(memory, layout, keys)?;
    let values = words(memory, values.checked_add(header)?, entries.len())?;
    Some(present(entries.into_iter().zip(values).map(|((key, _), value)| (key, value)).collect()))
}

/// All attributes that the instance at `object` has itself.
pub(super) fn attributes(memory: &impl Memory, layout: &Layout, object: u64) -> Option<Vec<Pair>> {
    let (type_object, flags) = flags(memory, layout, object)?;
    let shared = |cached_keys: u64, values: u64| {
        shared_pairs(memory, layout, memory.pointer(type_object.checked_add(cached_keys)?)?, values)
    };
    let managed = flags & MANAGED_DICT != 0;
    let dict_at = match layout.dict {
        Dict::Values { cached_keys } if managed => {
            let values = memory.word(object - 32)?;
            if values != 0 {
                return shared(cached_keys, values);
            }
            object - 24
        }
        Dict::Tagged { cached_keys } if managed => {
            let word = memory.word(object - 24)?;
            if word & 1 == 1 {
                return shared(cached_keys, word.checked_add(1)?);
            }
            object - 24
        }
        Dict::Inline { cached_keys, dict_before } if managed => {
            let values = object + layout.object.bytes;
            if flags & INLINE_VALUES != 0 && Block::<4>::read(memory, values, 4)?.byte(3)? == 1 {
                return shared(cached_keys, values);
            }
            object - dict_before
        }
        _ => {
            let offset =
                memory.word(type_object + layout.object.type_flags + DICTOFFSET_AFTER_FLAGS)?;
            // Negative ones (variable-sized instances) are not those of any class asked for here.
            object + Some(offset).filter(|offset| (1..4096).contains(offset))?
        }
    };
    pairs(memory, layout, memory.pointer(dict_at)?)
}
