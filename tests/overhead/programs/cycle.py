"""One uncontended GIL cycle, again and again: a loop of os.write to the null device, timed.

"round N" does N of them in parts of 500 and says what one took in the part at the tenth percentile:
a part is shorter than a time slice, so that many are undisturbed on a busy machine, and arms are
compared at their best. "stamp LIBRARY" and "plain" put the floor's hook (stamp.c) in and out. Pinned,
since a move to another core costs more than what is measured. The process has had a second thread,
as every arm's has.
"""
import ctypes
import os
import time

import handshake

PART = 500
null = os.open(os.devnull, os.O_WRONLY)
library = None


def part(n):
    """Seconds that n cycles take."""
    write, fd, byte = os.write, null, b"x"
    turns = range(n)
    start = time.perf_counter()
    for _ in turns:
        write(fd, byte)
    return time.perf_counter() - start


def stamp(path):
    """Every signal of a condition is stamped from now on."""
    global library
    library = ctypes.CDLL(path)
    original = ctypes.cast(ctypes.CDLL(None).pthread_cond_signal, ctypes.c_void_p)
    return library.stamp_on(original)


handshake.ready()
os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
part(20000)
line = handshake.wait_line()
while line:
    command, _, argument = line.partition(" ")
    if command == "round":
        taken = sorted(part(PART) for _ in range(int(argument) // PART))
        handshake.say(unit_ns=1e9 * taken[len(taken) // 10] / PART)
    elif command == "stamp":
        handshake.say(entries=stamp(argument))
    else:
        library.stamp_off()
        handshake.say(plain=True)
    line = handshake.wait_line()
