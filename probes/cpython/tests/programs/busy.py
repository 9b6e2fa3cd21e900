# A process that runs Python code without pause in many short functions, some of them made and thrown away.
# Runs on CPython 2.7 and 3.6+. Ends when its standard input does.
import ctypes
import sys
import threading

api = ctypes.pythonapi
api.PyThreadState_Get.restype = ctypes.c_void_p


def short(value):
    return value + 1


def generator(count):
    for number in range(count):
        yield number


def deep(level):
    return deep(level - 1) if level else sum(generator(3))


class Thing(object):
    def method(self):
        return [short(number) for number in range(3)]


def thrown_away(number):
    scope = {}
    exec(compile("def made():\n    return %d\nmade()\n" % number, "made.py", "exec"), scope)


def worker(started):
    started.append(api.PyThreadState_Get())
    number = 0
    thing = Thing()
    while True:
        number = short(number)
        deep(number % 20)
        thing.method()
        thrown_away(number)


def churn():
    # Threads come and go, so that the list of thread states is never the same for long.
    while True:
        threads = [threading.Thread(target=short, args=(1,), name="churn") for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


started = []
for target, arguments, name in ((worker, (started,), "busy"), (churn, (), "churner")):
    thread = threading.Thread(target=target, args=arguments, name=name)
    thread.daemon = True
    thread.start()
while not started:
    pass
for name in ("PyCode_Type", "_PyRuntime"):
    try:
        print("symbol %s %d" % (name, ctypes.addressof(ctypes.c_char.in_dll(api, name))))
    except ValueError:
        pass
print("symbol PyInterpreterState_Head %d" % ctypes.cast(api.PyInterpreterState_Head, ctypes.c_void_p).value)
print("thread %d" % started[0])
print("ready")
sys.stdout.flush()
sys.stdin.readline()
