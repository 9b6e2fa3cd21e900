"""Ends on "stop" with an exit code of its own while daemon threads are still at work: `exits.py [CODE]`.

With CODE -N it kills itself by signal N.
"""
import os
import sys
import threading
import time

import handshake
import spin

code = int(sys.argv[1]) if len(sys.argv) > 1 else 7


def nap():
    while True:
        time.sleep(0.001)


for target in (spin.Spinner().run, nap, nap):
    thread = threading.Thread(target=target)
    thread.daemon = True
    thread.start()
handshake.ready()
handshake.wait_line()
if code < 0:
    os.kill(os.getpid(), -code)
sys.exit(code)
