"""A web server of eight threads (waitress) that answers at once; it tells its port and goes at end of file."""
import logging
import os
import threading

import handshake
import waitress


def application(_, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "6")])
    return [b"hello\n"]


logging.getLogger("waitress").setLevel(logging.ERROR)  # not a word of the queue's depth
server = waitress.create_server(application, host="127.0.0.1", port=0, threads=8)
threading.Thread(target=server.run, daemon=True).start()
handshake.ready(port=int(server.effective_port))
handshake.wait_line()
os._exit(0)
