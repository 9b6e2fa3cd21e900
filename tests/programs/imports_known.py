"""Imports modules that keep a known number of bytes each, and prints what they keep: {name: bytes} on the
last line, as JSON. The folder given as argument is filled with the modules. Byte code is not written."""
import json
import os
import sys
import threading

MODULES = {
    # A list's items, and the list.
    "known_list": ("kept = [None] * 1000000", lambda m: sys.getsizeof(m.kept)),
    "known_bytes": ("kept = [bytearray(100000) for _ in range(50)]",
                    lambda m: sum(map(sys.getsizeof, m.kept)) + sys.getsizeof(m.kept)),
    # Small objects: 48 to 512 bytes each are the small-object allocator's.
    "known_small": ("kept = [b'x' * 200 + bytes([n % 250]) for n in range(20000)]",
                    lambda m: sum(map(sys.getsizeof, m.kept)) + sys.getsizeof(m.kept)),
    "known_inner": ("kept = bytearray(3000000)", lambda m: sys.getsizeof(m.kept)),
    "known_outer": ("import known_inner\nkept = bytearray(2000000)", lambda m: sys.getsizeof(m.kept)),
    "known_circle_a": ("import known_circle_b\nkept = bytearray(1500000)", lambda m: sys.getsizeof(m.kept)),
    "known_circle_b": ("import known_circle_a\nkept = bytearray(2500000)", lambda m: sys.getsizeof(m.kept)),
    # Twice as much for a moment, and moved by realloc; only the list stays.
    "known_freed": ("lost = bytearray(30000000)\ndel lost\nkept = []\n"
                    "for n in range(300000): kept.append(None)", lambda m: sys.getsizeof(m.kept)),
    # What it frees of another's is not its own. C code allocates here too.
    "known_frees": ("import known_given\nknown_given.kept = None\n"
                    "import ctypes\nraw = ctypes.pythonapi.PyMem_RawMalloc\nraw.restype = ctypes.c_void_p\n"
                    "raw.argtypes = [ctypes.c_size_t]\nkept = raw(7000000)",
                    lambda m: 7000000 - sys.getsizeof(bytearray(4000000))),
    "known_given": ("kept = bytearray(4000000)", lambda m: sys.getsizeof(bytearray(4000000))),
    "known_thread_0": ("kept = bytearray(1200000)", lambda m: sys.getsizeof(m.kept)),
    "known_thread_1": ("kept = bytearray(2200000)", lambda m: sys.getsizeof(m.kept)),
    "known_late": ("kept = bytearray(1700000)", lambda m: sys.getsizeof(m.kept)),
}
# The first one from source pays for the compiler's and the finder's own beginnings.
FIRST = "kept = None"
BROKEN = "kept = bytearray(5000000)\nraise RuntimeError('broken on purpose')"

folder = sys.argv[1]
for name, (source, _) in MODULES.items():
    with open(os.path.join(folder, name + ".py"), "w") as file:
        file.write(source + "\n")
with open(os.path.join(folder, "known_broken.py"), "w") as file:
    file.write(BROKEN + "\n")
with open(os.path.join(folder, "first.py"), "w") as file:
    file.write(FIRST + "\n")
sys.path.insert(0, folder)
import first
import ctypes  # its own memory is nobody's above

import known_list
import known_bytes
import known_small
import known_outer
import known_circle_a
import known_freed
import known_frees
try:
    import known_broken
except RuntimeError:
    pass
try:
    import known_nowhere
except ImportError:
    pass


def use_late():
    import known_late
    return known_late


use_late()
threads = [threading.Thread(target=__import__, args=("known_thread_%d" % n,)) for n in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
kept = {name: int(size(sys.modules[name])) for name, (_, size) in MODULES.items()}
known_list.kept = None  # freed after the import: of no import's account
print(use_late.__code__.co_firstlineno + 1)
print(json.dumps(kept))
