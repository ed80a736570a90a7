"""Messages to and from the orchestrator over ZeroMQ."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Callable

import zmq
import zmq.utils.monitor

from .protocol import LIMITS

if TYPE_CHECKING:
    from .curve import ClientKeys

_SEND, _END = b"s", b"e"
# How long a closing channel tries to get its last messages out, in milliseconds.
_LINGER = 500
# Of a connection that can be lost: how often to ask whether it is there, when to give up, in milliseconds.
_HEARTBEAT, _SILENCE = 5_000, 30_000
_REFUSED = {
    zmq.Event.HANDSHAKE_FAILED_AUTH: "does not let this worker's key in",
    zmq.Event.HANDSHAKE_FAILED_NO_DETAIL: "ended the handshake: it has other keys than expected, or is none of ours",
    zmq.Event.HANDSHAKE_FAILED_PROTOCOL: "does not speak CURVE: it has no keys, or is none of ours",
    zmq.Event.DISCONNECTED: "is gone, or cannot be reached any more",
}


class Channel:
    """A DEALER socket that a thread of its own serves; `send` may be called from any thread."""

    def __init__(
        self,
        endpoint: str,
        deliver: Callable[[bytes], None],
        keys: ClientKeys | None = None,
        lost: Callable[[str], None] | None = None,
    ) -> None:
        """Connects to `endpoint` (ipc://PATH, or tcp://HOST:PORT with `keys`); `deliver` gets each message.

        Where nothing else tells when the orchestrator is gone, `lost` is told, once, why there is no connection: what
        was on its way may be lost with it, so none is made again. Raises ValueError for tcp without keys.
        """
        if endpoint.startswith("tcp://") and keys is None:
            raise ValueError(f"{endpoint} needs keys: nothing is sent over tcp without.")
        self._endpoint = endpoint
        self._deliver = deliver
        self._keys = keys
        self._lost = lost
        self._context = zmq.Context()
        self._outgoing = self._context.socket(zmq.PUSH)
        self._outgoing.bind("inproc://outgoing")
        # One socket for several threads: the lock is also the memory barrier ZeroMQ asks for.
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._carry, name="familyseer channel", daemon=True)
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

    def _carry(self) -> None:
        """Moves messages between the socket and this process; the only thread to touch the socket."""
        socket = self._context.socket(zmq.DEALER)
        _bound(socket)
        if self._keys:
            self._keys.apply(socket)
        pending = self._context.socket(zmq.PULL)
        pending.connect("inproc://outgoing")
        poller = zmq.Poller()
        monitor = self._watch(socket, poller)
        socket.connect(self._endpoint)
        poller.register(socket, zmq.POLLIN)
        poller.register(pending, zmq.POLLIN)
        ended = False
        while not ended:
            for ready, _ in poller.poll():
                if ready is socket:
                    # A message is all its frames; ours have one.
                    self._deliver(b"".join(socket.recv_multipart()))
                elif ready is monitor:
                    self._notice(zmq.utils.monitor.recv_monitor_message(monitor)["event"])
                else:
                    kind, content = pending.recv_multipart()
                    if kind == _SEND:
                        self._transmit(socket, content)
                    else:
                        ended = True
        if monitor:
            socket.disable_monitor()
        pending.close()
        socket.close(linger=_LINGER)

    def _watch(self, socket: zmq.Socket[bytes], poller: zmq.Poller) -> zmq.Socket[bytes] | None:
        if self._lost is None:
            return None
        socket.heartbeat_ivl = _HEARTBEAT
        socket.heartbeat_timeout = _SILENCE
        socket.sndtimeo = _SILENCE
        events = 0
        for event in _REFUSED:
            events |= event
        monitor = socket.get_monitor_socket(events)
        poller.register(monitor, zmq.POLLIN)
        return monitor

    def _notice(self, event: int) -> None:
        if self._lost:
            self._lost(f"{self._endpoint} {_REFUSED[zmq.Event(event)]}")
            self._lost = None

    def _transmit(self, socket: zmq.Socket[bytes], content: bytes) -> None:
        try:
            socket.send(content)
        except zmq.Again:
            self._notice(zmq.Event.DISCONNECTED)


def _bound(socket: zmq.Socket[bytes]) -> None:
    socket.maxmsgsize = LIMITS["message_bytes"]
    socket.sndhwm = socket.rcvhwm = LIMITS["requests"]
