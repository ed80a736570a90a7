"""Messages to and from the orchestrator over ZeroMQ."""

from __future__ import annotations

import threading
from typing import Callable

import zmq

_SEND, _END = b"s", b"e"
# How long a closing channel tries to get its last messages out, in milliseconds.
_LINGER = 500


class Channel:
    """A DEALER socket that a thread of its own serves; `send` may be called from any thread."""

    def __init__(self, endpoint: str, deliver: Callable[[bytes], None]) -> None:
        """Connects to `endpoint` (ipc://PATH or tcp://HOST:PORT); `deliver` gets each message that arrives."""
        self._deliver = deliver
        self._context = zmq.Context()
        self._outgoing = self._context.socket(zmq.PUSH)
        self._outgoing.bind("inproc://outgoing")
        # One socket for several threads: the lock is also the memory barrier ZeroMQ asks for.
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._carry, args=(endpoint,), name="familyseer channel", daemon=True)
        self._thread.start()

    def send(self, content: bytes) -> None:
        """Sends a message; nothing is sent after `close`."""
        with self._lock:
            if not self._outgoing.closed:
                self._outgoing.send_multipart([_SEND, content])

    def close(self) -> None:
        """Gets the last messages out, and ends the thread and the sockets."""
        with self._lock:
            if self._outgoing.closed:
                return
            self._outgoing.send_multipart([_END, b""])
            self._outgoing.close(linger=_LINGER)
        self._thread.join()
        self._context.term()

    def _carry(self, endpoint: str) -> None:
        """Moves messages between the socket and this process; the only thread to touch the socket."""
        socket = self._context.socket(zmq.DEALER)
        socket.connect(endpoint)
        pending = self._context.socket(zmq.PULL)
        pending.connect("inproc://outgoing")
        poller = zmq.Poller()
        poller.register(socket, zmq.POLLIN)
        poller.register(pending, zmq.POLLIN)
        ended = False
        while not ended:
            for ready, _ in poller.poll():
                if ready is socket:
                    self._deliver(socket.recv())
                else:
                    kind, content = pending.recv_multipart()
                    if kind == _SEND:
                        socket.send(content)
                    else:
                        ended = True
        pending.close()
        socket.close(linger=_LINGER)
