"""Imports what it is asked for, one module a line; "slow" one that waits for a line itself; "who" says what
the interpreter's importer is."""
import os
import sys
import tempfile

import handshake


def importer():
    if sys.version_info[0] == 2:
        import __builtin__

        return repr(__builtin__.__import__)
    return repr(sys.modules["_frozen_importlib"]._find_and_load).split(" at ")[0]


def on_request(name):
    return __import__(name).__name__


folder = tempfile.mkdtemp()
with open(os.path.join(folder, "slow_to_import.py"), "w") as file:
    file.write("import handshake\nhandshake.wait_line()\n")
sys.path.insert(0, folder)
sys.dont_write_bytecode = True
handshake.ready(importer=importer())
for line in iter(handshake.wait_line, ""):
    if line == "who":
        handshake.say(importer=importer())
    else:
        handshake.say(loaded=on_request("slow_to_import" if line == "slow" else line))
os.remove(os.path.join(folder, "slow_to_import.py"))
os.rmdir(folder)
