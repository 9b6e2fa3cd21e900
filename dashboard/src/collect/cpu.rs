//! CPU per thread, from outside: `/proc/PID/task/*/{stat,schedstat,status}` (proc(5)).
//!
//! The process's own total comes from its CPU-time clock (clock_getcpuclockid(3)), which counts dead
//! threads too and has the scheduler's precision. What no thread accounts for was spent by threads
//! that lived and died between two samples; it is given as a sum of its own, so the stack adds up.

use super::threads::{OsThread, Registry};
use crate::batch::{ProcessSample, ThreadCpu, ThreadKey};
use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;
use procfs::process::{Process, Stat, Task};
use std::collections::HashMap;
use sysinfo::{
    CpuRefreshKind, MemoryRefreshKind, ProcessRefreshKind, ProcessesToUpdate, RefreshKind, System,
};

/// Samples between two reads of `status`, which costs more than the rest together.
const STATUS_EVERY: u32 = 5;

/// Reads a target's threads.
pub struct CpuSampler {
    process: Process,
    ticks_per_second: u64,
    last: HashMap<ThreadKey, ThreadCpu>,
    /// CPU of threads that were seen and have ended.
    ended_cpu_ns: u64,
    exited_cpu_ns: u64,
    samples: u32,
    /// Whether the target numbers its threads in a pid namespace of its own.
    has_inner_ids: bool,
    inner_ids: HashMap<u32, u32>,
    /// Absent where the machine does not tell.
    system: Option<System>,
}

/// One look at a target.
pub struct CpuLook {
    pub threads: Vec<ThreadCpu>,
    pub process: ProcessSample,
}

