"""gevent at work: greenlets switch stacks in the middle of everything, with its thread pool and a server beside."""
import warnings

warnings.simplefilter("ignore")
import gevent
import gevent.event
import gevent.pool
import gevent.queue
import gevent.server
import gevent.socket
import gevent.threadpool

import handshake

CLIENTS = 40
LINES = 25


def serve(connection, _):
    stream = connection.makefile("rwb")
    for line in stream:
        stream.write(line.upper())
        stream.flush()
    stream.close()
    connection.close()


def client(n):
    connection = gevent.socket.create_connection(server.address)
    stream = connection.makefile("rwb")
    right = 0
    for i in range(LINES):
        stream.write(("line %d of %d\n" % (i, n)).encode("ascii"))
        stream.flush()
        right += stream.readline() == ("LINE %d OF %d\n" % (i, n)).encode("ascii")
        gevent.sleep(0.001 * (n % 5))
    stream.close()
    connection.close()
    return right


handshake.ready()
handshake.wait_line()
served = gevent.pool.Pool()
server = gevent.server.StreamServer(("127.0.0.1", 0), serve, spawn=served)
server.start()
server.address = ("127.0.0.1", server.server_port)
pool = gevent.threadpool.ThreadPool(4)
clients = [gevent.spawn(client, n) for n in range(CLIENTS)]
sums = [pool.spawn(sum, range(20000 + n)) for n in range(50)]
gevent.joinall(clients)
right = sum(c.value for c in clients)
total = sum(s.get() for s in sums)
served.join()
server.stop()
pool.kill()
handshake.say(right=right, total=total)
handshake.wait_line()
