"""A worker whose programs are made up: all of the real one, but for TVM and what it would do.

`scripted_worker.py NODE PERFORMER ARGUMENTS...`: what it is asked for, PERFORMER answers, which NODE runs
(test/helpers/scripted-performer.ts); ARGUMENTS are those of `familyseer.worker`.
"""

from __future__ import annotations

import importlib.machinery
import itertools
import json
import os
import queue
import subprocess
import sys
import threading
import types
from typing import Any, Callable

from familyseer.wire.main import main

# How soon a measuring that is cancelled notices it.
_CANCEL_SECONDS = 0.05


class Forwarded:
    """In the place of `familyseer.operations.Operations`; knows no operation."""

    beside = frozenset({"measure"})
    tuner = json.loads(os.environ["FAMILYSEER_SCRIPT"]).get("tuner", "ansor")

    def __init__(self, command: list[str]) -> None:
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._numbers = itertools.count()
        self._said: dict[int, queue.Queue[dict[str, Any]]] = {}
        self._lock = threading.Lock()
        threading.Thread(target=self._read, daemon=True).start()

    def perform(
        self,
        operation: str,
        params: dict[str, Any],
        report: Callable[[dict[str, Any]], None],
        cancelled: Callable[[], bool],
    ) -> dict[str, Any]:
        number = next(self._numbers)
        said = self._said[number] = queue.Queue()
        self._ask({"id": number, "operation": operation, "params": params})
        told = False
        while True:
            if cancelled() and not told:
                self._ask({"cancel": number})
                told = True
            try:
                answer = said.get(timeout=_CANCEL_SECONDS)
            except queue.Empty:
                continue
            if "value" in answer:
                return answer["value"]
            if "error" in answer:
                raise RuntimeError(answer["error"])
            report(answer["event"])

    def close(self) -> None:
        self._process.kill()
        self._process.wait()

    def _ask(self, question: dict[str, Any]) -> None:
        with self._lock:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()

    def _read(self) -> None:
        for line in self._process.stdout:
            answer = json.loads(line)
            self._said[answer["id"]].put(answer)
        for said in self._said.values():
            said.put({"error": "the scripted operations ended"})


def _in_place_of_tvm() -> types.ModuleType:
    tvm = types.ModuleType("tvm")
    tvm.__version__ = "0"
    # By which `importlib.util.find_spec` finds it.
    tvm.__spec__ = importlib.machinery.ModuleSpec("tvm", None)
    return tvm


if __name__ == "__main__":
    command = [sys.argv.pop(1) for _ in range(2)]
    # `.../start.py familyseer.worker`, with which the real one is started.
    del sys.argv[1:3]
    sys.modules["tvm"] = _in_place_of_tvm()
    main(lambda: Forwarded(command))
