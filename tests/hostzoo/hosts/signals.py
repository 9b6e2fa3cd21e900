"""A storm of queued real-time signals, each counted: none may be lost, none may come twice.

A child sends them; the kernel queues real-time signals, and `set_wakeup_fd` gets one byte for each
delivery, so the count is exact (3.x; 2.7 writes one byte for several, so it is no host for this).
"""
import errno
import fcntl
import os
import select
import signal
import time

import handshake

SIGNALS = 1500
NUMBER = signal.SIGRTMIN + 1
r, w = os.pipe()
for fd in (r, w):
    fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_NONBLOCK)
signal.signal(NUMBER, lambda *_: None)
signal.set_wakeup_fd(w)


def send(pid):
    for n in range(SIGNALS):
        os.kill(pid, NUMBER)
        if n % 10 == 9:
            time.sleep(0.005)
    os._exit(0)


def again(call, *args):
    """2.7 leaves a retry after a signal to its caller."""
    while True:
        try:
            return call(*args)
        except (OSError, IOError, select.error) as error:
            if error.args[0] != errno.EINTR:
                raise


handshake.ready()
again(handshake.wait_line)
child = os.fork()
if child == 0:
    send(os.getppid())
count = 0
until = time.time() + 60
while count < SIGNALS and time.time() < until:
    if again(select.select, [r], [], [], 1.0)[0]:
        count += len(again(os.read, r, 65536))
status = again(os.waitpid, child, 0)[1]
time.sleep(0.05)
late = again(select.select, [r], [], [], 0)[0]
handshake.say(count=count, more=bool(late), status=status)
again(handshake.wait_line)
