//! What was found out about a target before any of its threads is stopped.

use crate::clib::CLibrary;
use crate::error::Error;
use crate::identity::Identity;
use crate::maps::Maps;
use crate::memory::Memory;
use crate::python::{self, Found};
use crate::unwind::Unwinder;
use crate::xstate;

/// Everything that a borrowed thread's steps are made from.
pub(crate) struct Scene<'a> {
    pub(crate) target: &'a Identity,
    pub(crate) memory: Memory,
    pub(crate) maps: Maps,
    pub(crate) clib: CLibrary,
    pub(crate) unwinder: Unwinder,
    /// Signals that the process catches.
    pub(crate) caught: u64,
    /// Soft limit of the main thread's stack, bytes.
    pub(crate) stack_limit: u64,
}

impl<'a> Scene<'a> {
    pub(crate) fn of(target: &'a Identity) -> Result<Self, Error> {
        let status = target.status()?;
        match status.state {
            'T' => return Err(Error::Stopped(target.pid())),
            'Z' | 'X' => return Err(Error::Exited(target.pid())),
            _ => {}
        }
        if status.tracer_pid != 0 {
            return Err(Error::Traced { pid: target.pid(), by: status.tracer_pid });
        }
        if status.shadow_stack {
            let why = "shadow stacks (CET) are on in it: start it with `gilscope run`".into();
            return Err(Error::Unsupported { pid: target.pid(), why });
        }
        let memory = target.memory(true)?;
        let maps = target.maps()?;
        let program = target.program();
        let found = python::find(&memory, &maps, &program);
        if !matches!(found, Found::CPython(_)) {
            target.verify()?;
            return Err(found.refusal(target.pid(), program));
        }
        // A process that ends meanwhile reads like one without a C library.
        let clib = CLibrary::find(target, &memory, &maps)
            .or_else(|error| target.verify().and(Err(error)))?;
        xstate::warm_up();
        let limits = target.folder().text("limits").unwrap_or_default();
        let stack_limit = soft_limit(&limits, "Max stack size").unwrap_or(u64::MAX);
        let unwinder = Unwinder::default();
        Ok(Self { target, memory, maps, clib, unwinder, caught: status.caught, stack_limit })
    }

    pub(crate) fn reread_maps(&mut self) -> Result<(), Error> {
        self.maps = self.target.maps()?;
        Ok(())
    }
}

/// A soft limit from `/proc/PID/limits`; `None` for unlimited or unknown.
pub(crate) fn soft_limit(limits: &str, name: &str) -> Option<u64> {
    limits.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}
