"""Not a host: in a pid namespace of its own it attaches gilscope to one, kills it, and starts another under
the same pid: `pid_reuse.py GILSCOPE`. Says whether the second was left alone, and how gilscope ended.
"""
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

HOST = "import sys; sys.stdout.write('ready\\n'); sys.stdout.flush(); sys.stdin.read()"


def host():
    child = subprocess.Popen([sys.executable, "-c", HOST], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    child.stdout.readline()
    return child


def same_pid(pid):
    """Another host under this pid, if the kernel gives it to us."""
    for _ in range(50):
        with open("/proc/sys/kernel/ns_last_pid", "w") as last:
            last.write(str(pid - 1))
        child = host()
        if child.pid == pid:
            return child
        child.kill()
        child.wait()
    return None


first = host()
recording = os.path.join(tempfile.mkdtemp(), "r.gilscope")
own = {name: value for name, value in os.environ.items() if not name.startswith("GILSCOPE_")}
gilscope = subprocess.Popen([sys.argv[1], "attach", str(first.pid), "--no-dashboard", "-o", recording],
                            stderr=subprocess.PIPE, env=own)
line = gilscope.stderr.readline()
while b"ttached" not in line:
    assert line, "gilscope ended before it was attached"
    line = gilscope.stderr.readline()
gilscope.send_signal(signal.SIGSTOP)  # so that it learns of the first one's end only when there is a second
first.kill()
first.wait()
second = same_pid(first.pid)
gilscope.send_signal(signal.SIGCONT)
said = gilscope.stderr.read()
code = gilscope.wait()
left_alone = None
if second:
    time.sleep(0.1)
    with open("/proc/%d/maps" % second.pid) as maps:
        left_alone = "gilscope" not in maps.read()
    left_alone = left_alone and second.poll() is None
    second.stdin.close()
    left_alone = left_alone and second.wait() == 0
print(json.dumps({"same_pid": second is not None, "left_alone": left_alone, "gilscope": code,
                  "said": said.decode("utf-8", "replace")}))
