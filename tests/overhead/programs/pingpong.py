"""Two threads that wake each other through two locks: "round N" plays N times there and back.

The worst case of contention: each way is a wait for the GIL with nothing in between. Says what one way
there and back took, over the whole round.
"""
import threading
import time

import handshake


def play(rounds):
    """Seconds that `rounds` take."""
    ping, pong = threading.Lock(), threading.Lock()
    ping.acquire()
    pong.acquire()

    def answer():
        for _ in range(rounds):
            ping.acquire()
            pong.release()

    thread = threading.Thread(target=answer)
    thread.start()
    start = time.perf_counter()
    for _ in range(rounds):
        ping.release()
        pong.acquire()
    taken = time.perf_counter() - start
    thread.join()
    return taken


handshake.ready()
play(2000)
line = handshake.wait_line()
while line:
    n = int(line.split()[1])
    handshake.say(unit_ns=1e9 * play(n) / n)
    line = handshake.wait_line()
