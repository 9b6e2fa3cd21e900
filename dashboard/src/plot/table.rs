//! A plot's data as CSV: a header, then rows of text.

use std::io::{Result, Write};

pub struct Table {
    pub header: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new(header: &[&str]) -> Self {
        Self { header: header.iter().map(|name| (*name).to_owned()).collect(), rows: vec![] }
    }

    pub fn write(&self, out: &mut impl Write) -> Result<()> {
        let mut csv = csv::Writer::from_writer(out);
        csv.write_record(&self.header)?;
        for row in &self.rows {
            csv.write_record(row)?;
        }
        csv.flush()
    }
}

/// Seconds with ns, as text: exact where a float would not be.
pub fn seconds(ns: u64) -> String {
    format!("{}.{:09}", ns / 1_000_000_000, ns % 1_000_000_000)
}
