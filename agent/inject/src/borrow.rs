//! Borrowing a thread: stop one, prove it safe, lay a chain of steps on its stack, let it go.
//!
//! The thread runs the steps and goes home by itself; nothing waits for it here, and our own death at
//! any point leaves it unharmed (injection.md section 7).

use crate::error::Error;
use crate::frame::{ALL_BLOCKED, Anchors, Home, Place, Step};
use crate::identity;
use crate::ptrace::{Registers, Stop, Tracee};
use crate::rank;
use crate::restart;
use crate::safepoint::{Judge, Rejected, no};
use crate::scene::Scene;
use crate::status::Status;
use crate::xstate;
use std::io;
use std::time::{Duration, Instant};

/// Tries on one thread before the next one gets its turn.
const TRIES: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_micros(300);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);
/// Stops after which the mappings are looked at anew.
const MAPS_EVERY: u32 = 20;
/// Stack that loading needs below rsp, measured generously (injection.md section 2).
const LOADING_STACK: u64 = 96 * 1024;
const CRAMPED: &str = "its stack is too small";
/// The main thread's stack grows by itself.
const GROWING_STACK: u64 = 20 * 1024;

/// What the steps may refer to.
pub(crate) struct Site {
    pub(crate) place: Place,
    /// Address of errno, and its value.
    pub(crate) errno: (u64, i32),
    pub(crate) mask: u64,
    /// The thread was taken out of a call that must report EINTR if a signal waits.
    pub(crate) interruptible: bool,
    /// rip behind the system call.
    pub(crate) after_syscall: u64,
}

/// How much room the steps need, known before the stop.
#[derive(Clone, Copy)]
pub(crate) struct Needs {
    pub(crate) steps: usize,
    pub(crate) data_len: usize,
}

/// A chain that is under way.
#[derive(Clone, Copy, Debug)]
pub struct Borrowed {
    /// The thread.
    pub thread_id: u32,
    /// From the request to stop until it was seen standing. On a busy machine most of this is the thread,
    /// or gilscope, waiting for a processor.
    pub to_stop: Duration,
    /// From then until it was let go; its steps come on top.
    pub stopped: Duration,
    /// Threads stopped in vain before.
    pub rejected: u32,
}

/// Steps and data for a place, made while the thread stands still: keep it short.
pub(crate) type Build<'b> = dyn FnMut(&Site) -> io::Result<(Vec<Step>, Vec<u8>)> + Send + 'b;

/// What one try came to.
enum Try {
    Done((Duration, Duration)),
    Rejected(Rejected),
    Fatal(Error),
}

/// Runs the steps that `build` makes on some thread of the target, before `deadline`.
pub(crate) fn borrow(
    scene: &mut Scene<'_>,
    needs: Needs,
    deadline: Instant,
    build: &mut Build<'_>,
) -> Result<Borrowed, Error> {
    // A thread of its own: when it ends, the kernel lets go of whatever it still holds, also of a
    // thread that was asked to stop and never did.
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("borrow".into())
            .spawn_scoped(scope, || {
                hurry();
                search(scene, needs, deadline, build)
            })
            .map_err(Error::io("starting a thread"))?
            .join()
            .unwrap_or(Err(Error::TimedOut { pid: 0, what: "the search for a thread" }))
    })
}

/// On a busy machine a stopped thread waits for us to get a processor: ask for it first, if allowed.
fn hurry() {
    // SAFETY: plain system call; 0 is the calling thread (setpriority(2)). Without CAP_SYS_NICE it fails,
    // and nothing is different.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, -20) };
}

