"""Replaces itself by itself, again and again, with threads at work each time: `exec_loop.py [N LEFT]`."""
import os
import sys
import threading

import handshake
import spin

EXECS = 25
left = int(sys.argv[1]) if len(sys.argv) > 1 else EXECS
if left == EXECS:
    handshake.ready()
    handshake.wait_line()
spinner = spin.Spinner()
threads = [threading.Thread(target=spinner.run) for _ in range(2)]
for thread in threads:
    thread.daemon = True
    thread.start()
while spinner.loops < 20000:
    pass
if left:
    os.execv(sys.executable, [sys.executable, os.path.abspath(__file__), str(left - 1)])
spinner.stop = True
for thread in threads:
    thread.join()
handshake.say(execs=EXECS, left=left)
handshake.wait_line()
