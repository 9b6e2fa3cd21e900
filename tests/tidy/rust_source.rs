//! Reading Rust text just well enough for the rules: comments and tests cut off, functions measured.
//!
//! Relies on rustfmt's layout (checked elsewhere): an item ends at a brace in its own column.

/// A function and how many lines it has, signature and braces included.
pub(crate) struct Function {
    pub(crate) name: String,
    /// First line, from 1.
    pub(crate) line: usize,
    pub(crate) n_lines: usize,
}

/// All functions of a file that have a body.
pub(crate) fn functions(text: &str) -> Vec<Function> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indent = &line[..line.len() - line.trim_start().len()];
        let end = format!("{indent}}}");
        let rest = lines[index..].iter();
        let Some(n_lines) = rest.take(1000).position(|l| *l == end).map(|n| n + 1) else {
            continue;
        };
        // A declaration without a body ends in `;` before the next brace of that column.
        if !lines[index..index + n_lines].iter().any(|l| l.ends_with('{')) {
            continue;
        }
        found.push(Function { name: name.to_owned(), line: index + 1, n_lines });
    }
    found
}

/// The name of the function that begins on this line.
fn function_name(line: &str) -> Option<&str> {
    let mut rest = line.trim_start();
    if rest.starts_with("//") || line.trim_end().ends_with(';') || line.trim_end().ends_with('}') {
        return None;
    }
    loop {
        let (word, after) = rest.split_once(' ')?;
        match word {
            "fn" => return after.split(['(', '<']).next(),
            "pub" | "pub(crate)" | "pub(super)" | "const" | "async" | "unsafe" | "extern"
            | "\"C\"" => rest = after,
            "\"C-unwind\"" | "export" | "default" => rest = after,
            "function" => return after.split(['(', '<']).next(),
            _ => return None,
        }
    }
}

/// The lines of a file that are code of the product: without comments, and without its tests, which
/// stand at the end behind `#[cfg(test)]`. Each with its number.
pub(crate) fn code_lines(text: &str) -> Vec<(usize, &str)> {
    let until_tests =
        text.lines().take_while(|line| !line.trim_start().starts_with("#[cfg(test)]"));
    let numbered = until_tests.enumerate().map(|(index, line)| (index + 1, line));
    numbered
        .map(|(n, line)| (n, without_comment(line)))
        .filter(|(_, line)| !line.trim().is_empty())
        .collect()
}

fn without_comment(line: &str) -> &str {
    let trimmed = line.trim_start();
    if trimmed.starts_with("//") || trimmed.starts_with('*') || trimmed.starts_with("/*") {
        return "";
    }
    line.find(" // ").map_or(line, |at| &line[..at])
}

/// Does this line of code name a version of Python: "3.11" in a string, 0x030b0000, `(3, 11)`?
pub(crate) fn names_a_python_version(line: &str) -> bool {
    let in_strings = line.split('"').skip(1).step_by(2);
    let numbers = in_strings.flat_map(|text| text.split(|c: char| !c.is_ascii_digit() && c != '.'));
    let spelled = numbers.map(|number| number.split('.').collect::<Vec<_>>()).any(|parts| {
        let number = |index: usize| parts.get(index).and_then(|part| part.parse::<u32>().ok());
        matches!((number(0), number(1)), (Some(2), Some(7)) | (Some(3), Some(3..=20)))
            && parts.len() <= 3
    });
    let tuple =
        line.split("(3, ").skip(1).any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    spelled || tuple || line.contains("0x030") || line.contains("0x0207") || line.contains("(2, 7")
}

#[test]
fn a_function_is_measured_from_its_signature_to_its_brace() {
    let text = "impl X {\n    pub(crate) fn long(\n        a: u8,\n    ) -> u8 {\n        a\n    }\n}\nfn one() {}\n";
    let found = functions(text);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].name.as_str(), found[0].line, found[0].n_lines), ("long", 2, 5));
}

#[test]
fn versions_are_seen_in_code_and_not_in_other_numbers() {
    for version in ["\"3.11\"", "\"libpython2.7.so\"", "0x030b_0000", "version >= (3, 12)"] {
        assert!(names_a_python_version(version), "{version}");
    }
    for other in
        ["\"GLIBC_2.3.2\"", "13.11", "\"127.0.0.1\"", "x * 3.5", "\"2.17\"", "splitn(3, ':')"]
    {
        assert!(!names_a_python_version(other), "{other}");
    }
    assert_eq!(
        code_lines("let a = 1; // 3.11\n// \"3.11\"\n#[cfg(test)]\nmod tests {}\n"),
        [(1, "let a = 1;")]
    );
}
