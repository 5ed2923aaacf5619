"""Being told to stop: heard whatever the process is doing, and told twice it leaves at once.

Python runs signal handlers on its main thread between two of its own instructions, so a main thread that waits for a disk
inside a transaction hears nothing. The bytes that C code writes at each signal are read by a thread of their own.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from monitor.errors import EXIT_CRASH

STOPS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def insistence(first: Callable[[signal.Signals], None]) -> Iterator[None]:
    """While it lasts, SIGTERM and SIGINT end nothing by themselves: at the first one `first` is called, on a thread of its own,
    the second ends the process (the last transaction is the state). Main thread only.
    """
    reading, writing = socket.socketpair()
    writing.setblocking(False)
    thread = threading.Thread(target=_listen, args=(reading, first), name="insistence", daemon=True)
    thread.start()
    before = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
    previous = {number: signal.signal(number, lambda *_: None) for number in STOPS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(before)
        writing.close()
        thread.join()
        reading.close()


def _listen(reading: socket.socket, first: Callable[[signal.Signals], None]) -> None:
    asked = False
    while heard := reading.recv(64):
        for number in heard:
            if number not in STOPS:
                continue
            if asked:
                os._exit(EXIT_CRASH)
            asked = True
            first(signal.Signals(number))
