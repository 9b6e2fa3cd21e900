"""Garbage in cycles, made and collected all the time from three threads, with finalisers that count."""
import gc
import itertools
import threading

import handshake

ROUNDS = 120
CYCLES = 200
buried = itertools.count()
lock = threading.Lock()


class Node(object):
    """Half of a cycle."""

    def __init__(self):
        self.other = None
        self.load = [self]


class Grave(object):
    """Counts its own end; not part of a cycle itself, so that 2.7 calls it, too."""

    def __del__(self):
        next(buried)  # one call of C: exact without a lock


def storm():
    for _ in range(ROUNDS):
        for _ in range(CYCLES):
            a, b = Node(), Node()
            a.other, b.other = b, a
            a.grave = Grave()
        with lock:
            gc.collect()


gc.set_threshold(50, 3, 3)
handshake.ready()
handshake.wait_line()
threads = [threading.Thread(target=storm) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
gc.collect()
handshake.say(buried=next(buried), garbage=len(gc.garbage), left=sum(isinstance(o, Node) for o in gc.get_objects()))
handshake.wait_line()
