//! Which shared object's C code a thread runs, without touching it: program counters by perf.
//!
//! A waiter can read which Python function the holder is in, but not which C code it has called. The
//! kernel can say: a task clock of perf_event_open(2) samples the user-mode program counter of threads
//! that make others wait, and the address lies in one of the target's mappings. Where the kernel
//! forbids it (perf_event_paranoid, seccomp) nothing is known, and the reason is told once.

use inject::{Identity, Maps};
use perf_event::data::Record;
use perf_event::events::Software;
use perf_event::{Builder, Clock, SampleFlag, Sampler};
use std::collections::HashMap;

/// Samples a second and watched thread: enough to tell what a hold of some milliseconds is spent on.
const HZ: u64 = 250;
/// Pages of a thread's perf ring, a power of two: room for a second.
const PAGES: usize = 8;
/// Threads watched at a time; those that make others wait the most come first.
const THREADS: usize = 8;
/// Stack of a sleeping thread that is searched for its caller.
const STACK_BYTES: usize = 1024;
/// Polls without inflicted wait after which a thread is no longer watched.
const IDLE_POLLS: u32 = 50;

/// One look at a program counter.
#[derive(Clone, Copy, Debug)]
pub struct PcSample {
    /// Stamp of the session's clock.
    pub at_ns: u64,
    /// The object it lies in, an index for [`NativeSampler::module`]; none for the interpreter itself.
    pub module: Option<u32>,
}

struct Watch {
    sampler: Sampler,
    idle_polls: u32,
}

/// See the module's text.
pub struct NativeSampler {
    pid: u32,
    /// An address in the interpreter's own code.
    interpreter: u64,
    /// `CLOCK_MONOTONIC` at the session's stamp 0.
    monotonic_ns: u64,
    watched: HashMap<u32, Watch>,
    maps: Option<Maps>,
    modules: Vec<String>,
    refused: Option<String>,
}

impl NativeSampler {
    pub fn new(pid: u32, interpreter: u64, monotonic_ns: u64) -> Self {
        let (watched, modules) = (HashMap::new(), Vec::new());
        Self { pid, interpreter, monotonic_ns, watched, maps: None, modules, refused: None }
    }

    /// Why nothing can be known, if so.
    pub fn refused(&self) -> Option<&str> {
        self.refused.as_deref()
    }

    /// Names of all objects seen so far; a sample's module is an index into it.
    pub fn modules(&self) -> &[String] {
        &self.modules
    }

    /// Watches these threads from now on, most important first, and for a while those watched already.
    pub fn watch(&mut self, thread_ids: impl Iterator<Item = u32>) {
        self.watched.values_mut().for_each(|watch| watch.idle_polls += 1);
        self.watched.retain(|_, watch| watch.idle_polls < IDLE_POLLS);
        for thread_id in thread_ids.take(THREADS) {
            if let Some(watch) = self.watched.get_mut(&thread_id) {
                watch.idle_polls = 0;
            } else if self.refused.is_none() && self.watched.len() < 2 * THREADS {
                match sampler(thread_id) {
                    Ok(sampler) => {
                        drop(self.watched.insert(thread_id, Watch { sampler, idle_polls: 0 }))
                    }
                    // The thread has just ended: nothing to know.
                    Err(error) if error.raw_os_error() == Some(nix::libc::ESRCH) => {}
                    Err(error) => self.refused = Some(refusal(&error)),
                }
            }
        }
    }

    /// All samples since the last call, by thread.
    pub fn take(&mut self) -> HashMap<u32, Vec<PcSample>> {
        let mut raw = Vec::new();
        for (thread_id, watch) in &mut self.watched {
            while let Some(record) = watch.sampler.next_record() {
                if let Ok(Record::Sample(sample)) = record.parse_record()
                    && let (Some(ip), Some(time)) = (sample.ip(), sample.time())
                {
                    raw.push((*thread_id, ip, time));
                }
            }
        }
        let mut samples: HashMap<u32, Vec<PcSample>> = HashMap::new();
        for (thread_id, ip, time) in raw {
            let module = self.module_of(ip);
            let at_ns = time.saturating_sub(self.monotonic_ns);
            samples.entry(thread_id).or_default().push(PcSample { at_ns, module });
        }
        samples
    }

    /// Looks at a thread that sleeps in a system call with the GIL: the code that called, past libc.
    /// None if it runs. `/proc/PID/task/TID/syscall` ends with stack pointer and program counter.
    pub fn asleep(
        &mut self,
        thread_id: u32,
        at_ns: u64,
        memory: &impl cpython::Memory,
    ) -> Option<PcSample> {
        let text =
            std::fs::read_to_string(format!("/proc/{}/task/{thread_id}/syscall", self.pid)).ok()?;
        let words: Vec<u64> = text
            .split_whitespace()
            .filter_map(|word| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok())
            .collect();
        let [.., stack, pc] = words[..] else { return None };
        let own = self.module_of(pc)?;
        let mut bytes = [0; STACK_BYTES];
        let caller = memory.read(stack, &mut bytes).then(|| self.caller(&bytes)).flatten();
        Some(PcSample { at_ns, module: Some(caller.unwrap_or(own)) })
    }

