# The workload that `gilscope demo` shows: a small service with the usual troubles of one GIL.
#
# Two CPU threads whose load comes and goes, four clients that talk to an echo server over loopback
# in short calls (each one gives the GIL away and has to win it back: a convoy), a thread that parses
# JSON in one long C call, and a main thread with little to do. Runs on Python 2.7 and 3.6 and later.
# Prints "ready" and nothing else; ends when its standard input does, so it never outlives gilscope.
import json
import os
import socket
import sys
import threading
import time

MESSAGE = b"x" * 64
PERIOD_S = 6.0


def start(name, function, *arguments):
    thread = threading.Thread(target=function, name=name, args=arguments)
    thread.daemon = True
    thread.start()


def score(numbers):
    total = 0
    for number in numbers:
        total = (total * 31 + number * number) % 1000003
    return total


def tokenize(text):
    words = {}
    for word in text.split():
        words[word] = words.get(word, 0) + 1
    return words


def busy_part_of_period(work, load, share, offset_s):
    """Works for `share` of each period, so that the picture has hills and valleys."""
    while True:
        phase = (time.time() + offset_s) % PERIOD_S
        if phase < share * PERIOD_S:
            work(load)
        else:
            time.sleep(0.02)


def echo(connection):
    while True:
        data = connection.recv(4096)
        if not data:
            return
        connection.sendall(data)


def serve(listener):
    number = 0
    while True:
        connection, _ = listener.accept()
        number += 1
        start("echo-%d" % number, echo, connection)


def receive(connection, length):
    while length:
        length -= len(connection.recv(length))


def client(port):
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while True:
        for _ in range(20):
            connection.sendall(MESSAGE)
            receive(connection, len(MESSAGE))
        time.sleep(0.01)


def parse_reports(text):
    """One call of C code that keeps the GIL from start to end."""
    while True:
        json.loads(text)
        time.sleep(0.5)


def end_with_stdin():
    while os.read(0, 4096):
        pass
    os._exit(0)


def housekeeping():
    while True:
        score(range(20000))
        time.sleep(0.05)


def main():
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind(("127.0.0.1", 0))
    listener.listen(16)
    start("stdin", end_with_stdin)
    start("server", serve, listener)
    for number in range(1, 5):
        start("client-%d" % number, client, listener.getsockname()[1])
    start("scorer", busy_part_of_period, score, range(2000), 0.7, 0.0)
    start("tokenizer", busy_part_of_period, tokenize, "the quick brown fox jumps " * 200, 0.5, 2.5)
    start("reporter", parse_reports, json.dumps([{"id": n, "values": [n, n * 2.5]} for n in range(20000)]))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    housekeeping()


if __name__ == "__main__":
    main()
