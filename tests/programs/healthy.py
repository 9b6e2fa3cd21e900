"""Programs with nothing wrong: `healthy.py idle|pool|single`, busy from "ready" to "stop".

`idle` is a server that nobody talks to, `pool` four workers that share short jobs evenly and wait for
outside in between, `single` one thread that computes.
"""
import select
import socket
import sys
import threading
import time

import handshake
import spin

kind = sys.argv[1] if len(sys.argv) > 1 else "idle"
state = {"stop": False, "jobs": 0}


def listen():
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind(("127.0.0.1", 0))
    listener.listen(8)
    while not state["stop"]:
        select.select([listener], [], [], 0.1)
    listener.close()


def work():
    while not state["stop"]:
        spin.burn(200)
        state["jobs"] += 1
        time.sleep(0.01)


def compute():
    while not state["stop"]:
        state["jobs"] += spin.burn(1000)


KINDS = {"idle": (listen, 1), "pool": (work, 4), "single": (compute, 1)}
function, n_threads = KINDS[kind]
threads = [threading.Thread(target=function, name="%s-%d" % (kind, i)) for i in range(n_threads)]
for thread in threads:
    thread.start()
handshake.ready()
handshake.wait_line()
state["stop"] = True
for thread in threads:
    thread.join()
handshake.say(jobs=state["jobs"])
handshake.wait_line()
