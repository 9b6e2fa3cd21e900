"""Work for CPU-bound test threads: pure Python, bounded, with a count of what was done."""


class Spinner(object):
    """Runs until `stop` is set; `loops` says how far it came."""

    def __init__(self):
        self.stop = False
        self.loops = 0

    def run(self):
        """About a tenth of a millisecond of bytecode at a time."""
        while not self.stop:
            self.loops += burn(1000)


def burn(n):
    """`n` steps of arithmetic; returns `n`."""
    x = 0
    for i in range(n):
        x = (x * 31 + i) & 0xFFFF
    return n