fn search(
    scene: &mut Scene<'_>,
    needs: Needs,
    deadline: Instant,
    build: &mut Build<'_>,
) -> Result<Borrowed, Error> {
    let mut pause = FIRST_PAUSE;
    let mut rejected = 0;
    let mut why = "no thread could be looked at";
    loop {
        let mut stopped_one = false;
        for rank::Candidate { thread, rsp } in rank::threads(scene.target) {
            if rsp.is_some_and(|rsp| is_cramped(scene, rsp)) {
                why = CRAMPED;
                continue;
            }
            stopped_one = true;
            for _ in 0..TRIES {
                match attempt(scene, thread, needs, build) {
                    Try::Done((to_stop, stopped)) => {
                        let thread_id = thread;
                        return Ok(Borrowed { thread_id, to_stop, stopped, rejected });
                    }
                    Try::Fatal(error) => return Err(error),
                    Try::Rejected(rejection) => {
                        rejected += 1;
                        why = rejection.why;
                        learn(scene, rejection, rejected)?;
                    }
                }
                if Instant::now() > deadline {
                    return Err(Error::Busy { pid: scene.target.pid(), tries: rejected, why });
                }
                std::thread::sleep(pause);
            }
        }
        scene.target.verify()?;
        if Instant::now() > deadline {
            return Err(Error::Busy { pid: scene.target.pid(), tries: rejected, why });
        }
        if !stopped_one {
            scene.reread_maps()?; // stacks may have come where smaller ones were
        }
        std::thread::sleep(pause);
        pause = (pause * 5 / 4).min(LONGEST_PAUSE);
    }
}

/// What a rejection teaches: tables for the next walk, new mappings.
fn learn(scene: &mut Scene<'_>, rejection: Rejected, rejected: u32) -> Result<(), Error> {
    if let Some(address) = rejection.needs_tables {
        if scene.maps.at(address).is_none() {
            scene.reread_maps()?;
        }
        scene.unwinder.add(&scene.memory, &scene.maps, address);
    } else if rejected.is_multiple_of(MAPS_EVERY) {
        scene.reread_maps()?;
    }
    Ok(())
}

fn attempt(scene: &Scene<'_>, thread: u32, needs: Needs, build: &mut Build<'_>) -> Try {
    let pid = scene.target.pid();
    let tracee = match Tracee::stop(thread) {
        Stop::Stopped(tracee) => tracee,
        Stop::Passed => return Try::Rejected(no("a signal was on its way")),
        Stop::Gone => return Try::Rejected(no("the thread ended")),
        Stop::TimedOut => {
            return Try::Rejected(no("it does not stop: frozen, or in vfork or a kernel wait"));
        }
        Stop::JobControl => return Try::Fatal(Error::Stopped(pid)),
        Stop::Refused(error) => return refused(scene, error),
    };
    // The thread cannot be reaped now: if the process is the right one, the thread is.
    if let Err(error) = scene.target.verify() {
        return Try::Fatal(error);
    }
    let held = match Held::of(scene, &tracee, thread) {
        Ok(held) => held,
        Err(_) => return Try::Rejected(no("the thread ended")),
    };
    match held.judge(scene, &tracee) {
        Ok(()) => {}
        Err(rejection) => {
            held.undo(&tracee);
            return Try::Rejected(rejection);
        }
    }
    match held.commit(scene, &tracee, needs, build) {
        Ok(()) => Try::Done(tracee.release()),
        Err(Commit::NoRoom) => {
            held.undo(&tracee);
            Try::Rejected(no(CRAMPED))
        }
        Err(Commit::Failed(source)) => {
            held.undo(&tracee);
            Try::Fatal(Error::Io { what: "preparing the thread", source })
        }
    }
}

fn refused(scene: &Scene<'_>, error: io::Error) -> Try {
    let tracer = scene.target.status().map_or(0, |status| status.tracer_pid);
    let pid = scene.target.pid();
    Try::Fatal(match error.raw_os_error() {
        Some(libc::EPERM) if tracer != 0 => Error::Traced { pid, by: tracer },
        Some(libc::EPERM) if !scene.target.alive() => Error::Exited(pid),
        Some(libc::EPERM) => {
            Error::Permission { pid, why: identity::no_access(scene.target.folder()) }
        }
        // A zombie thread, or one that is just being made.
        _ => return Try::Rejected(no("the thread cannot be stopped")),
    })
}

enum Commit {
    NoRoom,
    Failed(io::Error),
}

impl From<io::Error> for Commit {
    fn from(error: io::Error) -> Self {
        Commit::Failed(error)
    }
}

/// A stopped thread, as it was found.
struct Held {
    found: Registers,
    /// It carried an EINTR of ours, and has been rewound already.
    rewound: bool,
    in_syscall: bool,
    home: Home,
    interruptible: bool,
    /// A caught signal waits for it.
    signal_waits: bool,
}

