# A process whose main thread stands still in a second interpreter. Runs on CPython 3.8+. Ends when its input does.
#   thread IDENT NAME_IN_MAIN NAME_IN_SECOND|-
import ctypes
import threading

try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters

SECOND = """
import os, threading
threading.current_thread().name = "of_the_second"
os.write(1, b"ready\\n")
os.read(0, 1)
"""

gate = threading.Lock()
gate.acquire()
thread = threading.Thread(target=gate.acquire, name="of_the_main", daemon=True)
thread.start()
for name in ("_PyRuntime", "PyCode_Type"):
    print("symbol", name, ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, name)))
print("thread %d MainThread of_the_second" % threading.get_ident())
print("thread %d of_the_main -" % thread.ident, flush=True)
interpreters.run_string(interpreters.create(), SECOND)
