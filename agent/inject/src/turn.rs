//! One gilscope at a time works on a target.
//!
//! Two that go in at once would each load an agent, and each agent would take the other's hooks for the
//! originals. The lock is a flock(2) on the target's `mem` file: whoever may open that may attach, nobody
//! else can hold it up; it names the process itself, in every mount namespace; and it ends with its holder.

use crate::error::Error;
use crate::identity::Identity;
use std::fs::File;
use std::time::{Duration, Instant};

const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// The right to work on a target, until dropped.
pub(crate) struct Turn(#[expect(dead_code, reason = "it is the lock")] File);

/// Waits until nobody else is at work on the target.
///
/// # Errors
/// The target may not be written to, has ended, or `deadline` is over.
pub(crate) fn take(target: &Identity, deadline: Instant) -> Result<Turn, Error> {
    let file = target.folder().open_file("mem", true).map_err(|source| target.refused(source))?;
    let mut pause = FIRST_PAUSE;
    while file.try_lock().is_err() {
        target.verify()?;
        if Instant::now() > deadline {
            let why = "another gilscope is attaching to it or leaving it";
            return Err(Error::Busy { pid: target.pid(), tries: 0, why });
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    Ok(Turn(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_waits_for_the_first_and_says_why_it_gave_up() {
        let ourselves = Identity::of(std::process::id()).unwrap();
        let first = take(&ourselves, Instant::now()).unwrap();
        let second = take(&ourselves, Instant::now());
        assert!(second.is_err_and(|error| error.to_string().contains("another gilscope")));
        drop(first);
        take(&ourselves, Instant::now()).unwrap();
    }
}
