"""Threads that live for a few ms one after the other, most of them under the thread id of one before:
`short_lived.py`, from "go" until the next line. Each has a name of its own. Truth: how many there were.
"""
import threading

import handshake
import spin

over = []


def work():
    spin.burn(20000)


def one_after_the_other():
    n = 0
    while not over:
        n += 1
        thread = threading.Thread(target=work, name="short-%d" % n)
        thread.start()
        thread.join()
    handshake.say(threads=n)


handshake.ready()
handshake.wait_line()
maker = threading.Thread(target=one_after_the_other, name="maker")
maker.start()
handshake.wait_line()
over.append(True)
maker.join()
handshake.wait_line()
