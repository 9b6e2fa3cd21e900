"""How a test program and the harness talk; the same on 2.7 and 3.6+.

The program says one JSON line when it is ready, waits for a line on stdin, works, says its own
truth as a JSON line and waits again; at end of file it goes. Every call here that may block is
exactly one GIL cycle (one release, one acquire), so that a program can count its own cycles:
`os.read` and `os.write` release the GIL once around the system call, whether it blocks or not.
"""
import json
import os
import signal
import sys
import threading

# A program whose harness died ends by SIGALRM: no handler, so the GIL is not involved. Long tests set a later end.
LIMIT_S = int(os.environ.get("TEST_LIMIT_S", "240"))

NEVER_S = 1000.0


def ready(**facts):
    """Says who we are. Everything that is needed later must be imported and started before.

    On 2.7 and 3.6 the GIL exists from the first thread on, so there has been one by then. It is waited
    for until the kernel has no trace of it: after `join` it still loads libgcc_s to end, and a program
    that closes all descriptors at that moment would end with "libgcc_s.so.1 must be installed".
    """
    signal.alarm(LIMIT_S)
    n_tasks = len(os.listdir("/proc/self/task"))
    first = threading.Thread(target=int)
    first.start()
    first.join()
    for _ in range(5000):  # others may have begun meanwhile, for good
        if len(os.listdir("/proc/self/task")) <= n_tasks:
            break
    say(ready=True, pid=os.getpid(), **facts)


def say(**facts):
    """One JSON line on stdout: one GIL cycle."""
    os.write(1, (json.dumps(facts, sort_keys=True) + "\n").encode("ascii"))


def wait_line():
    """The next line from the harness, or "" at end of file: one GIL cycle."""
    return os.read(0, 4096).decode("ascii").strip()


def never_switch():
    """No forced releases from here on: no drop request is ever set (2.7: no tick is ever reached)."""
    if hasattr(sys, "setswitchinterval"):
        sys.setswitchinterval(NEVER_S)
    else:
        sys.setcheckinterval(10 ** 9)


def line_of(file, marker):
    """Number of the one line of `file` that ends in the comment `# marker`."""
    with open(file.replace(".pyc", ".py")) as source:
        lines = [n for n, text in enumerate(source, 1) if text.rstrip().endswith("# " + marker)]
    assert len(lines) == 1, (marker, lines)
    return lines[0]


def program_file(file):
    """A script's path as its code objects spell it, also when it was compiled."""
    return file[:-1] if file.endswith(".pyc") else file


def cpu_seconds():
    """User and system CPU of this process alone, in seconds."""
    times = os.times()
    return times[0] + times[1]
