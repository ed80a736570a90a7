"""One orchestrator's session with a worker, whatever carries the messages.

Requests are done one at a time on the thread that calls `serve`, but for those that mostly wait for devices; heartbeats
come from a thread of their own, and control messages are taken where they arrive, so neither waits behind a long
request.
"""

from __future__ import annotations

import os
import platform
import queue
import threading
import time
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Protocol

from ..errors import RequestError
from ..interpreter import import_tvm
from .protocol import LIMITS, PROTOCOL_VERSION, ProtocolError, decode, encode

if TYPE_CHECKING:
    from . import messages

HEARTBEAT_SECONDS = 1.0


class Performer(Protocol):
    """Does the operations of the protocol; those named in `beside` go on beside the others. `tuner` names what
    searches (backend.py, `Backend.name`)."""

    beside: frozenset[str]
    tuner: str

    def perform(
        self,
        operation: str,
        params: dict[str, Any],
        report: Callable[[messages.MeasuredEvent], None],
        cancelled: Callable[[], bool],
    ) -> dict[str, Any]: ...

    def close(self) -> None:
        """Ends what it started."""


@dataclass(frozen=True)
class Refusal:
    """Why the orchestrator asks for nothing more."""

    kind: str
    reason: str


class Session:
    """Messages may be delivered before `serve` is called, and from another thread."""

    def __init__(self) -> None:
        self._requests: queue.Queue[messages.Request | None] = queue.Queue()
        # The numbers of the requests that have no answer yet, and of those that are to end early.
        self._open: set[int] = set()
        self._cancelled: set[int] = set()
        self._ended = threading.Event()
        self.refusal: Refusal | None = None

    @property
    def ended(self) -> bool:
        return self._ended.is_set()

    def deliver(self, content: bytes) -> None:
        """Takes a message that arrived; never blocks. Once the session has ended, nothing more is taken."""
        if self.ended:
            return
        try:
            self._take(decode(content))
        except ProtocolError as error:
            self.refusal = Refusal("error", str(error))
            self.end()

    def _take(self, message: messages.ToWorker) -> None:
        if message["type"] == "request":
            self._admit(message["id"])
            self._requests.put(message)
        elif message["type"] == "cancel":
            # An answered request's number comes too where its answer and the cancel met on the way.
            if message["id"] in self._open:
                self._cancelled.add(message["id"])
        elif message["type"] == "refuse":
            self.refusal = Refusal(message["kind"], message["reason"])
            self.end()
        elif message["type"] == "shutdown":
            self.end()

    def _admit(self, number: int) -> None:
        if number in self._open:
            raise ProtocolError(f"a second request {number} before the first was answered")
        if len(self._open) >= LIMITS["requests"]:
            raise ProtocolError(f"more than {LIMITS['requests']} requests at once")
        self._open.add(number)

    def end(self) -> None:
        self._ended.set()
        self._requests.put(None)

    def serve(
        self, send: Callable[[bytes], None], make_performer: Callable[[], Performer], raise_errors: bool = False
    ) -> None:
        """Says hello, then does what is asked until the session ends.

        `send` must be callable from several threads at once. `make_performer` is called once TVM is imported. With
        `raise_errors` the first error is raised here too, after the orchestrator has been told.
        """
        # TVM is imported under heartbeats: it takes seconds, and a silent worker is taken for lost.
        import_tvm()
        import tvm

        self._send = send
        threading.Thread(target=self._beat, name="familyseer heartbeat", daemon=True).start()
        performer = make_performer()
        self._post(
            {
                "type": "hello",
                "protocol": PROTOCOL_VERSION,
                "tvm_version": tvm.__version__,
                "tuner": performer.tuner,
                "python_version": platform.python_version(),
                "pid": os.getpid(),
            }
        )
        while not self.ended:
            request = self._requests.get()
            if request is None:
                continue
            if request["operation"] in performer.beside:
                threading.Thread(target=self._answer, args=(performer, request, False), daemon=True).start()
            else:
                self._answer(performer, request, raise_errors)
        performer.close()

    def _answer(self, performer: Performer, request: messages.Request, raise_errors: bool) -> None:
        number = request["id"]
        begun = time.monotonic()
        raised: Exception | None = None
        try:
            value = performer.perform(
                request["operation"],
                request["params"],
                report=lambda event: self._post({"type": "progress", "id": number, "event": event}),
                cancelled=lambda: number in self._cancelled,
            )
            answer = encode({"type": "result", "id": number, "value": value, "seconds": time.monotonic() - begun})
        except RequestError as error:
            answer = encode({"type": "failure", "id": number, "kind": error.kind, "message": str(error)})
        except Exception as error:
            message = f"{type(error).__name__}: {error}\n{traceback.format_exc()}"
            answer = encode({"type": "failure", "id": number, "kind": "error", "message": message})
            raised = error
        # Before the answer, after which the orchestrator takes it for done.
        self._open.discard(number)
        self._cancelled.discard(number)
        self._send(answer)
        if raised and raise_errors:
            raise raised

    def _beat(self) -> None:
        while not self._ended.wait(HEARTBEAT_SECONDS):
            self._post({"type": "heartbeat"})

    def _post(self, message: messages.FromWorker) -> None:
        self._send(encode(message))
