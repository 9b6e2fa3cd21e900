# A process whose threads all stand still at known places, and that prints the truth about itself.
# Runs on CPython 2.7 and 3.6+. Ends when its standard input does.
#
#   symbol NAME ADDRESS
#   thread TSTATE IDENT NATIVE|- MAIN NAME|- FUNCTION FILE CODE FIRST_LINE LINE    (texts as UTF-8 in hex)
#   ready
# -*- coding: utf-8 -*-
import binascii
import ctypes
import sys
import threading

try:
    import _thread
except ImportError:
    import thread as _thread

api = ctypes.pythonapi
api.PyThreadState_Get.restype = ctypes.c_void_p
gate = threading.Lock()
gate.acquire()
facts = []
NAMES = [u"plain", u"caf\u00e9", u"\u3093 worker", u"\U0001f440 eyes", u"", u"n" * 300, u"sub \u3093", u"wide \U0001f440"]
FUNCTIONS = [u"stand", u"gr\u00f6\u00dfe", u"\u3093", u"\U00010400x", u"f" * 120, u"last", u"sub", u"wide"]


def fact(known):
    native = getattr(threading, "get_native_id", lambda: None)()
    facts.append((api.PyThreadState_Get(), _thread.get_ident(), native, known))


class Many(threading.Thread):
    """Too many attributes for shared keys, and a dict of its own."""

    def __init__(self, **rest):
        threading.Thread.__init__(self, **rest)
        for number in range(60):
            setattr(self, "attribute_%d" % number, number)
        self.__dict__["more"] = 1


class Text(type(u"")):
    """A string that is not compact."""


def name_object(index):
    name = NAMES[index]
    if index == 6:
        return Text(name)
    if index == 7 and sys.version_info[0] == 3 and hasattr(api, "PyUnicode_FromUnicode"):
        # A string that only has its wchar_t form (up to 3.11), as long as nobody looks at it.
        api.PyUnicode_FromUnicode.restype = ctypes.py_object
        api.PyUnicode_AsUnicode.restype = ctypes.c_void_p
        made = api.PyUnicode_FromUnicode(None, ctypes.c_ssize_t(len(name)))
        buffer = api.PyUnicode_AsUnicode(ctypes.py_object(made))
        ctypes.memmove(buffer, ctypes.create_unicode_buffer(name), 4 * len(name))
        return made
    return name


def crowd_modules():
    # A large sys.modules with holes.
    for number in range(400):
        sys.modules["crowd_%d" % number] = sys
    for number in range(100, 300):
        del sys.modules["crowd_%d" % number]


def blocked_function(name):
    # From text, so that names and files can have any character; 2.7 has ASCII identifiers only.
    if sys.version_info[0] == 2:
        name = "stand"
    source = u"\n" * 5 + u"def %s(fact, known, gate):\n    fact(known)\n\n\n    gate.acquire()\n    gate.release()\n" % name
    scope = {}
    file = u"/tmp/not there/%s.py" % name
    exec(compile(source, str(file), "exec"), scope)
    return scope[str(name)]


def text(value):
    if not isinstance(value, bytes):
        value = value.encode("utf-8")
    return binascii.hexlify(value).decode("ascii") or '""'


def symbol(name):
    print("symbol %s %d" % (name, ctypes.addressof(ctypes.c_char.in_dll(api, name))))


def start():
    names = {_thread.get_ident(): u"MainThread"}
    for index, name in enumerate(NAMES):
        kind = Many if index % 2 else threading.Thread
        thread = kind(target=blocked_function(FUNCTIONS[index]), args=(fact, True, gate))
        # 2.7 would make it a `str`, but a program may have done this:
        setattr(thread, "_Thread__name" if sys.version_info[0] == 2 else "_name", name_object(index))
        thread.daemon = True
        thread.start()
        names[thread.ident] = name
    _thread.start_new_thread(blocked_function(u"unknown"), (fact, False, gate))
    while len(facts) < len(NAMES) + 1:
        pass
    return names


def blocked(ident):
    frame = sys._current_frames().get(ident)
    return frame is not None and frame.f_lineno == 10 and frame.f_code.co_firstlineno == 6


def main():
    crowd_modules()
    names = start()
    while not all(blocked(ident) for _, ident, _, _ in facts):
        pass
    fact(True)
    frames = sys._current_frames()
    main_ident = _thread.get_ident()
    for name in ("PyCode_Type", "_PyRuntime", "Py_Version", "_PyThreadState_Current"):
        try:
            symbol(name)
        except ValueError:
            pass
    print("symbol PyInterpreterState_Head %d" % ctypes.cast(api.PyInterpreterState_Head, ctypes.c_void_p).value)
    for tstate, ident, native, known in facts:
        code = frames[ident].f_code
        line = end_line() + 1 if ident == main_ident else frames[ident].f_lineno
        if ident == main_ident:
            code = end.__code__
        print("thread %d %d %s %d %s %s %s %d %d %d" % (
            tstate, ident, native or "-", ident == main_ident, text(names[ident]) if known else "-",
            text(code.co_name), text(code.co_filename), id(code), code.co_firstlineno, line))
    end()


def end_line():
    return end.__code__.co_firstlineno


def end():
    sys.stdout.write("ready\n"); sys.stdout.flush(); sys.stdin.readline()


main()
