"""However a tuning ends, in a process of the user's own: the other side ends, nothing is left, the database whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tvm.s_tir import meta_schedule as ms

WITHIN_SECONDS = 5

TUNING = """
import sys
import tvm
from familyseer.metaschedule import TaskScheduler, intrinsics
from tvm import te
from tvm.ir.utils import derived_object
from tvm.s_tir import meta_schedule as ms

@derived_object
class Rounds(ms.measure_callback.PyMeasureCallback):
    def apply(self, scheduler, task, candidates, built, ran):
        print("measured", len(candidates), flush=True)

target = tvm.target.Target({"kind": "llvm", "num-cores": 2})
intrinsics.load(target)
a, b = te.placeholder((64, 64), name="A"), te.placeholder((64, 64), name="B")
k = te.reduce_axis((0, 64), name="k")
c = te.compute((64, 64), lambda i, j: te.sum(a[i, k] * b[k, j], axis=k), name="matmul")
task = ms.TuneContext(
    tvm.IRModule({"main": te.create_prim_func([a, b, c])}), target=target, space_generator="post-order-apply",
    search_strategy=ms.search_strategy.EvolutionarySearch(
        population_size=16, genetic_num_iters=1, init_min_unmeasured=4
    ),
    num_threads=2,
)
ms.tune_tasks(
    tasks=[task], task_weights=[1.0], work_dir=sys.argv[1], max_trials_global=400, num_trials_per_iter=3,
    builder=ms.builder.LocalBuilder(max_workers=2, initializer=intrinsics.stand_in), cost_model="random",
    measure_callbacks=[*ms.MeasureCallback.create("default"), Rounds()], task_scheduler=TaskScheduler(),
)
"""


@pytest.mark.parametrize(
    ("killed", "by", "code", "last_words"),
    [
        ("user", signal.SIGINT, -signal.SIGINT, "KeyboardInterrupt"),
        ("user", signal.SIGKILL, -signal.SIGKILL, ""),
        ("orchestrator", signal.SIGKILL, 1, "tune again with the same work_dir"),
    ],
)
def test_nothing_is_left_and_the_database_is_whole(
    tmp_path: Path, killed: str, by: signal.Signals, code: int, last_words: str
) -> None:
    folder, temporary, errors = tmp_path / "database", tmp_path / "tmp", tmp_path / "stderr"
    temporary.mkdir()
    folder.mkdir()
    mark = f"FAMILYSEER_TEST_RUN={tmp_path}"
    with errors.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-c", TUNING, str(folder)],
            env={**os.environ, "FAMILYSEER_TEST_RUN": str(tmp_path), "TMPDIR": str(temporary)},
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
        assert process.stdout is not None
        # In the middle of the second round.
        measured = next(int(line.split()[1]) for line in process.stdout if line.startswith("measured"))
        if killed == "user":
            process.send_signal(by)
        else:
            (orchestrator,) = [pid for pid, command in marked(mark).items() if "drop-in/main.js" in command]
            os.kill(orchestrator, by)
        assert process.wait(timeout=WITHIN_SECONDS) == code, errors.read_text()
        process.stdout.close()

    end = time.monotonic() + WITHIN_SECONDS
    while marked(mark) and time.monotonic() < end:
        time.sleep(0.1)
    assert marked(mark) == {}
    assert list(temporary.glob("familyseer-*")) == []
    assert last_words in errors.read_text()
    assert len(ms.database.JSONDatabase(work_dir=str(folder))) >= measured


def marked(variable: str) -> dict[int, str]:
    """The processes that were started with an environment variable, and their commands, by the kernel's account."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if variable.encode() in (folder / "environ").read_bytes().split(b"\0"):
                found[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue
    return found
