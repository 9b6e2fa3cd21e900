"""A CPU thread beside an I/O thread: "round N" is N round trips through a pipe while the other one counts.

Each trip asks for the GIL twice against a thread that gives it up only when it is made to, every 5 ms:
what one trip took says how long that takes, and the counting that was done meanwhile is done as well:
says both, the trip in ns and what one count took.
"""
import os
import threading
import time

import handshake

CHUNK = 1000


def count(stop, counts):
    """Pure Python until told to stop."""
    n = 0
    while not stop:
        for _ in range(CHUNK):
            pass
        n += CHUNK
    counts.append(n)


def mix(trips):
    """Seconds that the trips take, and how far was counted in that time."""
    reader, writer = os.pipe()
    stop, counts = [], []
    thread = threading.Thread(target=count, args=(stop, counts))
    thread.start()
    start = time.perf_counter()
    for _ in range(trips):
        os.write(writer, b"x")
        os.read(reader, 1)
    taken = time.perf_counter() - start
    stop.append(1)
    thread.join()
    os.close(reader)
    os.close(writer)
    return taken, counts[0]


handshake.ready()
mix(5)
line = handshake.wait_line()
while line:
    n = int(line.split()[1])
    seconds, counted = mix(n)
    handshake.say(unit_ns=1e9 * seconds / n, count_ns=1e9 * seconds / counted)
    line = handshake.wait_line()
