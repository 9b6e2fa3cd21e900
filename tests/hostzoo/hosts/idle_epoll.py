"""An event loop that mostly waits: epoll with and without time-outs, one message every 5 ms.

On 2.7 an interrupted wait is an IOError that this host does not catch: nobody but us may cause one.
"""
import os
import select
import threading
import time

import handshake

MESSAGES = 300
r, w = os.pipe()
epoll = select.epoll()
epoll.register(r, select.EPOLLIN)


def send():
    for _ in range(MESSAGES):
        time.sleep(0.005)
        os.write(w, b"m")


handshake.ready()
handshake.wait_line()
sender = threading.Thread(target=send)
sender.start()
received = 0
while received < MESSAGES:
    for fd, _ in epoll.poll(-1 if received % 2 else 1.0):
        received += len(os.read(fd, 1))
sender.join()
handshake.say(received=received)
handshake.wait_line()
