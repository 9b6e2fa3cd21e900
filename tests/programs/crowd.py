"""More threads in C code without the GIL than there are cores: `crowd.py [PER_CORE]`, "go" to "stop".

Deflating a large block is one GIL cycle and tens of milliseconds of CPU outside of it.
"""
import multiprocessing
import os
import sys
import threading
import zlib

import handshake

per_core = int(sys.argv[1]) if len(sys.argv) > 1 else 4
n_threads = per_core * multiprocessing.cpu_count()
block = os.urandom(1 << 20)
state = {"stop": False}


def deflate():
    while not state["stop"]:
        zlib.compress(block, 6)


handshake.ready()
handshake.wait_line()
threads = [threading.Thread(target=deflate, name="deflate-%d" % i) for i in range(n_threads)]
for thread in threads:
    thread.start()
handshake.wait_line()
state["stop"] = True
for thread in threads:
    thread.join()
handshake.say(threads=n_threads)
handshake.wait_line()
