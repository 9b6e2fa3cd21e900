"""Three threads that allocate all the time, much of it in C: JSON there and back, seeded."""
import hashlib
import json
import random
import threading

import handshake

ROUNDS = 100
digests = [None] * 3


def storm(me):
    rng = random.Random(me)
    digest = hashlib.sha256()
    for _ in range(ROUNDS):
        data = {str(i): [rng.random() for _ in range(rng.randrange(60))] for i in range(40)}
        text = json.dumps(data, sort_keys=True)
        assert json.loads(text) == data
        digest.update(text.encode("ascii"))
        block = bytearray(rng.randrange(1 << 20))
        del block
    digests[me] = digest.hexdigest()


handshake.ready()
handshake.wait_line()
threads = [threading.Thread(target=storm, args=(i,)) for i in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
handshake.say(digests=digests)
handshake.wait_line()
