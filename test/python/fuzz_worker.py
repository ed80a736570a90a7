"""The worker's end of the fuzz test (test/fuzz): takes messages, most of them none, and says what came of them.

`fuzz_worker.py` reads frames, each after its length in four bytes, from standard input, and gives them to a session;
`fuzz_worker.py ENDPOINT SESSIONS` serves so many sessions over a socket, one after the other. No TVM is loaded: only
the channel and the session are tested. Prints a summary as JSON.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
import types
from typing import Any, Callable

import psutil
from familyseer.wire.channel import Channel
from familyseer.wire.session import Session

_MIB = 1024 * 1024


class Echo:
    """Does nothing, whatever is asked for; every other operation goes on beside the others."""

    beside = frozenset({"measure"})
    tuner = "none"

    def perform(
        self,
        operation: str,
        params: dict[str, Any],
        report: Callable[[dict[str, Any]], None],
        cancelled: Callable[[], bool],
    ) -> dict[str, Any]:
        return {"operation": operation, "parameters": len(params), "cancelled": cancelled()}

    def close(self) -> None:
        pass


def main(arguments: list[str]) -> None:
    summary = _serve(arguments[0], int(arguments[1])) if arguments else _take_frames()
    print(json.dumps(summary))
    sys.stdout.flush()
    # Threads of requests that go on beside others may still be there.
    os._exit(0)


def _take_frames() -> dict[str, Any]:
    count, refused, slowest = 0, 0, 0.0
    warm = 0.0
    session = Session()
    announced = int.from_bytes(sys.stdin.buffer.read(4), "little")
    while header := sys.stdin.buffer.read(4):
        content = sys.stdin.buffer.read(int.from_bytes(header, "little"))
        begun = time.perf_counter()
        session.deliver(content)
        slowest = max(slowest, time.perf_counter() - begun)
        count += 1
        if session.ended:
            refused += session.refusal is not None
            session = Session()
        if count == announced // 5:
            warm = _resident()
    return {"messages": count, "refused": refused, "slowest": 1000 * slowest, "growth": _resident() - warm}


def _serve(endpoint: str, sessions: int) -> dict[str, Any]:
    sys.modules["tvm"] = types.SimpleNamespace(__version__="0")
    refused, warm = 0, 0.0
    for index in range(sessions):
        session = Session()
        channel = Channel(endpoint, session.deliver)
        session.serve(channel.send, Echo)
        channel.close()
        refused += session.refusal is not None
        if index == sessions // 5:
            warm = _resident()
    return {"messages": 0, "refused": refused, "slowest": 0.0, "growth": _resident() - warm}


def _resident() -> float:
    gc.collect()
    return psutil.Process().memory_info().rss / _MIB


if __name__ == "__main__":
    main(sys.argv[1:])
