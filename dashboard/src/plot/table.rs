//! A plot's data as CSV: a header, then rows of text.

use std::borrow::Cow;
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
            for cell in row {
                csv.write_field(harmless(cell).as_bytes())?;
            }
            csv.write_record(None::<&[u8]>)?;
        }
        csv.flush()
    }
}

/// A cell that no spreadsheet takes for a formula: names come from a target (OWASP, "CSV Injection").
fn harmless(cell: &str) -> Cow<'_, str> {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    match formula && cell.parse::<f64>().is_err() {
        true => Cow::Owned(format!("'{cell}")),
        false => Cow::Borrowed(cell),
    }
}

/// A figure as text; nothing for one that is not known.
pub fn known<T: ToString>(figure: Option<T>) -> String {
    figure.map(|figure| figure.to_string()).unwrap_or_default()
}

/// Seconds with ns, as text: exact where a float would not be.
pub fn seconds(ns: u64) -> String {
    format!("{}.{:09}", ns / 1_000_000_000, ns % 1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_never_a_formula() {
        let mut table = Table::new(&["thread", "cpu"]);
        for name in ["=1+1", "+A1", "-x", "@SUM(A1)", "\t=1", "\r=1", "=\"a\",b"] {
            table.rows.push(vec![name.into(), "-1.5".into()]);
        }
        let mut out = Vec::new();
        table.write(&mut out).unwrap();
        let mut read = csv::Reader::from_reader(&out[..]);
        let rows: Vec<_> = read.records().map(std::result::Result::unwrap).collect();
        assert_eq!(rows.len(), 7);
        for (row, name) in rows.iter().zip(&table.rows) {
            assert_eq!(&row[0], format!("'{}", name[0]));
            assert_eq!(&row[1], "-1.5", "a number stays one");
        }
    }
}
