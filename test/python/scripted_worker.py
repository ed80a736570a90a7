"""A worker whose programs are made up: all of the real one, but for TVM and what it would do.

`scripted_worker.py SCRIPT ARGUMENTS...`: SCRIPT is JSON, `tasks` of the network, `devices` that programs wait on at
once, and `seconds` that each waits; ARGUMENTS are those of `familyseer.worker`. The k-th program of a task always has
the same cost, one that no other program has. Records are of TVM's format.
"""

from __future__ import annotations

import hashlib
import importlib.machinery
import json
import sys
import time
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

SCRIPT: dict[str, Any] = {}
TARGET = "llvm -keys=cpu"
INPUTS = [{"name": "x", "shape": [1, 8], "dtype": "float32"}]
_HARDWARE = [2, 64, 64, 0, 0, 0, 0, 0]
# Of a tuning of a matrix product; the number of the program stands where its first loop is split.
_STEPS: list[Any] = [
    ["CHW", 2, "local"],
    ["SP", 2, 0, 512, [0, 1, 1], 1],
    ["SP", 2, 4, 512, [8, 8, 1], 1],
    ["SP", 2, 8, 512, [2], 1],
    ["RE", 2, [0, 4, 1, 5, 8, 2, 6, 9, 3, 7]],
    ["FSP", 3, 0, 1, 1],
    ["FSP", 3, 2, 2, 1],
    ["RE", 3, [0, 2, 1, 3]],
    ["CA", 2, 3, 1],
    ["FU", 3, [0, 1]],
    ["AN", 3, 0, 3],
    ["PR", 2, 0, "auto_unroll_max_step$16"],
]


class Operations:
    """In the place of `familyseer.operations.Operations`."""

    beside = frozenset({"measure"})

    def __init__(self) -> None:
        self._devices, self._seconds = SCRIPT["devices"], SCRIPT["seconds"]
        self._keys = [_key(task) for task in range(SCRIPT["tasks"])]
        # The numbers of each task's programs that were proposed, or stand in a log.
        self._seen: list[set[int]] = [set() for _ in self._keys]
        self._candidates: list[tuple[int, int]] = []

    def perform(
        self,
        operation: str,
        params: dict[str, Any],
        report: Callable[[dict[str, Any]], None],
        cancelled: Callable[[], bool],
    ) -> dict[str, Any]:
        if operation == "measure":
            return self.measure(**params, report=report, cancelled=cancelled)
        return getattr(self, operation)(**params)

    def threads(self, asked: int | None) -> dict[str, Any]:
        return {"count": asked or 2, "by": "option" if asked else "cores", "cores": 2, "tvm": 1}

    def target(self, **_: Any) -> dict[str, Any]:
        return {"notices": [], "lack": None}

    def check(self, **_: Any) -> dict[str, Any]:
        return {}

    def extract(self, **_: Any) -> dict[str, Any]:
        tasks = [
            {
                "description": f"matmul {task}",
                "workload_key": key,
                "weight": 1 + task % 3,
                "flops": 1e6 * (1 + task % 7),
                "core_operation": f"operation {task % 10}",
                "similarity_tags": [],
                "words": f"matmul {task}",
            }
            for task, key in enumerate(self._keys)
        ]
        return {"target": TARGET, "from_cache": True, "notices": [], "inputs": INPUTS, "tasks": tasks}

    def bounds(self) -> dict[str, Any]:
        return {"least_costs": None}

    def load(self, log: str, to: int | None, **rest: Any) -> dict[str, Any]:
        # `from` is no name in Python.
        lines = Path(log).read_bytes()[rest["from"] : to].decode().splitlines()
        tasks, costs = [], []
        for record in map(json.loads, lines):
            (key, *_target), (_stages, steps) = record["i"]
            task = self._keys.index(key)
            self._seen[task].add(steps[1][4][0])
            tasks.append(task)
            costs.append(record["r"][0][0])
        return {"tasks": tasks, "costs": costs, "matched": 0, "skipped": []}

    def register(self, **_: Any) -> dict[str, Any]:
        return {"records_taken": 0, "notices": []}

    def propose(self, task: int, programs: int, **_: Any) -> dict[str, Any]:
        seen, number, candidates = self._seen[task], 1, []
        for _program in range(programs):
            while number in seen:
                number += 1
            seen.add(number)
            candidates.append(len(self._candidates))
            self._candidates.append((task, number))
        return {"candidates": candidates, "refusal": None}

    def foresee(self, task: int, siblings: list[int]) -> dict[str, Any]:
        return {"gains": [(sibling % 10) / 10 for sibling in siblings]}

    def prepare(self, **_: Any) -> dict[str, Any]:
        return {}

    def measure(
        self,
        task: int,
        candidates: list[int],
        report: Callable[[dict[str, Any]], None],
        cancelled: Callable[[], bool],
    ) -> dict[str, Any]:
        begun = time.monotonic()
        for done, candidate in enumerate(candidates):
            # As many at once as there are devices.
            left = begun + self._seconds * (done // self._devices + 1) - time.monotonic()
            time.sleep(max(0.0, left))
            if cancelled():
                return {"measured": done, "notices": []}
            report(_measured(self._keys[task], *self._candidates[candidate], f"device {done % self._devices}"))
        return {"measured": len(candidates), "notices": []}

    def review(self, task: int) -> dict[str, Any]:
        return {"accuracy": 0.7}

    def learn(self, task: int) -> dict[str, Any]:
        return {"records": 0}

    def save(self, folder: str, add: bool) -> dict[str, Any]:
        return {"models": []}

    def close(self) -> None:
        pass


def _key(task: int) -> str:
    return json.dumps([hashlib.md5(str(task).encode()).hexdigest(), [512, 512], [512, 512], [512, 512]])


def _measured(key: str, task: int, number: int, device: str) -> dict[str, Any]:
    cost = _cost(task, number)
    steps = [step if index != 1 else [*step[:4], [number, 1, 1], 1] for index, step in enumerate(_STEPS)]
    record = {
        "i": [[key, TARGET, _HARDWARE, "", 0, []], [[], steps]],
        "r": [[cost], 0, 0.5, int(time.time())],
        "v": "v0.6",
    }
    return {
        "type": "measured",
        "record": json.dumps(record),
        "cost": cost,
        "failure": None,
        "message": None,
        "device": device,
        "origin": "evolution",
        "seconds": 0.5,
        "timing_seconds": 0.1,
    }


def _cost(task: int, number: int) -> float:
    drawn = int.from_bytes(hashlib.md5(f"{task} {number}".encode()).digest()[:6], "little") / 2**48
    return 1e-3 * (1 + task % 5) * (0.2 + drawn)


def _in_place_of_tvm() -> Iterator[tuple[str, types.ModuleType]]:
    tvm = types.ModuleType("tvm")
    tvm.__version__ = "0"
    # By which `importlib.util.find_spec` finds it.
    tvm.__spec__ = importlib.machinery.ModuleSpec("tvm", None)
    yield "tvm", tvm
    operations = types.ModuleType("familyseer.operations")
    operations.Operations = Operations
    yield "familyseer.operations", operations


if __name__ == "__main__":
    SCRIPT.update(json.loads(Path(sys.argv.pop(1)).read_text()))
    # `-m familyseer.worker`, with which the real one is started.
    del sys.argv[1:3]
    sys.modules.update(_in_place_of_tvm())
    from familyseer.worker import main

    main()
