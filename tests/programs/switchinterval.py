"""Two CPU-bound threads under a known switch interval: `switchinterval.py INTERVAL_MS`, "go" to "stop".

Each looks on every turn whether the other ran last and counts: that is the program's own count of
the times the GIL changed hands between them. Neither ever blocks, so every such change was forced.
"""
import sys
import threading
import time

import handshake

interval_s = float(sys.argv[1]) / 1000 if len(sys.argv) > 1 else 0.005
state = {"stop": False, "last": None}
switches = [0, 0]


def spin(me):
    while not state["stop"]:
        if state["last"] != me:
            state["last"] = me
            switches[me] += 1


if hasattr(sys, "setswitchinterval"):
    sys.setswitchinterval(interval_s)
handshake.ready()
handshake.wait_line()
began = time.time()
threads = [threading.Thread(target=spin, args=(i,), name="spin-%d" % i) for i in range(2)]
for thread in threads:
    thread.start()
handshake.wait_line()
state["stop"] = True
for thread in threads:
    thread.join()
handshake.say(switches=sum(switches), busy_s=time.time() - began, interval_s=interval_s)
handshake.wait_line()
