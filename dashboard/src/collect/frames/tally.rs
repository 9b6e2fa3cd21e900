//! Sums of a census: by kind, module and function.

use super::Interpreter;
use crate::batch::{Census, Held, HeldFunction, HeldModule, Pinned, Tally};
use cpython::outside::{FrameFacts, FrameHolder, HolderKind, Pool, function};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Rows of a table that are kept; the rest is in the sum alone.
const MODULES: usize = 1_000;
const FUNCTIONS: usize = 200;
/// Names of functions that are kept while counting.
const NAMES: usize = 1 << 20;

/// A function by where it stands: file and first line come last so that its names stand together.
type Place = (String, String, u32);

/// See the module's text.
#[derive(Default)]
pub struct Tallies {
    kinds: BTreeMap<HolderKind, Kind>,
    /// Pools that zombies lie in, with their number in each.
    pools: BTreeMap<u64, (Pool, u64)>,
}

#[derive(Default)]
struct Kind {
    all: Tally,
    called_once: Tally,
    functions: HashMap<Place, Tally>,
}

impl Tallies {
    /// Counts what stands at `object`, if it is what it looks like.
    pub fn examine(&mut self, python: &Interpreter, facts: &FrameFacts, object: u64, type_of: u64) {
        let memory = &python.memory;
        let Some(holder) = facts.examine(memory, object, type_of) else { return };
        // A code object that is gone by now had no frame to keep.
        let Some((name, file)) = function(memory, &python.layout, &holder.code) else { return };
        self.add((name, file, holder.code.first_line), &holder);
        if holder.kind == HolderKind::Zombie
            && let Some(pool) = facts.pool_of(memory, object, holder.bytes)
        {
            self.pools.entry(pool.address).or_insert((pool, 0)).1 += 1;
        }
    }

    fn add(&mut self, place: Place, holder: &FrameHolder) {
        let tally = Tally { count: 1, bytes: holder.bytes };
        let kind = self.kinds.entry(holder.kind).or_default();
        kind.all.add(tally);
        if holder.calls == Some(1) {
            kind.called_once.add(tally);
        }
        if kind.functions.len() < NAMES || kind.functions.contains_key(&place) {
            kind.functions.entry(place).or_default().add(tally);
        }
    }

    /// What a census says of frames; `modules` has the names of modules by their files.
    pub fn into_census(mut self, facts: &FrameFacts, modules: BTreeMap<String, String>) -> Census {
        let once = facts.counts_calls();
        let mut of =
            |kind| Some(self.kinds.remove(&kind).unwrap_or_default().into_held(&modules, once));
        if !facts.has_zombies() {
            return Census {
                suspended: of(HolderKind::Suspended),
                exhausted: of(HolderKind::Exhausted),
                escaped: of(HolderKind::Escaped),
                ..Census::default()
            };
        }
        let zombies = of(HolderKind::Zombie);
        Census { zombies, pinned: pinned(&self.pools), ..Census::default() }
    }
}

/// None where no zombie lies in a pool: then the interpreter uses another allocator.
fn pinned(pools: &BTreeMap<u64, (Pool, u64)>) -> Option<Pinned> {
    let alone = pools.values().filter(|(pool, zombies)| u64::from(pool.blocks) == *zombies);
    let arenas: BTreeSet<u32> = pools.values().map(|(pool, _)| pool.arena).collect();
    (!pools.is_empty()).then(|| Pinned {
        pools: pools.len() as u64,
        pools_alone: alone.count() as u64,
        arenas: arenas.len() as u64,
    })
}

impl Kind {
    fn into_held(self, modules: &BTreeMap<String, String>, counts_calls: bool) -> Held {
        let mut by_module = BTreeMap::<String, Tally>::new();
        let mut functions = Vec::with_capacity(self.functions.len());
        for ((function, file, line), tally) in self.functions {
            by_module.entry(module(&file, modules)).or_default().add(tally);
            functions.push(HeldFunction { function, file, line, tally });
        }
        functions.sort_by(|a, b| {
            let key = |row: &HeldFunction| (Reverse(row.tally.bytes), row.line);
            key(a).cmp(&key(b)).then_with(|| (&a.file, &a.function).cmp(&(&b.file, &b.function)))
        });
        functions.truncate(FUNCTIONS);
        let mut modules: Vec<HeldModule> =
            by_module.into_iter().map(|(module, tally)| HeldModule { module, tally }).collect();
        modules.sort_by_key(|row| Reverse(row.tally.bytes));
        modules.truncate(MODULES);
        let called_once = counts_calls.then_some(self.called_once);
        Held { all: self.all, called_once, modules, functions }
    }
}

/// The module that a file belongs to: by `sys.modules`, by what Python calls code without a file, else the file itself.
fn module(file: &str, modules: &BTreeMap<String, String>) -> String {
    if let Some(name) = modules.get(file) {
        return name.clone();
    }
    let frozen = file.strip_prefix("<frozen ").and_then(|rest| rest.strip_suffix('>'));
    frozen.unwrap_or(file).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_the_names_of_their_modules() {
        let modules = [("/srv/app/views.py".to_owned(), "app.views".to_owned())].into();
        assert_eq!(module("/srv/app/views.py", &modules), "app.views");
        assert_eq!(module("<frozen importlib._bootstrap>", &modules), "importlib._bootstrap");
        assert_eq!(module("<string>", &modules), "<string>");
    }

    #[test]
    fn tables_are_cut_and_sums_are_not() {
        let mut kind = Kind::default();
        for n in 0..1_500 {
            let tally = Tally { count: 1, bytes: 400 + n };
            kind.all.add(tally);
            kind.functions.insert((format!("f{n}"), format!("/m{n}.py"), 1), tally);
        }
        let held = kind.into_held(&BTreeMap::new(), false);
        assert_eq!((held.all.count, held.modules.len(), held.functions.len()), (1_500, 1_000, 200));
        assert_eq!(held.functions[0].tally.bytes, 1_899);
        assert_eq!(held.called_once, None);
    }
}
