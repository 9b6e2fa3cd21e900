"""Two threads that wake each other through two locks: `pingpong.py [ROUNDS]`, done after "go".

Every round is a way there and a way back. How many GIL acquires that takes depends on who is
faster: this program's truth is the rounds; the exact acquires are a witness's to count.
"""
import sys
import threading

import handshake

rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
ping = threading.Lock()
pong = threading.Lock()
ping.acquire()
pong.acquire()


def answer():
    for _ in range(rounds):
        ping.acquire()
        pong.release()


handshake.ready()
handshake.wait_line()
thread = threading.Thread(target=answer, name="answer")
thread.start()
for _ in range(rounds):
    ping.release()
    pong.acquire()
thread.join()
handshake.say(rounds=rounds)
handshake.wait_line()
