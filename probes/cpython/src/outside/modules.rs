//! Which file each imported module was loaded from, and what a function is called.

use alloc::collections::BTreeMap;
use alloc::string::String;

use super::names::{find, globals, modules};
use super::text::text;
use crate::Memory;
use crate::layout::Layout;
use crate::sample::CodeKey;

/// Modules that are looked at, at most.
const MODULES: usize = 1 << 16;

/// Name by source file of the modules in `sys.modules` of the interpreter at `interpreter`. Of several with one file, the
/// first imported.
pub fn module_files(
    memory: &impl Memory,
    layout: &Layout,
    interpreter: u64,
) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let all = modules(memory, layout, interpreter).unwrap_or_default();
    for (key, module) in all.into_iter().take(MODULES) {
        let Some((file, name)) = file_and_name(memory, layout, key, module) else { continue };
        files.entry(file).or_insert(name);
    }
    files
}

fn file_and_name(
    memory: &impl Memory,
    layout: &Layout,
    key: u64,
    module: u64,
) -> Option<(String, String)> {
    let file = find(memory, layout, &globals(memory, layout, module)?, b"__file__")?;
    let mut file = text(memory, layout, file)?;
    // Python 2 names the compiled file.
    if file.ends_with(".pyc") || file.ends_with(".pyo") {
        file.pop();
    }
    Some((file, text(memory, layout, key)?))
}

/// Name and file of the code object `key`, if it is still that code object when both were read.
pub fn function(memory: &impl Memory, layout: &Layout, key: &CodeKey) -> Option<(String, String)> {
    let (name, file) = (text(memory, layout, key.name)?, text(memory, layout, key.file)?);
    layout.still(memory, key)?;
    Some((name, file))
}
