"""Closes every descriptor from 3 on again and again, as daemons do, and then trusts the next numbers."""
import os
import tempfile
import time

import handshake

ROUNDS = 300
path = os.path.join(tempfile.mkdtemp(), "file")
handshake.ready()
handshake.wait_line()
intact = 0
for n in range(ROUNDS):
    os.closerange(3, 256)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    text = b"line %d of the host\n" % n if str is not bytes else "line %d of the host\n" % n
    os.write(fd, text)
    time.sleep(0.003)
    with open(path, "rb") as again:
        intact += again.read() == text and fd == 3
    os.close(fd)
os.unlink(path)
os.rmdir(os.path.dirname(path))
handshake.say(intact=intact, rounds=ROUNDS)
handshake.wait_line()
