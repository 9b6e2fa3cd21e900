"""A target that writes at random over its own mapping of the segment: `scribbler.py SECONDS`.

Whatever the agent and gilscope keep there is overwritten while both use it, most often where the
tables stand. Says how many words it wrote. Other threads go through GIL cycles meanwhile.
"""
import ctypes
import os
import random
import sys
import threading
import time

import handshake

seconds = float(sys.argv[1])
null = os.open(os.devnull, os.O_WRONLY)
working = True


def work():
    while working:
        os.write(null, b"x")


def segment():
    """The segment as an array of words: the one shared mapping that we may write."""
    with open("/proc/self/maps") as maps:
        for line in maps:
            if "memfd:gilscope" in line and " rw-s " in line:
                start, end = [int(part, 16) for part in line.split()[0].split("-")]
                return (ctypes.c_uint64 * ((end - start) // 8)).from_address(start)
    return None


def scribble(words, rng, tables=1 << 18):
    """One word at a random place: half of them in the first 2 MiB."""
    at = rng.randrange(min(tables, len(words)) if rng.random() < 0.5 else len(words))
    words[at] = rng.choice((0, 1, 2, 1 << 31, 1 << 32 | 1, 1 << 63, (1 << 64) - 1, words[at] + 1,
                            rng.getrandbits(64), rng.getrandbits(8), rng.getrandbits(8) << 32))


threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
handshake.ready()
handshake.wait_line()
words, rng, n_words = segment(), random.Random(7), 0
until = time.time() + seconds
while words is not None and time.time() < until:
    for _ in range(100):
        scribble(words, rng)
    n_words += 100
handshake.say(words=n_words)
handshake.wait_line()
working = False
for thread in threads:
    thread.join()
