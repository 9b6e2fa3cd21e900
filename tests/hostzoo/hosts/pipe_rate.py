"""Pipe I/O as fast as it goes: one byte in, one byte out, every call a release and an acquire of the GIL."""
import hashlib
import os
import threading

import handshake

BYTES = 60000
r, w = os.pipe()
there, back = os.pipe()
digest = hashlib.sha256()


def send():
    for n in range(BYTES):
        os.write(w, letters[n % 26])


def echo():
    for _ in range(BYTES):
        os.write(back, os.read(r, 1))


letters = [chr(ord("a") + n).encode("ascii") for n in range(26)]
handshake.ready()
handshake.wait_line()
threads = [threading.Thread(target=send), threading.Thread(target=echo)]
for thread in threads:
    thread.start()
for _ in range(BYTES):
    digest.update(os.read(there, 1))
for thread in threads:
    thread.join()
handshake.say(bytes=BYTES, digest=digest.hexdigest())
handshake.wait_line()
