# Writes the line tables of the standard library's functions, with this interpreter's own reading of them.
# Runs on CPython 2.7 and 3.6+. Little-endian numbers of 4 bytes:
#   first line, bytes of table, table, bytes of code, runs, then of each run its offset and its line (-1: none)
import dis
import os
import struct
import sys
import types

out = getattr(sys.stdout, "buffer", sys.stdout)
LIMIT = int(sys.argv[1])


def runs(code):
    if hasattr(code, "co_lines"):
        return [(start, -1 if line is None else line) for start, end, line in code.co_lines() if end > start]
    return list(dis.findlinestarts(code))


def write(code):
    table = code.co_linetable if hasattr(code, "co_linetable") else code.co_lnotab
    found = runs(code)
    out.write(struct.pack("<II", code.co_firstlineno, len(table)) + table)
    out.write(struct.pack("<II", len(code.co_code), len(found)))
    for start, line in found:
        out.write(struct.pack("<Ii", start, line))


def walk(code):
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            for inner in walk(constant):
                yield inner


def sources():
    top = os.path.dirname(os.__file__)
    for folder in ("", "json", "email", "logging", "unittest", "xml/dom", "multiprocessing", "asyncio", "ctypes"):
        folder = os.path.join(top, folder)
        for name in sorted(os.listdir(folder) if os.path.isdir(folder) else ()):
            if name.endswith(".py"):
                yield os.path.join(folder, name)


written = 0
for path in sources():
    with open(path, "rb") as file:
        code = compile(file.read(), path, "exec")
    for inner in walk(code):
        write(inner)
        written += 1
    if written >= LIMIT:
        break
out.flush()
