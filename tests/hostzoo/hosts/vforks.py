"""Children by the hundred: subprocess (vfork or posix_spawn on newer Pythons) from two threads, and libc's vfork through system()."""
import os
import subprocess
import sys
import threading

import handshake

ROUNDS = 60
said = [0, 0]
codes = [0, 0]


def spawn(me):
    for n in range(ROUNDS):
        child = subprocess.Popen(["/bin/echo", "child %d" % n], stdout=subprocess.PIPE, close_fds=bool(n % 2))
        said[me] += child.communicate()[0] == ("child %d\n" % n).encode("ascii")
        codes[me] += child.returncode
        codes[me] += os.WEXITSTATUS(os.system("exit %d" % (n % 7)))


handshake.ready()
handshake.wait_line()
threads = [threading.Thread(target=spawn, args=(i,)) for i in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
spawned = [0]
if sys.version_info >= (3, 8):
    for n in range(ROUNDS):
        pid = os.posix_spawn("/bin/sh", ["sh", "-c", "exit %d" % (n % 7)], os.environ)
        spawned[0] += os.WEXITSTATUS(os.waitpid(pid, 0)[1])
handshake.say(said=said, codes=codes, spawned=spawned)
handshake.wait_line()
