"""A thread that asks without end whether there is something to read, and never waits for it.

Each `select` with a timeout of 0 is one GIL cycle. From "go" to "stop".
"""
import os
import select
import threading

import handshake

state = {"stop": False, "polls": 0}
r, w = os.pipe()


def poll():
    while not state["stop"]:
        select.select([r], [], [], 0)
        state["polls"] += 1


handshake.ready()
handshake.wait_line()
thread = threading.Thread(target=poll, name="poller")
thread.start()
handshake.wait_line()
state["stop"] = True
thread.join()
handshake.say(polls=state["polls"])
handshake.wait_line()
