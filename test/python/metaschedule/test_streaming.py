"""Our engine as the builder and the runner of TVM's own scripts, with real programs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
from familyseer.experiments.programs_in_c import linked_from_c
from familyseer.measuring import EngineSettings, Timing
from familyseer.metaschedule import StreamingBuilder, StreamingRunner
from tasks_to_measure import candidates, context, target
from tvm import IRModule
from tvm.s_tir import meta_schedule as ms

QUICK = Timing(timeout=20, number=1, repeat=2, min_repeat_ms=5)


@pytest.fixture(scope="module")
def found() -> list[Any]:
    return candidates(4)


def inputs_of(found: Sequence[Any]) -> list[ms.builder.BuilderInput]:
    return [ms.builder.BuilderInput(each.sch.mod, target().tvm) for each in found]


def run(runner: Any, built: Sequence[Any], found: Sequence[Any]) -> list[ms.runner.RunnerResult]:
    inputs = [ms.runner.RunnerInput(one.artifact_path, "cpu", each.args_info) for one, each in zip(built, found)]
    return [future.result() for future in runner.run(inputs)]


def all_ran(results: Sequence[Any]) -> bool:
    return all(each.error_msg is None and min(map(float, each.run_secs)) > 0 for each in results)


def tuned(folder: Path) -> int:
    """How many records a tuning of TVM's own comes to, of 8 programs."""
    builder = StreamingBuilder()
    database = ms.tune_tasks(
        tasks=[context()],
        task_weights=[1.0],
        work_dir=str(folder),
        max_trials_global=8,
        num_trials_per_iter=4,
        builder=builder,
        runner=StreamingRunner(builder, QUICK),
        cost_model="random",
    )
    return len(database)


def test_tvm_tunes_with_our_builder_and_runner_and_nothing_is_left_when_its_process_ends(tmp_path: Path) -> None:
    script = (
        "import psutil\nfrom pathlib import Path\nfrom test_streaming import tuned\n"
        f"print(tuned(Path({str(tmp_path / 'work')!r})))\n"
        "print(*(each.pid for each in psutil.Process().children(recursive=True)))\n"
    )
    for folder in ("work", "temporary"):
        (tmp_path / folder).mkdir()
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    ended = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": path, "TMPDIR": str(tmp_path / "temporary")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr
    records, pids = ended.stdout.splitlines()[-2:]
    assert records == "8"
    assert len(pids.split()) >= 2
    # Whoever adopted them may not have asked for their ends yet.
    alive = {each.pid for each in psutil.process_iter(["status"]) if each.info["status"] != psutil.STATUS_ZOMBIE}
    assert not alive & set(map(int, pids.split()))
    assert list((tmp_path / "temporary").glob("familyseer-*")) == []


def test_our_builder_builds_for_tvms_runner_and_our_runner_runs_what_another_built(found: list[Any]) -> None:
    builder, runner = StreamingBuilder(), StreamingRunner(timing=QUICK)
    built = builder.build(inputs_of(found[:2]))
    assert all_ran(run(ms.runner.LocalRunner(), built, found))
    assert all_ran(run(runner, built, found))
    assert all(Path(str(each.artifact_path)).is_file() for each in built)
    runner.close()
    builder.close()


def test_what_fails_is_told_as_tvms_builder_and_runner_tell_it(found: list[Any]) -> None:
    builder = StreamingBuilder()
    nothing, good = builder.build([ms.builder.BuilderInput(IRModule({}), target().tvm), *inputs_of(found[:1])])
    assert str(nothing.error_msg).startswith("StreamingBuilder: An exception occurred\n")
    assert good.error_msg is None
    builder.close()

    endless = StreamingBuilder(EngineSettings(build_func=linked_from_c("for (;;);")))
    runner = StreamingRunner(endless, Timing(timeout=1))
    (hung,) = run(runner, endless.build(inputs_of(found[:1])), found)
    assert (hung.run_secs, hung.error_msg) == (None, "StreamingRunner: Timeout, killed after 1 seconds")
    runner.close()


def test_a_runner_is_made_with_a_builder_of_ours_that_has_not_begun(found: list[Any]) -> None:
    with pytest.raises(TypeError, match="Expected a StreamingBuilder"):
        StreamingRunner("local")  # type: ignore[arg-type]
    builder = StreamingBuilder()
    builder.build(inputs_of(found[:1]))
    with pytest.raises(RuntimeError, match="has built already"):
        StreamingRunner(builder)
    builder.close()
