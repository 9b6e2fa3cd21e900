//! The binary message of the WebSocket: a JSON header and columns of 32-bit floats.
//!
//! ```text
//! u32 little endian   length of the header in bytes, padding included: a multiple of 4
//! header              JSON, padded with spaces; "columns" names each column in order, "count" is the
//!                     length of each
//! f32 little endian   the columns, one after the other; NaN is "no value"
//! ```
//! Times are not among the columns: value i stands for `start_ns + i * step_ns` of the header.

use serde_json::{Map, Value, json};

/// A message in the making.
pub struct Frame {
    header: Map<String, Value>,
    count: usize,
    names: Vec<Value>,
    columns: Vec<u8>,
}

impl Frame {
    /// An empty frame with columns of `count` values; `header` must be a JSON object.
    pub fn new(header: Value, count: usize) -> Self {
        let Value::Object(header) = header else { unreachable!("callers give an object") };
        Self { header, count, names: Vec::new(), columns: Vec::new() }
    }

    /// Adds a column. A value too few is "no value", one too many is left out.
    pub fn column(&mut self, name: impl Into<Value>, values: impl IntoIterator<Item = f32>) {
        self.names.push(name.into());
        let padded = values.into_iter().chain(std::iter::repeat(f32::NAN));
        self.columns.extend(padded.take(self.count).flat_map(f32::to_le_bytes));
    }

    /// The message's bytes.
    pub fn finish(mut self) -> Vec<u8> {
        self.header.insert("count".to_owned(), json!(self.count));
        self.header.insert("columns".to_owned(), Value::Array(self.names));
        let mut header = Value::Object(self.header).to_string().into_bytes();
        header.resize(header.len().next_multiple_of(4), b' ');
        let length = u32::try_from(header.len()).expect("a header of 4 GiB was never made");
        [&length.to_le_bytes()[..], &header, &self.columns].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_lie_aligned_behind_the_header() {
        let mut frame = Frame::new(json!({ "part": "x" }), 2);
        frame.column("a", [1.0, 2.0, 3.0]);
        frame.column("b", [4.0]);
        let bytes = frame.finish();
        let length = u32::from_le_bytes(bytes[..4].try_into().unwrap()) as usize;
        let header: Value = serde_json::from_slice(&bytes[4..4 + length]).unwrap();
        assert_eq!(header, json!({ "part": "x", "count": 2, "columns": ["a", "b"] }));
        assert_eq!((4 + length) % 4, 0);
        let values: Vec<f32> = bytes[4 + length..]
            .chunks(4)
            .map(|four| f32::from_le_bytes(four.try_into().unwrap()))
            .collect();
        assert_eq!(values[..3], [1.0, 2.0, 4.0]);
        assert!(values[3].is_nan() && values.len() == 4);
    }
}
