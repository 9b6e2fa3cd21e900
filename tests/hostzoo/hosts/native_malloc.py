"""The host that a careless injector kills: native threads that allocate all the time, see ../churn.c.

`native_malloc.py LIBRARY`. The main thread goes on waiting in Python; at the end the blocks are checked.
"""
import ctypes
import sys

import handshake

churn = ctypes.CDLL(sys.argv[1])
assert churn.churn_start() == 0
handshake.ready()
handshake.wait_line()
handshake.say(wrong=churn.churn_end())
handshake.wait_line()
