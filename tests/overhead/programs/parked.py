"""Threads parked in a lock and a main thread that watches the clock: `parked.py THREADS`.

"watch SECONDS" reads the clock without pause, on a thread of its own, and says the longest gap
between two readings: what the program itself feels of an attach or a detach (and of the machine).
Asked from outside while main waits; the answer comes when the time is over.
"""
import sys
import threading
import time

import handshake

never = threading.Event()


def longest_gap(seconds):
    """Longest gap between two readings of the clock, in ns."""
    clock = time.perf_counter_ns
    longest, last = 0, clock()
    end = last + int(seconds * 1e9)
    while last < end:
        now = clock()
        if now - last > longest:
            longest = now - last
        last = now
    return longest


threads = [threading.Thread(target=never.wait, daemon=True) for _ in range(int(sys.argv[1]))]
for thread in threads:
    thread.start()
handshake.ready()
line = handshake.wait_line()
while line:
    handshake.say(gap_ns=longest_gap(float(line.split()[1])))
    line = handshake.wait_line()
