//! The lanes of the timeline as one binary answer.
//!
//! ```text
//! u32 little endian   length of the header in bytes, padding included; 4 more is a multiple of 8
//! header              JSON, padded with spaces; "n_spans", "count" (pixels) and "threads" give the sizes
//! f64 little endian   columns of n_spans: start_ns, end_ns, free_ns, drop_to_release_ns
//! u32 little endian   columns of n_spans: lane, kind, holder, holder_start, code, line, module,
//!                     drop_requests; 0 is "none" for threads, codes and lines, modules count from 1
//! u8                  for each thread, for each of the first four states: one share a pixel, of 255
//! ```
//! The fifth state, "absent", is what the four leave of 255.

use crate::hub::SessionId;
use crate::store::Snapshot;
use crate::store::lanes::{Lanes, Parts, STATES, Span};
use serde_json::{Map, Value, json};

/// The answer's bytes.
pub fn lanes(id: SessionId, snapshot: &Snapshot<'_>, lanes: &Lanes) -> Vec<u8> {
    let mut header = header(id, snapshot, lanes).to_string().into_bytes();
    header.resize((header.len() + 4).next_multiple_of(8) - 4, b' ');
    let length = u32::try_from(header.len()).expect("a header of 4 GiB was never made");
    let mut out = [&length.to_le_bytes()[..], &header].concat();
    let place = |span: &Span| lanes.lanes.iter().position(|lane| lane.thread == span.thread);
    let long: [fn(&Span) -> u64; 4] = [
        |span| span.range.start_ns,
        |span| span.range.end_ns,
        |span| span.free_ns,
        |span| span.drop_to_release_ns,
    ];
    for value in long {
        out.extend(lanes.spans.iter().flat_map(|span| (value(span) as f64).to_le_bytes()));
    }
    let places = lanes.spans.iter().map(|span| place(span).unwrap_or(0) as u32);
    out.extend(places.flat_map(u32::to_le_bytes));
    let short: [fn(&Span) -> u32; 7] = [
        |span| span.kind as u32,
        |span| span.holder.0,
        |span| span.holder_start.0,
        |span| span.code,
        |span| span.line.unwrap_or(0),
        |span| span.native_module.map_or(0, |module| module.saturating_add(1)),
        |span| u32::from(span.drop_requests),
    ];
    for value in short {
        out.extend(lanes.spans.iter().flat_map(|span| value(span).to_le_bytes()));
    }
    for lane in &lanes.lanes {
        let shares: Vec<[u8; 4]> = lane.pixels.iter().map(shares).collect();
        (0..4).for_each(|state| out.extend(shares.iter().map(|share| share[state])));
    }
    out
}

fn header(id: SessionId, snapshot: &Snapshot<'_>, lanes: &Lanes) -> Value {
    let mut codes = Map::new();
    let mut modules = Map::new();
    for span in &lanes.spans {
        if let Some(fact) = snapshot.code(span.code) {
            codes.entry(span.code.to_string()).or_insert_with(
                || json!({ "function": fact.function, "file": fact.file, "first_line": fact.first_line }),
            );
        }
        if let Some(module) = span.native_module
            && let Some(name) = snapshot.native_module(module)
        {
            modules.entry((module + 1).to_string()).or_insert_with(|| json!(name));
        }
    }
    let threads: Vec<u32> = lanes.lanes.iter().map(|lane| lane.thread.0).collect();
    json!({
        "part": "lanes", "session": id, "range": lanes.range,
        "start_ns": lanes.pixels.start_ns, "step_ns": lanes.pixels.step_ns, "count": lanes.pixels.count,
        "threads": threads, "states": STATES, "n_spans": lanes.spans.len(),
        "spans_left_out": lanes.spans_left_out, "bin_ns": lanes.bin_ns,
        // 2^53 and more is not exact in JavaScript, and means "nowhere in this range".
        "detail_from_ns": (lanes.detail_from_ns < 1 << 53).then_some(lanes.detail_from_ns),
        "codes": codes, "modules": modules,
    })
}

/// The first four parts in 255ths, with what rounding leaves given to the largest of all five. A state
/// that was there at all keeps at least one.
fn shares(parts: &Parts) -> [u8; 4] {
    let whole = parts.iter().sum::<u64>().max(1);
    let mut shares = parts.map(|part| {
        let share = (u128::from(part) * 255 / u128::from(whole)) as u64;
        share.max(u64::from(part > 0))
    });
    let largest = (0..5).max_by_key(|at| shares[*at]).unwrap_or(4);
    let others = shares.iter().sum::<u64>() - shares[largest];
    shares[largest] = 255 - others;
    std::array::from_fn(|at| shares[at] as u8)
}

#[cfg(test)]
mod tests {
    use super::shares;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn shares_never_exceed_the_whole_and_keep_what_is_rare(parts: [u32; 5]) {
            let parts = parts.map(u64::from);
            let shares = shares(&parts);
            prop_assert!(shares.iter().map(|share| u32::from(*share)).sum::<u32>() <= 255);
            for (share, part) in shares.iter().zip(parts) {
                prop_assert_eq!(*share == 0, part == 0);
            }
        }
    }
}
