"""Threads on the smallest stacks that Python allows (32 KiB), a few at a time, each going a few calls deep."""
import os
import threading

import handshake

WAVES = 120
lock = threading.Lock()
total = [0]
null = os.open(os.devnull, os.O_WRONLY)


def deep(n):
    os.write(null, b"x")
    return n if n == 0 else 1 + deep(n - 1)


def brief(n):
    with lock:
        total[0] += deep(n % 4)


handshake.ready()
handshake.wait_line()
threading.stack_size(32 * 1024)
for wave in range(WAVES):
    threads = [threading.Thread(target=brief, args=(wave + i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
threading.stack_size(0)
handshake.say(total=total[0])
handshake.wait_line()
