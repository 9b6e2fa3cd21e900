//! What is asked of the target's waiting, and how it gets into the segment: on a lease, renewed at
//! each poll, so that a daemon that dies or hangs asks for nothing any more.

use crate::remedy::Remedy;
use std::sync::atomic::Ordering::{Relaxed, Release};
use wire::policy::{LEASE_NS, Policy};
use wire::segment::Header;

/// The remedies that stand, and what they asked before.
#[derive(Debug, Default)]
pub struct Wanted {
    remedies: Vec<Remedy>,
}

impl Wanted {
    /// Adds a remedy, or sets it anew.
    pub fn put(&mut self, remedy: Remedy) {
        self.remedies.retain(|other| other.name() != remedy.name());
        self.remedies.push(remedy);
    }

    /// Takes a remedy away; none if it did not stand.
    pub fn take(&mut self, name: &str) -> Option<Remedy> {
        let place = self.remedies.iter().position(|remedy| remedy.name() == name)?;
        Some(self.remedies.remove(place))
    }

    /// Writes what is wanted into the header, with a lease from `now` on.
    pub fn ask(&self, header: &Header, now: u64) {
        let policy = &header.policy;
        policy.io_priority.store(0, Relaxed);
        policy.switch_interval_us.store(0, Relaxed);
        policy.keep_chunks.store(0, Relaxed);
        self.remedies.iter().for_each(|remedy| set(policy, remedy));
        self.renew(header, now);
    }

    /// Renews the lease. Without anything to ask it ends, once the interpreter has its interval back.
    pub fn renew(&self, header: &Header, now: u64) {
        let policy = &header.policy;
        let stands = !self.remedies.is_empty() || policy.interval_set_us.load(Relaxed) != 0;
        policy.until_ns.store(if stands { now + LEASE_NS } else { 0 }, Release);
    }
}

fn set(policy: &Policy, remedy: &Remedy) {
    match remedy {
        Remedy::IoPriority(io) => {
            policy.io_wait_ns.store(io.wait.as_nanos() as u64, Relaxed);
            policy.switching_permille.store(io.switching_percent * 10, Relaxed);
            policy.cpu_share_permille.store(io.cpu_share_percent * 10, Relaxed);
            policy.io_priority.store(1, Relaxed);
        }
        Remedy::SwitchInterval(interval) => {
            policy.switch_interval_us.store(interval.as_micros() as u64, Relaxed);
        }
        Remedy::KeepChunks => policy.keep_chunks.store(1, Relaxed),
    }
}
