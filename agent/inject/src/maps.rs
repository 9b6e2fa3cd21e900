//! `/proc/PID/maps` (proc_pid_maps(5)): what is mapped where.
//!
//! Written here because the text is under the target's control: one odd line must neither panic nor
//! hide the others. A line that cannot be read is left out.

use std::collections::HashSet;
use std::ops::Range;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Addresses.
    pub range: Range<u64>,
    /// May be read.
    pub read: bool,
    /// May be written.
    pub write: bool,
    /// May be executed.
    pub execute: bool,
    /// Writes are seen by others.
    pub shared: bool,
    /// Offset of the start in the file.
    pub offset: u64,
    /// Device of the file as the text tells it, 0:0 for none.
    pub device: (u32, u32),
    /// Inode of the file, 0 for none.
    pub inode: u64,
    /// Path without " (deleted)", or a name in brackets, or empty. Newlines stand as `\012`.
    pub name: String,
}

impl Mapping {
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.splitn(6, ' ');
        let (start, end) = fields.next()?.split_once('-')?;
        let permissions = fields.next()?.as_bytes();
        let offset = u64::from_str_radix(fields.next()?, 16).ok()?;
        let (major, minor) = fields.next()?.split_once(':')?;
        let inode = fields.next()?.parse().ok()?;
        let name = fields.next().unwrap_or("").trim_start();
        let range = u64::from_str_radix(start, 16).ok()?..u64::from_str_radix(end, 16).ok()?;
        (permissions.len() == 4 && range.start < range.end).then(|| Self {
            read: permissions[0] == b'r',
            write: permissions[1] == b'w',
            execute: permissions[2] == b'x',
            shared: permissions[3] == b's',
            offset,
            device: (
                u32::from_str_radix(major, 16).unwrap_or(0),
                u32::from_str_radix(minor, 16).unwrap_or(0),
            ),
            inode,
            name: name.strip_suffix(" (deleted)").unwrap_or(name).to_owned(),
            range,
        })
    }

    /// The last part of the path.
    pub fn file_name(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or("")
    }

    /// Whether it is a file (a memfd counts).
    pub fn is_file(&self) -> bool {
        self.inode != 0 && self.name.starts_with('/')
    }
}

/// All mappings of a process, in the order of addresses.
#[derive(Clone, Debug, Default)]
pub struct Maps(Vec<Mapping>);

impl Maps {
    /// Parses the text. Total: lines that cannot be read are left out.
    pub fn parse(text: &str) -> Self {
        let mut mappings: Vec<_> = text.lines().filter_map(Mapping::parse).collect();
        mappings.sort_by_key(|mapping| mapping.range.start);
        Self(mappings)
    }

    /// In the order of addresses.
    pub fn iter(&self) -> std::slice::Iter<'_, Mapping> {
        self.0.iter()
    }

    /// The mapping that holds `address`.
    pub fn at(&self, address: u64) -> Option<&Mapping> {
        let after = self.0.partition_point(|mapping| mapping.range.start <= address);
        let mapping = &self.0[after.checked_sub(1)?];
        mapping.range.contains(&address).then_some(mapping)
    }

    /// Loaded ELF files: first mapping (offset 0) of each file that has an executable part.
    pub fn images(&self) -> impl Iterator<Item = &Mapping> {
        // Looked up rather than searched: a process may have 65,530 mappings.
        let file = |part: &Mapping| (part.device, part.inode);
        let executable: HashSet<_> = self.0.iter().filter(|part| part.execute).map(file).collect();
        self.0.iter().filter(move |head| {
            head.is_file()
                && head.offset == 0
                && head.read
                && !head.shared
                && executable.contains(&file(head))
        })
    }

    /// Executable parts of the file that `head` belongs to.
    pub fn text_of<'a>(&'a self, head: &'a Mapping) -> impl Iterator<Item = Range<u64>> + 'a {
        self.0
            .iter()
            .filter(|part| part.execute && part.inode == head.inode && part.device == head.device)
            .map(|part| part.range.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
55d0c0a00000-55d0c0a01000 r--p 00000000 fd:01 1234                       /usr/bin/my python (deleted)
55d0c0a01000-55d0c0a02000 r-xp 00001000 fd:01 1234                       /usr/bin/my python (deleted)
garbage
7f0000000000-7f0000001000 rw-s 00000000 00:01 77                         /memfd:gilscope-00-1 (deleted)
7ffd00000000-7ffd00021000 rw-p 00000000 00:00 0                          [stack]
9-1 rw-p 0 0:0 0
";

    #[test]
    fn reads_names_and_ranges() {
        let maps = Maps::parse(TEXT);
        assert_eq!(maps.iter().count(), 4);
        assert_eq!(maps.at(0x55d0c0a01800).map(Mapping::file_name), Some("my python"));
        assert_eq!(maps.at(0x7ffd00021000), None);
        assert_eq!(maps.at(0), None);
        assert_eq!(
            maps.images().map(|head| head.range.start).collect::<Vec<_>>(),
            [0x55d0c0a00000]
        );
        assert!(
            maps.iter().any(|mapping| mapping.shared && mapping.name == "/memfd:gilscope-00-1")
        );
    }

    #[test]
    fn as_many_mappings_as_there_can_be_are_looked_through_at_once() {
        let line = |i: u64| {
            format!("{:x}-{:x} r--p 00000000 fd:01 {i} /lib/{i}\n", i << 13, (i << 13) + 4096)
        };
        let mut text: String = (1..65_530).map(line).collect();
        text.push_str("7f0000000000-7f0000001000 r-xp 00001000 fd:01 7 /lib/7\n");
        let maps = Maps::parse(&text);
        let images: Vec<_> = maps.images().map(|head| head.inode).collect();
        assert_eq!((maps.iter().count(), images), (65_530, vec![7]));
    }

    #[test]
    fn our_own_process_is_read_in_full() {
        let text = std::fs::read_to_string("/proc/self/maps").unwrap();
        assert_eq!(Maps::parse(&text).iter().count(), text.lines().count());
    }
}