impl CpuSampler {
    /// Errors if the process is gone or may not be read.
    pub fn new(pid: u32, has_inner_ids: bool) -> procfs::ProcResult<Self> {
        let refresh = RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing().with_usage());
        Ok(Self {
            process: Process::new(pid as i32)?,
            ticks_per_second: procfs::ticks_per_second().max(1),
            last: HashMap::new(),
            ended_cpu_ns: 0,
            exited_cpu_ns: 0,
            samples: 0,
            has_inner_ids,
            inner_ids: HashMap::new(),
            system: System::new_with_specifics(refresh.with_memory(MemoryRefreshKind::nothing()))
                .ok(),
        })
    }

    /// Looks at all threads now. Errors if the process is gone.
    pub fn look(&mut self, registry: &mut Registry, now: u64) -> procfs::ProcResult<CpuLook> {
        let with_status = self.samples.is_multiple_of(STATUS_EVERY);
        self.samples = self.samples.wrapping_add(1);
        let tasks: Vec<(Task, Stat)> = self
            .process
            .tasks()?
            .flatten()
            .filter_map(|task| task.stat().ok().map(|stat| (task, stat)))
            .collect();
        let seen: Vec<OsThread> = tasks.iter().map(|(_, stat)| self.os_thread(stat)).collect();
        if self.inner_ids.len() > 2 * seen.len() {
            self.inner_ids.clear(); // they are read anew
        }
        registry.see(&seen, now);
        let mut threads = Vec::with_capacity(tasks.len());
        for (task, stat) in &tasks {
            let Some(key) = registry.alive(stat.pid as u32) else { continue };
            if let Some(cpu) = self.thread(key, task, stat, with_status) {
                threads.push(cpu);
            }
        }
        self.settle(&threads);
        let process = self.process_sample(&threads, now)?;
        Ok(CpuLook { threads, process })
    }

    fn thread(
        &self,
        key: ThreadKey,
        task: &Task,
        stat: &Stat,
        with_status: bool,
    ) -> Option<ThreadCpu> {
        let schedstat = task.schedstat().ok()?;
        let before = self.last.get(&key).copied().unwrap_or_default();
        let status = if with_status { task.status().ok() } else { None };
        let switches = |read: Option<u64>, before: u64| read.unwrap_or(before);
        Some(ThreadCpu {
            key,
            // Never backwards: the kernel folds in a running thread's time at its own pace.
            cpu_ns: schedstat.sum_exec_runtime.max(before.cpu_ns),
            cpu_user_ns: self.ns(stat.utime),
            cpu_system_ns: self.ns(stat.stime),
            runqueue_ns: schedstat.run_delay.max(before.runqueue_ns),
            switches_voluntary: switches(
                status.as_ref().and_then(|status| status.voluntary_ctxt_switches),
                before.switches_voluntary,
            ),
            switches_forced: switches(
                status.as_ref().and_then(|status| status.nonvoluntary_ctxt_switches),
                before.switches_forced,
            ),
        })
    }

    /// Moves threads that are gone into the sum of the ended ones.
    fn settle(&mut self, threads: &[ThreadCpu]) {
        let now: HashMap<ThreadKey, ThreadCpu> =
            threads.iter().map(|cpu| (cpu.key, *cpu)).collect();
        let gone = self.last.iter().filter(|(key, _)| !now.contains_key(key));
        self.ended_cpu_ns += gone.map(|(_, cpu)| cpu.cpu_ns).sum::<u64>();
        self.last = now;
    }

    fn process_sample(
        &mut self,
        threads: &[ThreadCpu],
        now: u64,
    ) -> procfs::ProcResult<ProcessSample> {
        let stat = self.process.stat()?;
        let known = self.ended_cpu_ns + threads.iter().map(|cpu| cpu.cpu_ns).sum::<u64>();
        let total = self.total_ns().unwrap_or(self.ns(stat.utime) + self.ns(stat.stime));
        self.exited_cpu_ns = self.exited_cpu_ns.max(total.saturating_sub(known));
        // Two clocks, read one after the other: the sum of the parts is what is shown.
        let cpu_ns = known + self.exited_cpu_ns;
        let (rss_bytes, host_cpu_ratio) = self.totals_of_the_machine();
        Ok(ProcessSample {
            at_ns: now,
            cpu_ns,
            exited_cpu_ns: self.exited_cpu_ns,
            rss_bytes: rss_bytes.unwrap_or(stat.rss * procfs::page_size()),
            uss_bytes: None,
            threads: stat.num_threads as u32,
            host_cpu_ratio,
        })
    }

    /// Resident bytes of the process, and the busy share of all cores.
    fn totals_of_the_machine(&mut self) -> (Option<u64>, f32) {
        let pid = sysinfo::Pid::from_u32(self.process.pid as u32);
        let Some(system) = &mut self.system else { return (None, 0.0) };
        let what = ProcessRefreshKind::nothing().with_memory().without_tasks();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, what);
        system.refresh_cpu_usage();
        (system.process(pid).map(|process| process.memory()), system.global_cpu_usage() / 100.0)
    }

    /// The process's own CPU-time clock, which any process may read.
    fn total_ns(&self) -> Option<u64> {
        let clock = clock_getcpuclockid(Pid::from_raw(self.process.pid)).ok()?;
        let time = clock_gettime(clock).ok()?;
        Some(time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64)
    }

    fn ns(&self, ticks: u64) -> u64 {
        ticks * (1_000_000_000 / self.ticks_per_second)
    }

    fn os_thread(&mut self, stat: &Stat) -> OsThread {
        let thread_id = stat.pid as u32;
        let inner_id = match self.has_inner_ids {
            true => *self
                .inner_ids
                .entry(thread_id)
                .or_insert_with(|| inner_id(self.process.pid, thread_id)),
            false => thread_id,
        };
        OsThread { thread_id, inner_id, start_ticks: stat.starttime, comm: stat.comm.clone() }
    }
}

/// The innermost number of a thread: the last of `NSpid` (proc_pid_status(5)).
fn inner_id(pid: i32, thread_id: u32) -> u32 {
    let status =
        std::fs::read_to_string(format!("/proc/{pid}/task/{thread_id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    line.and_then(|ids| ids.split_whitespace().last()?.parse().ok()).unwrap_or(thread_id)
}
