//! Figures and text for people: units, sensible digits, escaping.

/// Three significant digits with the unit that fits: "1.23 ms".
pub fn duration(ns: u64) -> String {
    let value = ns as f64;
    match ns {
        0..1_000 => format!("{ns} ns"),
        1_000..1_000_000 => format!("{} µs", digits(value / 1e3)),
        1_000_000..1_000_000_000 => format!("{} ms", digits(value / 1e6)),
        _ => format!("{} s", digits(value / 1e9)),
    }
}

/// What stands where nothing is known.
pub const UNKNOWN: &str = "–";

/// "–" where nothing is known.
pub fn maybe(ns: Option<u64>) -> String {
    ns.map_or(UNKNOWN.into(), duration)
}

/// "app.py" of "/srv/app.py".
pub fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// "12.3 %".
pub fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// With thin groups of three: "1 234 567" (no-break spaces).
pub fn count(count: u64) -> String {
    let plain = count.to_string();
    let mut grouped = String::new();
    for (at, digit) in plain.chars().enumerate() {
        if at > 0 && (plain.len() - at).is_multiple_of(3) {
            grouped.push('\u{a0}');
        }
        grouped.push(digit);
    }
    grouped
}

/// "123 MiB".
pub fn bytes(bytes: u64) -> String {
    match byte_unit(bytes) {
        (1, name) => format!("{bytes} {name}"),
        (unit, name) => format!("{} {name}", digits(bytes as f64 / unit as f64)),
    }
}

/// The unit that suits a size, in bytes, and its name.
pub fn byte_unit(bytes: u64) -> (u64, &'static str) {
    match bytes {
        0..1_024 => (1, "B"),
        1_024..1_048_576 => (1_024, "KiB"),
        1_048_576..1_073_741_824 => (1_048_576, "MiB"),
        _ => (1_073_741_824, "GiB"),
    }
}

fn digits(value: f64) -> String {
    match value {
        value if value < 9.995 => format!("{value:.2}"),
        value if value < 99.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// Text that cannot break a table or be taken for markup.
pub fn escape_markdown(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        match letter {
            '|' | '\\' | '`' | '*' | '_' | '<' | '>' | '[' | ']' | '#' => {
                escaped.extend(['\\', letter])
            }
            letter if letter.is_control() => escaped.push(' '),
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// Safe inside XML and HTML, in text and in quoted attributes; control characters become spaces.
pub fn escape_xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            letter if letter.is_control() => escaped.push(' '),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_and_a_unit() {
        let cases = [(0, "0 ns"), (999, "999 ns"), (1_234, "1.23 µs"), (5_050_000, "5.05 ms")];
        for (ns, text) in cases {
            assert_eq!(duration(ns), text);
        }
        assert_eq!(duration(61_500_000_000), "61.5 s");
        assert_eq!(count(1_234_567).replace('\u{a0}', " "), "1 234 567");
        assert_eq!(bytes(80 << 20), "80.0 MiB");
        assert_eq!(maybe(None), "–");
    }
}
