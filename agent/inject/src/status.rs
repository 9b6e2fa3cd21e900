//! `/proc/PID/status` (proc_pid_status(5)): the lines that decide about an attach.

/// What was found; a line that is missing or odd leaves its field at `None` or zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The kernel's name of the process, at most 15 bytes.
    pub name: String,
    /// Letter of the state: R, S, D, T (stopped), t (traced), Z, X, I.
    pub state: char,
    /// Process that traces it, 0 for none.
    pub tracer_pid: u32,
    /// Real, effective, saved and file-system user.
    pub uids: [u32; 4],
    /// Its pid in each pid namespace, outermost first.
    pub inner_pids: Vec<u32>,
    /// Threads.
    pub threads: u32,
    /// Signals waiting for this thread.
    pub pending: u64,
    /// Signals waiting for the process.
    pub shared_pending: u64,
    /// Signals with a handler.
    pub caught: u64,
    /// 0 none, 1 strict, 2 filter.
    pub seccomp: u32,
    /// `PR_SET_NO_NEW_PRIVS` is set.
    pub no_new_privs: bool,
    /// Shadow stacks (CET) are on.
    pub shadow_stack: bool,
}

impl Status {
    /// Parses the text. Total: no input makes it fail.
    pub fn parse(text: &str) -> Self {
        let mut status = Status { state: '?', ..Self::default() };
        for line in text.lines() {
            if let Some((key, value)) = line.split_once(':') {
                status.take(key, value.trim());
            }
        }
        status
    }

    fn take(&mut self, key: &str, value: &str) {
        let number = || value.parse().unwrap_or(0);
        let mask = || u64::from_str_radix(value, 16).unwrap_or(0);
        let numbers = || value.split_whitespace().map_while(|word| word.parse().ok());
        match key {
            "Name" => self.name = value.to_owned(),
            "State" => self.state = value.chars().next().unwrap_or('?'),
            "TracerPid" => self.tracer_pid = number(),
            "Uid" => self.uids.iter_mut().zip(numbers()).for_each(|(uid, seen)| *uid = seen),
            "NSpid" => self.inner_pids = numbers().collect(),
            "Threads" => self.threads = number(),
            "SigPnd" => self.pending = mask(),
            "ShdPnd" => self.shared_pending = mask(),
            "SigCgt" => self.caught = mask(),
            "Seccomp" => self.seccomp = number(),
            "NoNewPrivs" => self.no_new_privs = value == "1",
            "x86_Thread_features" => {
                self.shadow_stack = value.split_whitespace().any(|feature| feature == "shstk");
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_matters() {
        let status = Status::parse(
            "Name:\tpy: x\nState:\tT (stopped)\nTracerPid:\t7\nUid:\t1\t2\t3\t4\nNSpid:\t70\t2\n\
             Threads:\t3\nSigPnd:\t0000000000000001\nSigCgt:\t8000000000000000\nSeccomp:\t2\n\
             x86_Thread_features:\tshstk wrss\n",
        );
        assert_eq!((status.state, status.tracer_pid, status.uids), ('T', 7, [1, 2, 3, 4]));
        assert_eq!((status.inner_pids, status.threads, status.pending), (vec![70, 2], 3, 1));
        assert_eq!((status.caught, status.seccomp, status.shadow_stack), (1 << 63, 2, true));
        assert_eq!(status.name, "py: x");
    }

    #[test]
    fn nonsense_is_not_an_error() {
        let status = Status::parse("State:\nUid: x\nSigCgt: zz\n\u{0}:::\nThreads: 99999999999999");
        assert_eq!((status.state, status.uids, status.caught, status.threads), ('?', [0; 4], 0, 0));
    }
}
