"""Threads born and gone by the hundred, eight at a time, each touching locks and the GIL."""
import os
import threading

import handshake

WAVES = 250
lock = threading.Lock()
total = [0]
null = os.open(os.devnull, os.O_WRONLY)


def brief(n):
    os.write(null, b"x")
    with lock:
        total[0] += n


handshake.ready()
handshake.wait_line()
for wave in range(WAVES):
    threads = [threading.Thread(target=brief, args=(wave,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
handshake.say(total=total[0])
handshake.wait_line()
