# -*- coding: utf-8 -*-
"""Threads whose names are hard to read, show and store; alive from "ready" to "stop"."""
import sys
import threading
import time

import handshake

NAMES = [
    u"plain",
    u"wörker-ß",
    u"名前",
    u"\U0001f40d snake",
    u"<script>alert(1)</script>",
    u"a,b;\"c\"\td",
    u"long-" + u"x" * 200,
]
stop = threading.Event()


def live():
    while not stop.is_set():
        time.sleep(0.02)


if sys.version_info[0] == 2:  # where a thread's name is bytes
    NAMES = [name.encode("utf-8") for name in NAMES]
threads = [threading.Thread(target=live, name=name) for name in NAMES]
threads.append(threading.Thread(target=live))
for thread in threads:
    thread.start()
names = [t.name for t in threads]
handshake.ready(names=names)
handshake.wait_line()
stop.set()
for thread in threads:
    thread.join()
handshake.say(names=names)
handshake.wait_line()
