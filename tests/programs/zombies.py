"""Counts the frames that code objects keep, on 2.7 and 3.6 to 3.10, after a real application was imported and run: pip.

For each line on stdin it does as told ("deep": a recursion, "collect": a full collection) and says its truth, read with
ctypes in the very function that then waits, so that no Python function runs between the count and the wait.
"""
import ctypes
import gc
import os
import pkgutil
import sys
import types

import handshake

# PyCodeObject.co_zombieframe and co_opcache_flag, by Include/code.h of each minor version.
ZOMBIE = {(2, 7): 112, (3, 6): 120, (3, 7): 120}.get(sys.version_info[:2], 128)
CALLS = 168 if sys.version_info >= (3, 8) else None
HEAD = 16 if sys.version_info >= (3, 8) else 32


def run_pip():
    try:
        import pip._internal.commands as commands
    except ImportError:
        return
    for module in pkgutil.iter_modules(commands.__path__):
        __import__("pip._internal.commands." + module[1])
    try:
        from pip._internal.cli.main import main
    except ImportError:
        from pip._internal import main
    out = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    try:
        main(["list", "--disable-pip-version-check"])
    finally:
        sys.stdout.flush()
        os.dup2(out, 1)
        os.close(out)


def all_codes():
    """Every code object that something Python can see refers to, whatever it goes through."""
    seen, codes, todo = set(), [], [gc.get_objects(), list(sys._current_frames().values())]
    while todo:
        found = todo.pop()
        if id(found) in seen:
            continue
        seen.add(id(found))
        if isinstance(found, types.CodeType):
            codes.append(found)
            todo.extend(found.co_consts)
        todo.extend(gc.get_referents(found))
    return codes


def deep(n):
    return n and deep(n - 1)


def stand(codes, frame_bytes):
    while True:
        line = os.read(0, 4096)
        if not line:
            return
        if line == b"deep\n":
            deep(500)
        if line == b"collect\n":
            gc.collect()
        count = size = once = 0
        for code in codes:
            zombie = ctypes.c_uint64.from_address(id(code) + ZOMBIE).value
            if zombie:
                count += 1
                # A frame that came from the free list may have more words than its code needs.
                words = ctypes.c_uint64.from_address(zombie + 16).value
                assert words >= code.co_stacksize + code.co_nlocals + len(code.co_cellvars) + len(code.co_freevars)
                size += HEAD + frame_bytes + 8 * words
                if CALLS and ctypes.c_int.from_address(id(code) + CALLS).value == 1:
                    once += 1
        os.write(1, (u'{"zombies": %d, "bytes": %d, "once": %d, "codes": %d}\n' % (count, size, once, len(codes))).encode("ascii"))


def main():
    run_pip()
    deep(3)
    gc.collect()
    frame_bytes = type(sys._getframe()).__basicsize__
    # CPython asks for one word more than it says: its formula takes the one that is part of the fixed size off again.
    words = main.__code__.co_stacksize + main.__code__.co_nlocals
    assert sys.getsizeof(sys._getframe()) == HEAD + frame_bytes + 8 * (words - 1)
    handshake.ready()
    all_codes()
    stand(all_codes(), frame_bytes)


main()