    /// The first object other than libc whose code a word of the stack points into. Old words may lie
    /// there too, so this is a likely answer; the interpreter's own code ends the search.
    fn caller(&mut self, stack: &[u8]) -> Option<u32> {
        for word in stack.chunks_exact(8) {
            let word = u64::from_le_bytes(word.try_into().unwrap_or_default());
            if !self.maps.as_ref()?.at(word).is_some_and(|mapping| mapping.execute) {
                continue;
            }
            let module = self.module_of(word)?;
            if !self.modules.get(module as usize).is_some_and(|name| is_everybodys(name)) {
                return Some(module);
            }
        }
        None
    }

    /// The object at an address; the maps are read again when they do not have it.
    fn module_of(&mut self, ip: u64) -> Option<u32> {
        if self.maps.as_ref().is_none_or(|maps| maps.at(ip).is_none()) {
            self.maps = Identity::of(self.pid).and_then(|target| target.maps()).ok();
        }
        let maps = self.maps.as_ref()?;
        let mapping = maps.at(ip)?;
        if maps.at(self.interpreter).is_some_and(|own| own.name == mapping.name) {
            return None;
        }
        if mapping.name.contains("memfd:gilscope") {
            return None; // our own hooks run in the interpreter's place
        }
        let name = if mapping.is_file() { mapping.file_name() } else { "generated code" };
        let known = self.modules.iter().position(|module| module == name);
        Some(known.unwrap_or_else(|| {
            self.modules.push(name.to_owned());
            self.modules.len() - 1
        }) as u32)
    }
}

/// Share of the looks that an object needs to be named. C code calls back into the interpreter for
/// every object it makes, while plain Python code is in no other object at all.
const SHARE: f64 = 0.2;
/// The same for what the interpreter itself calls all the time: memory functions, locks.
const EVERYBODYS_SHARE: f64 = 0.8;

fn is_everybodys(module: &str) -> bool {
    ["libc.so", "libc-", "libm.so", "libpthread", "ld-linux", "[vdso]"]
        .iter()
        .any(|name| module.starts_with(name))
}

/// The object whose code was run, out of weighed looks; none if it was the interpreter's own.
pub fn main_module(looks: &HashMap<Option<u32>, f64>, modules: &[String]) -> Option<u32> {
    let all: f64 = looks.values().sum();
    let named = |(module, weight): (&Option<u32>, &f64)| {
        let index = (*module)?;
        let name = modules.get(index as usize)?;
        let needed = if is_everybodys(name) { EVERYBODYS_SHARE } else { SHARE };
        (*weight >= needed * all).then_some((index, *weight))
    };
    looks.iter().filter_map(named).max_by(|a, b| a.1.total_cmp(&b.1)).map(|(index, _)| index)
}

fn sampler(thread_id: u32) -> std::io::Result<Sampler> {
    let mut sampler = Builder::new(Software::TASK_CLOCK)
        .observe_pid(thread_id as i32)
        .any_cpu()
        .sample_frequency(HZ)
        .sample(SampleFlag::IP)
        .sample(SampleFlag::TIME)
        .clockid(Clock::MONOTONIC)
        .exclude_kernel(true)
        .build()?
        .sampled(PAGES)?;
    sampler.enable()?;
    Ok(sampler)
}

fn refusal(error: &std::io::Error) -> String {
    let level = std::fs::read_to_string("/proc/sys/kernel/perf_event_paranoid").unwrap_or_default();
    format!(
        "the kernel does not let gilscope sample program counters ({error}; perf_event_paranoid {}): \
         native modules are not named",
        level.trim()
    )
}

#[cfg(test)]
mod tests {
    use super::main_module;

    #[test]
    fn an_extension_is_named_by_a_fifth_and_libc_only_by_most() {
        let modules = ["_json.so".to_owned(), "libc.so.6".to_owned()];
        let looks =
            |json: f64, libc: f64, own: f64| [(Some(0), json), (Some(1), libc), (None, own)].into();
        assert_eq!(main_module(&looks(3.0, 4.0, 5.0), &modules), Some(0));
        assert_eq!(main_module(&looks(1.0, 4.0, 5.0), &modules), None);
        assert_eq!(main_module(&looks(0.0, 9.0, 1.0), &modules), Some(1));
        assert_eq!(main_module(&[].into(), &modules), None);
    }
}
