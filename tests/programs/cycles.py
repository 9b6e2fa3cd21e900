"""Threads that do a known number of GIL cycles: `cycles.py [THREADS] [CYCLES_EACH]`.

Quiet before "go" and after its truth, every thread blocked without the GIL: whoever attaches and
detaches in these two states has to count exactly what this program counts. Drop requests are
switched off, so every release is voluntary although the threads contend. Each thread goes through
its cycles as often as "go" is said.
"""
import os
import sys
import threading

import handshake

n_threads = int(sys.argv[1]) if len(sys.argv) > 1 else 1
cycles_each = int(sys.argv[2]) if len(sys.argv) > 2 else 10000
starts = [os.pipe() for _ in range(n_threads)]
done_r, done_w = os.pipe()
null = os.open(os.devnull, os.O_WRONLY)


def worker(start_r):
    """Cycles a round: one for the start, `cycles_each`, one for the end."""
    while os.read(start_r, 1) == b"g":
        for _ in range(cycles_each):
            os.write(null, b"x")
        os.write(done_w, b"d")


def one_round():
    """Main's own cycles: two for each thread. A pipe for each, or a fast one would start twice."""
    for _, start_w in starts:
        os.write(start_w, b"g")
    for _ in range(n_threads):
        os.read(done_r, 1)


handshake.never_switch()
threads = [threading.Thread(target=worker, args=(start_r,)) for start_r, _ in starts]
for thread in threads:
    thread.start()
# One round before anybody looks: lazily bound symbols, first-time paths and caches are behind us.
one_round()
handshake.ready()
rounds = 0
while handshake.wait_line() == "go":
    rounds += 1
    one_round()
    main_acquires = rounds * (1 + 2 * n_threads + 1)  # the "go", the threads, the truth
    worker_acquires = rounds * (cycles_each + 2)
    handshake.say(acquires=main_acquires + n_threads * worker_acquires,
                  main_acquires=main_acquires, worker_acquires=worker_acquires, threads=n_threads)
for _, start_w in starts:
    os.close(start_w)
for thread in threads:
    thread.join()
