"""A thread that sleeps and wakes 20 times a second, and a main thread that waits: nearly idle."""
import threading
import time

import handshake

asleep = {"stop": False, "naps": 0}


def nap():
    while not asleep["stop"]:
        time.sleep(0.05)
        asleep["naps"] += 1


thread = threading.Thread(target=nap, name="sleeper")
thread.start()
handshake.ready()
handshake.wait_line()
asleep["stop"] = True
thread.join()
handshake.say(naps=asleep["naps"])
handshake.wait_line()
