"""One orchestrator's session with a worker, whatever carries the messages.

Requests are done one at a time on the thread that calls `serve`; heartbeats come from a thread of their own, and
control messages are taken where they arrive, so neither waits behind a long request.
"""

from __future__ import annotations

import os
import platform
import queue
import threading
import time
import traceback
from typing import TYPE_CHECKING, Any, Callable

from .errors import RequestError
from .protocol import PROTOCOL_VERSION, ProtocolError, decode, encode

if TYPE_CHECKING:
    from .operations import Operations

HEARTBEAT_SECONDS = 1.0


class Session:
    """`send` must be callable from several threads at once."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send
        self._requests: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._cancelled: set[int] = set()
        self._ended = threading.Event()
        self.refusal: str | None = None

    def deliver(self, content: bytes) -> None:
        """Takes a message that arrived; never blocks."""
        try:
            message = decode(content)
        except ProtocolError as error:
            self.refusal = str(error)
            self.end()
            return
        kind = message["type"]
        if kind == "request":
            self._requests.put(message)
        elif kind == "cancel":
            self._cancelled.add(message["id"])
        elif kind == "refuse":
            self.refusal = message["reason"]
            self.end()
        elif kind == "shutdown":
            self.end()

    def end(self) -> None:
        self._ended.set()
        self._requests.put(None)

    def serve(self) -> None:
        """Says hello, then does what is asked until the session ends."""
        # TVM is imported under heartbeats: it takes seconds, and a silent worker is taken for lost.
        import tvm

        from .operations import Operations

        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()
        self._post(
            type="hello",
            protocol=PROTOCOL_VERSION,
            tvm_version=tvm.__version__,
            python_version=platform.python_version(),
            pid=os.getpid(),
        )
        operations = Operations()
        while not self._ended.is_set():
            request = self._requests.get()
            if request is not None:
                self._answer(operations, request)

    def _answer(self, operations: Operations, request: dict[str, Any]) -> None:
        number = request["id"]
        begun = time.monotonic()
        try:
            value = operations.perform(
                request["operation"],
                request["params"],
                report=lambda event: self._post(type="progress", id=number, event=event),
                cancelled=lambda: number in self._cancelled,
            )
            self._post(type="result", id=number, value=value, seconds=time.monotonic() - begun)
        except RequestError as error:
            self._post(type="failure", id=number, kind=error.kind, message=str(error))
        except Exception as error:
            message = f"{type(error).__name__}: {error}\n{traceback.format_exc()}"
            self._post(type="failure", id=number, kind="error", message=message)
        finally:
            self._cancelled.discard(number)

    def _beat(self) -> None:
        while not self._ended.wait(HEARTBEAT_SECONDS):
            self._post(type="heartbeat")

    def _post(self, **message: Any) -> None:
        self._send(encode(message))
