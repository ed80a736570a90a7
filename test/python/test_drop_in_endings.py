"""However a tuning ends, in a process of the user's own: the other side ends, nothing is left, the log is whole."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

WITHIN_SECONDS = 5

TUNING = """
import sys
from familyseer import TaskScheduler
from tvm import auto_scheduler
from tvm.testing.auto_scheduler import matmul_auto_scheduler_test

class Rounds(auto_scheduler.task_scheduler.TaskSchedulerCallback):
    def pre_tune(self, scheduler, task_id):
        print("round after", scheduler.ct, flush=True)

tasks = [auto_scheduler.SearchTask(func=matmul_auto_scheduler_test, args=(n, n, n), target="llvm") for n in (64, 128)]
option = auto_scheduler.TuningOptions(
    num_measure_trials=400, num_measures_per_round=3, verbose=0,
    measure_callbacks=[auto_scheduler.RecordToFile(sys.argv[1])],
)
search = {"evolutionary_search_population": 256}
scheduler = TaskScheduler(tasks, callbacks=[Rounds()])
scheduler.tune(option, search_policy="sketch.xgb.family_op", search_policy_params=search)
"""


@pytest.mark.parametrize(
    ("killed", "by", "code", "last_words"),
    [
        ("user", signal.SIGINT, -signal.SIGINT, "KeyboardInterrupt"),
        ("user", signal.SIGTERM, -signal.SIGTERM, ""),
        ("user", signal.SIGKILL, -signal.SIGKILL, ""),
        ("orchestrator", signal.SIGKILL, 1, "tune again with load_log_file"),
    ],
)
def test_nothing_is_left_and_the_log_is_whole(
    tmp_path: Path, killed: str, by: signal.Signals, code: int, last_words: str
) -> None:
    log, temporary, errors = tmp_path / "tuned.log", tmp_path / "tmp", tmp_path / "stderr"
    temporary.mkdir()
    mark = f"FAMILYSEER_TEST_RUN={tmp_path}"
    with errors.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-c", TUNING, str(log)],
            env={**os.environ, "FAMILYSEER_TEST_RUN": str(tmp_path), "TMPDIR": str(temporary)},
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
        assert process.stdout is not None
        for line in process.stdout:
            measured = int(line.rsplit(maxsplit=1)[-1]) if line.startswith("round after") else 0
            if measured >= 6:
                break
        # In the middle of a search, or of measuring.
        time.sleep(0.5)
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
    lines = log.read_text().splitlines()
    assert len(lines) >= measured
    for line in lines:
        assert len(json.loads(line)["r"][0]) > 0


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
