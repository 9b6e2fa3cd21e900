"""Starts many other programs, none of them Python: `subprocs.py [COUNT]`. Says what they answered."""
import subprocess
import sys

import handshake

count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
handshake.ready()
handshake.wait_line()
answers = 0
for i in range(count):
    child = subprocess.Popen(["/bin/sh", "-c", "echo $((%d * 2)); exit %d" % (i, i % 7)], stdout=subprocess.PIPE)
    out = child.communicate()[0]
    answers += int(out) == 2 * i and child.returncode == i % 7
handshake.say(answers=answers, count=count)
handshake.wait_line()
