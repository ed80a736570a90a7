"""What users of `ms.tune_tasks` rely on with our TaskScheduler: decisions, callbacks, database, errors, installing."""

from __future__ import annotations

import json
import shutil
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest
import tvm
import tvm_ffi
from familyseer.errors import InstallationError
from familyseer.metaschedule import (
    CostModel,
    StreamingBuilder,
    StreamingRunner,
    TaskScheduler,
    install,
    intrinsics,
    uninstall,
)
from scripted_jobs import run
from tvm import te
from tvm.ir.utils import derived_object
from tvm.s_tir import meta_schedule as ms
from tvm.s_tir.meta_schedule.task_scheduler import task_scheduler as tvm_task_scheduler

RECORDED = sorted((Path(__file__).parents[2] / "conformance/metaschedule").glob("*.json"))
TARGET = tvm.target.Target({"kind": "llvm", "num-cores": 2})


def matmul(size: int) -> Any:
    a, b = te.placeholder((size, size), name="A"), te.placeholder((size, size), name="B")
    k = te.reduce_axis((0, size), name="k")
    c = te.compute((size, size), lambda i, j: te.sum(a[i, k] * b[k, j], axis=k), name="matmul")
    return te.create_prim_func([a, b, c])


@pytest.fixture(scope="module")
def contexts() -> list[ms.TuneContext]:
    """Two matmuls, which are a family."""
    intrinsics.load(TARGET)
    search = ms.search_strategy.EvolutionarySearch(population_size=16, genetic_num_iters=1, init_min_unmeasured=4)
    return [
        ms.TuneContext(
            tvm.IRModule({"main": matmul(size)}),
            target=TARGET,
            space_generator="post-order-apply",
            search_strategy=search,
            task_name=f"matmul_{size}",
            rand_state=1,
            num_threads=2,
        ).clone()
        for size in (32, 64)
    ]


Devices = tuple[StreamingBuilder, StreamingRunner]


@pytest.fixture(scope="module")
def devices() -> Iterator[Devices]:
    builder = StreamingBuilder()
    yield builder, StreamingRunner(builder)
    builder.close()


def tune(contexts: list[ms.TuneContext], folder: Path, devices: Devices, **options: Any) -> ms.Database:
    builder, runner = devices
    return ms.tune_tasks(
        tasks=contexts,
        task_weights=[1.0] * len(contexts),
        work_dir=str(folder),
        max_trials_global=options.pop("trials", 12),
        num_trials_per_iter=4,
        builder=builder,
        runner=runner,
        **{"cost_model": "random", **options},
    )


def orchestrators() -> list[str]:
    commands = [" ".join(child.cmdline()) for child in psutil.Process().children(recursive=True)]
    return [command for command in commands if "drop-in" in command]