impl Held {
    fn of(scene: &Scene<'_>, tracee: &Tracee, thread: u32) -> io::Result<Self> {
        let found = tracee.registers()?;
        let code = scene.memory.read(found.rip.wrapping_sub(64), 64).unwrap_or_default();
        let in_syscall = restart::behind_syscall(&found, &code);
        let early = if in_syscall { restart::early_rewind(&found) } else { None };
        if let Some(registers) = &early {
            tracee.set_registers(registers)?;
        }
        let mask = tracee.signal_mask()?;
        let text = scene.target.folder().text(&format!("task/{thread}/status"))?;
        let status = Status::parse(&text);
        let waiting = (status.pending | status.shared_pending) & status.caught & !mask;
        let (registers, interruptible) = match in_syscall {
            true => {
                let plan = restart::plan(&found, &code);
                (plan.home, plan.interruptible)
            }
            false => (found, false),
        };
        Ok(Self {
            found,
            rewound: early.is_some(),
            in_syscall,
            home: Home { registers, mask },
            interruptible,
            signal_waits: waiting != 0,
        })
    }

    fn judge(&self, scene: &Scene<'_>, tracee: &Tracee) -> Result<(), Rejected> {
        if self.signal_waits {
            return Err(no("a signal is about to be delivered"));
        }
        let judge = Judge {
            memory: &scene.memory,
            maps: &scene.maps,
            clib: &scene.clib,
            unwinder: &scene.unwinder,
        };
        if self.in_syscall {
            return judge.in_syscall(&self.found);
        }
        // struct rseq (linux/rseq.h): the active section stands at byte 8.
        let section = match tracee.rseq() {
            Some(rseq) => scene.memory.u64(rseq + 8).unwrap_or(1),
            None => 0,
        };
        judge.in_user_code(&self.found, section)
    }

    /// Lets the thread see what it would have seen: a call that a signal is about to interrupt keeps
    /// its EINTR.
    fn undo(&self, tracee: &Tracee) {
        if self.rewound && self.signal_waits {
            let _ = tracee.set_registers(&self.found);
        }
    }

    fn commit(
        &self,
        scene: &Scene<'_>,
        tracee: &Tracee,
        needs: Needs,
        build: &mut Build<'_>,
    ) -> Result<(), Commit> {
        let state = xstate::signal_block(&tracee.xstate()?)
            .ok_or_else(|| io::Error::other("the thread's vector state is not understood"))?;
        let rsp = self.found.rsp;
        let place = Place::below(rsp, needs.steps, needs.data_len, state.len());
        if !has_room(scene, rsp, place.lowest()) {
            return Err(Commit::NoRoom);
        }
        let errno_at = self.found.fs_base.wrapping_add(scene.clib.errno_offset);
        let errno = scene.memory.u32(errno_at)? as i32;
        let site = Site {
            place,
            errno: (errno_at, errno),
            mask: self.home.mask,
            interruptible: self.interruptible,
            after_syscall: self.found.rip,
        };
        let (steps, data) = build(&site)?;
        let clib = &scene.clib;
        let anchors = Anchors { restore_rt: clib.restore_rt, syscall_ret: clib.syscall_ret };
        let image = place.image(&steps, &data, &state, &self.home, anchors);
        scene.memory.write(place.lowest(), &image)?;
        let mut start = self.found;
        start.rip = anchors.restore_rt;
        start.rsp = place.entry();
        start.orig_rax = u64::MAX;
        // In this order: before the mask is set our death costs nothing, after it the chain restores it.
        tracee.set_registers(&start)?;
        tracee.set_signal_mask(ALL_BLOCKED)?;
        Ok(())
    }
}

/// Whether a thread need not be stopped to see that its stack is too small: of thousands of threads all
/// may be so, and only the main thread's is large.
fn is_cramped(scene: &Scene<'_>, rsp: u64) -> bool {
    scene.maps.at(rsp).is_some() && !has_room(scene, rsp, rsp)
}

/// Whether the stack that holds `rsp` goes on far enough below what is written.
fn has_room(scene: &Scene<'_>, rsp: u64, lowest: u64) -> bool {
    let Some(stack) = scene.maps.at(rsp).filter(|mapping| mapping.write) else {
        return false;
    };
    if stack.name != "[stack]" {
        return lowest.saturating_sub(stack.range.start) >= LOADING_STACK;
    }
    let grown = stack.range.end - lowest + LOADING_STACK;
    lowest.saturating_sub(stack.range.start) >= GROWING_STACK && grown < scene.stack_limit
}