@pytest.mark.parametrize("file", RECORDED[::4], ids=lambda file: file.stem)
def test_policies_of_two_parts_decide_as_tvms_own_schedulers(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = json.loads(file.read_text())
    assert len(recorded["metaschedule"]["calls"]) > 0

    def ours(scenario: dict[str, Any]) -> TaskScheduler:
        return TaskScheduler(
            "meta.xgb",
            strategy=scenario["strategy"],
            alpha=scenario["alpha"],
            window_size=scenario["window_size"],
            seed=scenario["seed"],
        )

    assert run(recorded["scenario"], ours)["calls"] == recorded["metaschedule"]["calls"]


class Tuned(NamedTuple):
    folder: Path
    database: ms.Database
    scheduler: TaskScheduler
    model: CostModel
    # Of each round: its task, why it was chosen, and how many programs it had.
    rounds: list[tuple[int, str, int]]


@pytest.fixture(scope="module")
def tuned(contexts: list[ms.TuneContext], devices: Devices, tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    rounds: list[tuple[int, str, int]] = []

    @derived_object
    class Watching(ms.measure_callback.PyMeasureCallback):
        def apply(self, scheduler: Any, task: int, candidates: Any, built: Any, ran: Any) -> None:
            assert scheduler.tasks_[task].ctx.task_name == contexts[task].task_name
            rounds.append((task, str(ours.reason), len(candidates)))

    ours = TaskScheduler("meta.xgb.family_op")
    model = CostModel(quick_model)
    callbacks = [*ms.MeasureCallback.create("default"), Watching()]
    folder = tmp_path_factory.mktemp("tuned")
    database = tune(contexts, folder, devices, task_scheduler=ours, cost_model=model, measure_callbacks=callbacks)
    return Tuned(folder, database, ours, model, rounds)


def quick_model() -> ms.CostModel:
    return ms.cost_model.XGBModel(num_warmup_samples=4, early_stopping_rounds=2, verbose_eval=1000)


def test_a_foresee_round_moves_a_sibling_on_after_each_round(tuned: Tuned) -> None:
    assert tuned.scheduler.family_group == {"nn.dense": [0, 1]}
    tasks, reasons, programs = zip(*tuned.rounds)
    assert reasons[:2] == ("warm-up", "warm-up")
    assert reasons[3].startswith("foresee in nn.dense")
    assert programs == (4, 4, 4, 1)
    assert {tasks[2], tasks[3]} == {0, 1}


def test_plain_tvm_reads_the_database_which_has_no_program_twice(tuned: Tuned) -> None:
    records = ms.database.JSONDatabase(work_dir=str(tuned.folder)).get_all_tuning_records()
    programs = {tvm_ffi.structural_hash(record.as_measure_candidate().sch.mod) for record in records}
    assert len(records) == len(programs) == len(tuned.database) == 13


def test_a_family_has_one_model_which_is_saved_and_loaded(tuned: Tuned, tmp_path: Path) -> None:
    assert {family: model.data_size for family, model in tuned.model.models.items()} == {"nn.dense": 13}
    tuned.model.save(str(tmp_path / "models"))
    again = CostModel(quick_model)
    again.load(str(tmp_path / "models"))
    assert {family: model.data_size for family, model in again.models.items()} == {"nn.dense": 13}
    with pytest.raises(Exception, match="has no models of families"):
        again.load(str(tuned.folder / "database_workload.json"))


def test_goes_on_from_a_database_without_measuring_again_what_it_has(
    tuned: Tuned, contexts: list[ms.TuneContext], devices: Devices, tmp_path: Path
) -> None:
    shutil.copytree(tuned.folder, tmp_path, dirs_exist_ok=True)
    # A program for another target says nothing of this one.
    log = tmp_path / "database_tuning_record.json"
    elsewhere = json.loads(log.read_text().splitlines()[0])
    elsewhere[1][2]["num-cores"] = 64
    with log.open("a") as lines:
        lines.write(json.dumps(elsewhere) + "\n")
    model = CostModel(quick_model)
    learnt: list[int] = []

    @derived_object
    class Watching(ms.measure_callback.PyMeasureCallback):
        def apply(self, *_: Any) -> None:
            learnt.append(sum(each.data_size for each in model.models.values()))

    callbacks = [ms.measure_callback.AddToDatabase(), Watching()]
    scheduler = TaskScheduler("meta.xgb.family_op")
    options = {"task_scheduler": scheduler, "cost_model": model, "measure_callbacks": callbacks, "trials": 4}
    tune(contexts, tmp_path, devices, **options)
    records = ms.database.JSONDatabase(work_dir=str(tmp_path)).get_all_tuning_records()
    programs = {tvm_ffi.structural_hash(record.as_measure_candidate().sch.mod) for record in records}
    assert learnt[0] == 13
    assert len(programs) == len(records) - 1 > 13


def test_a_task_with_one_program_alone_ends(tmp_path: Path, devices: Devices) -> None:
    intrinsics.load(TARGET)
    search = ms.search_strategy.ReplayTrace()
    context = ms.TuneContext(
        tvm.IRModule({"main": matmul(16)}),
        target=TARGET,
        space_generator=lambda schedule: None,
        search_strategy=search,
        num_threads=1,
    )
    scheduler = TaskScheduler("meta.xgb.family_op")
    assert len(tune([context], tmp_path, devices, task_scheduler=scheduler)) == 1


def test_nothing_to_measure_is_nothing_to_do(
    contexts: list[ms.TuneContext], tmp_path: Path, devices: Devices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAMILYSEER_NODE", "no-such-node")
    assert len(tune(contexts, tmp_path, devices, trials=0, task_scheduler=TaskScheduler())) == 0


def test_what_cannot_be_tuned_is_refused(contexts: list[ms.TuneContext], tmp_path: Path, devices: Devices) -> None:
    for policy, reason in (("meta.xgb.op", "third part"), ("sketch.xgb", "is the search of Ansor")):
        with pytest.raises(ValueError, match=reason):
            tune(contexts, tmp_path, devices, task_scheduler=TaskScheduler(policy))
    with pytest.raises(ValueError, match="1 trials are too few"):
        tune(contexts, tmp_path, devices, trials=1, task_scheduler=TaskScheduler())
    assert orchestrators() == []


def test_an_exception_in_a_measure_callback_comes_up_with_its_own_traceback(
    contexts: list[ms.TuneContext], tmp_path: Path, devices: Devices
) -> None:
    @derived_object
    class Broken(ms.measure_callback.PyMeasureCallback):
        def apply(self, *_: Any) -> None:
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine") as raised:
        tune(contexts[:1], tmp_path, devices, task_scheduler=TaskScheduler(), measure_callbacks=[Broken()])
    assert "apply" in "".join(traceback.format_tb(raised.value.__traceback__))
    assert orchestrators() == []


def test_says_how_to_get_node(
    contexts: list[ms.TuneContext], tmp_path: Path, devices: Devices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAMILYSEER_NODE", "no-such-node")
    with pytest.raises(InstallationError, match="Install Node 20"):
        tune(contexts, tmp_path, devices, task_scheduler=TaskScheduler())


@pytest.fixture
def installed() -> Iterator[None]:
    install("meta.random.family_op")
    yield
    uninstall()


@pytest.mark.usefixtures("installed")
def test_install_takes_the_place_of_what_code_names_or_makes() -> None:
    made = [
        ms.task_scheduler.TaskScheduler.create("gradient"),
        ms.task_scheduler.create("round-robin"),
        ms.task_scheduler.GradientBased(alpha=0.5, seed=3),
    ]
    assert [type(scheduler) for scheduler in made] == [TaskScheduler] * 3
    assert [scheduler.policy for scheduler in made] == ["meta.random.family_op"] * 3
    assert [scheduler.strategy for scheduler in made] == ["gradient", "round-robin", "gradient"]
    assert (made[2].alpha, made[2].seed) == (0.5, 3)
    install()
    assert ms.task_scheduler.create("gradient").policy == "meta.xgb"
    uninstall()
    tvms = ms.task_scheduler.TaskScheduler.create("gradient")
    assert isinstance(tvms, tvm_task_scheduler.TaskScheduler) and not isinstance(tvms, TaskScheduler)
