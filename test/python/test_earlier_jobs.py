"""What earlier jobs leave to later ones: kept, merged, bounded, and read only where it is what a job left."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from familyseer import cache
from familyseer.backend import Description
from familyseer.learning.cost_model import TaskRecords
from familyseer.search.carried import Carried
from familyseer.search.earlier_jobs import (
    LEAST_RECORDS,
    MOST_RECORDS,
    NEAREST,
    RECORDS_OF_TASK,
    TASKS,
    EarlierJobs,
    nearest,
)
from scripted_backend import Program, Scripted

MADE_FOR = '{"target":"scripted"}'
FAMILY = "nn.conv2d"


@dataclass(frozen=True)
class Model:
    name: str = FAMILY
    records: int = 40

    def learnt(self, task: Task) -> TaskRecords:
        rows = [np.full((2, 3), index + 1, np.float32) for index in range(self.records)]
        return TaskRecords(rows, [1.0 + index for index in reversed(range(self.records))])


@dataclass(frozen=True)
class Task:
    name: str
    flops: float

    def describe(self) -> Description:
        return Description(self.name, "structure", "tiled stage", "", FAMILY, "", self.flops, [])

    def schedule(self, program: Program) -> Program:
        return program


@dataclass
class Search:
    """As much of a task's search as is kept."""

    task: Task
    measured: list[tuple[float, Program]]
    model: Model = field(default_factory=Model)


def search(name: str, flops: float, *costs: float, **model: Any) -> Search:
    return Search(
        Task(name, flops), [(cost, (index, int(1000 * cost))) for index, cost in enumerate(costs)], Model(**model)
    )


def kept(folder: Path, job: str, *searches: Search) -> EarlierJobs:
    earlier = EarlierJobs(folder, MADE_FOR)
    earlier.keep(job, searches, Scripted())
    assert earlier.notices == []
    return earlier


def recall(folder: Path, flops: Sequence[float] = (1e6,), jobs: list[str] | None = None) -> Any:
    wanted = [Task("wanted", each).describe() for each in flops]
    return EarlierJobs(folder, MADE_FOR).recall(FAMILY, wanted, Scripted(), jobs)


def test_the_best_schedules_of_each_task_and_some_of_its_programs_are_there_for_a_later_job(tmp_path: Path) -> None:
    kept(tmp_path, "a", search("one", 1e6, 0.4, 0.1, 0.3, 0.2), search("two", 2e6, 0.5), search("three", 3e6))
    recalled = recall(tmp_path)
    assert [(task.key, task.schedules) for task in recalled.tasks] == [
        ("one", ((1, 100), (3, 200), (2, 300))),
        ("two", ((0, 500),)),
    ]
    assert (recalled.schedules, recalled.programs, recalled.jobs) == (4, 2 * RECORDS_OF_TASK, ["a"])
    assert all(min(each.seconds) == 1.0 for each in recalled.records), "the best is among them"
    assert recall(tmp_path, jobs=["b"]).tasks == []


def test_no_file_holds_anything_to_run_and_none_is_left_half_written(tmp_path: Path) -> None:
    kept(tmp_path, "a", search("one", 1e6, 0.1))
    names = {each.name for each in tmp_path.iterdir()}
    assert names == {"lock", f"{FAMILY}.records.npz", f"{FAMILY}.schedules.json"}
    (tmp_path / f"{cache.UNFINISHED}1").write_text("of a job that was killed")
    kept(tmp_path, "b", search("two", 1e6, 0.1))
    assert not list(tmp_path.glob(f"{cache.UNFINISHED}*"))


def test_a_task_that_is_tuned_again_keeps_the_best_of_both_and_its_job_while_nothing_is_better(tmp_path: Path) -> None:
    kept(tmp_path, "a", search("one", 1e6, 0.3, 0.2, 0.1))
    kept(tmp_path, "b", search("one", 1e6, 0.9))
    assert recall(tmp_path).jobs == ["a"]
    kept(tmp_path, "c", search("one", 1e6, 0.05))
    recalled = recall(tmp_path)
    assert recalled.jobs == ["c"]
    assert [task.schedules for task in recalled.tasks] == [((0, 50), (2, 100), (1, 200))]
    assert recall(tmp_path, jobs=["a"]).tasks == [], "a job that goes on does not meet what was found since"


def test_a_task_is_given_the_schedules_of_its_own_structure_first_then_of_its_tiled_stage() -> None:
    def carried(key: str, structure: str, tiled_stage: str, flops: float = 1e6) -> Carried:
        return Carried(FAMILY, (), structure, tiled_stage, flops, key)

    others = [
        carried("other", "other", "other"),
        carried("no tiled stage", "other", ""),
        carried("far", "structure", "tiled stage", 1e9),
        carried("same tiled stage", "other", "tiled stage"),
        carried("same", "structure", "tiled stage"),
    ]
    wanted = Task("wanted", 1e6).describe()
    assert [each.key for each in nearest(wanted, others)] == [
        "same",
        "same tiled stage",
        "other",
        "no tiled stage",
        "far",
    ]


def test_what_is_kept_and_what_is_given_is_bounded(tmp_path: Path) -> None:
    # Each but the last two is as far from the next as any.
    tasks = [search(f"{index}", 4.0**index, 0.1) for index in range(TASKS)]
    kept(tmp_path, "a", *tasks)
    kept(tmp_path, "b", search("again", 1.01 * 4.0 ** (TASKS - 1), 0.1))
    content = json.loads((tmp_path / f"{FAMILY}.schedules.json").read_text())
    keys = [task["key"] for task in content["tasks"]]
    assert keys == [*map(str, range(TASKS - 1)), "again"], "of the two most alike the older goes"
    recalled = recall(tmp_path, [4.0**10])
    assert recalled.tasks[0].key == "10"
    assert len(recalled.tasks) == NEAREST
    of_all = recall(tmp_path, [4.0**index for index in range(TASKS)])
    assert MOST_RECORDS - RECORDS_OF_TASK < of_all.programs <= MOST_RECORDS
    few = tmp_path / "few"
    kept(few, "a", search("one", 1e6, 0.1, records=LEAST_RECORDS - 1))
    assert (recall(few).schedules, recall(few).programs) == (1, 0)


def damaged_schedules(folder: Path) -> None:
    (folder / f"{FAMILY}.schedules.json").write_text('{"for": ')


def foreign_schedules(folder: Path) -> None:
    file = folder / f"{FAMILY}.schedules.json"
    file.write_text(file.read_text().replace('\\"scripted\\"', '\\"another\\"'))


def schedules_of_no_tuner(folder: Path) -> None:
    file = folder / f"{FAMILY}.schedules.json"
    file.write_text(file.read_text().replace("programs", "tasks"))


def deep_schedules(folder: Path) -> None:
    (folder / f"{FAMILY}.schedules.json").write_text("[" * 100_000)


def writable_schedules(folder: Path) -> None:
    (folder / f"{FAMILY}.schedules.json").chmod(0o666)


@pytest.mark.parametrize(
    "damage", [damaged_schedules, foreign_schedules, schedules_of_no_tuner, deep_schedules, writable_schedules]
)
def test_schedules_that_no_job_left_there_are_told_of_and_left_out(tmp_path: Path, damage: Any) -> None:
    kept(tmp_path, "a", search("one", 1e6, 0.1))
    damage(tmp_path)
    earlier = EarlierJobs(tmp_path, MADE_FOR)
    assert earlier.recall(FAMILY, [Task("x", 1e6).describe()], Scripted()).tasks == []
    assert len(earlier.notices) == 1
    assert earlier.notices[0].startswith(f"{tmp_path / FAMILY}.schedules.json is left out: ")
    EarlierJobs(tmp_path, MADE_FOR).keep("b", [search("two", 1e6, 0.1)], Scripted())
    assert [task.key for task in recall(tmp_path).tasks] == ["two"]


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-40])


def one_byte_off(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[content.index(b"features.npy") + 100] ^= 0xFF
    file.write_bytes(bytes(content))


def pickled(file: Path) -> None:
    np.savez(file, keys=np.array([{}], dtype=object))


def of_other_shapes(file: Path) -> None:
    with np.load(file) as arrays:
        changed = {**arrays, "stores": arrays["stores"] + 1}
    np.savez(file, **changed)


def not_finite(file: Path) -> None:
    with np.load(file) as arrays:
        changed = {**arrays, "seconds": arrays["seconds"] * np.nan}
    np.savez(file, **changed)


@pytest.mark.parametrize("damage", [cut, one_byte_off, pickled, of_other_shapes, not_finite])
def test_records_that_no_job_left_there_are_told_of_and_left_out(tmp_path: Path, damage: Any) -> None:
    kept(tmp_path, "a", search("one", 1e6, 0.1))
    file = tmp_path / f"{FAMILY}.records.npz"
    damage(file)
    earlier = EarlierJobs(tmp_path, MADE_FOR)
    recalled = earlier.recall(FAMILY, [Task("x", 1e6).describe()], Scripted())
    assert (recalled.schedules, recalled.programs) == (1, 0)
    assert [each.split(" is left out: ")[0] for each in earlier.notices] == [str(file)]


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept(tmp_path, "a", search("one", 1e6, 0.1))

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", full)
        with pytest.raises(OSError, match="No space"):
            EarlierJobs(tmp_path, MADE_FOR).keep("b", [search("two", 1e6, 0.1)], Scripted())
    assert [task.key for task in recall(tmp_path).tasks] == ["one"]
    assert not list(tmp_path.glob(f"{cache.UNFINISHED}*"))


def keep_some(folder: str, job: int) -> None:
    for task in range(4):
        kept(Path(folder), f"job {job}", search(f"{job}.{task}", 2.0 ** (4 * job + task), 0.1))


def test_of_jobs_that_end_at_once_none_loses_what_another_found(tmp_path: Path) -> None:
    jobs = [
        multiprocessing.get_context("fork").Process(target=keep_some, args=(str(tmp_path), job)) for job in range(6)
    ]
    for each in jobs:
        each.start()
    for each in jobs:
        each.join()
    assert [each.exitcode for each in jobs] == [0] * 6
    content = json.loads((tmp_path / f"{FAMILY}.schedules.json").read_text())
    assert sorted(task["key"] for task in content["tasks"]) == sorted(
        f"{job}.{task}" for job in range(6) for task in range(4)
    )
    assert recall(tmp_path).programs == NEAREST * RECORDS_OF_TASK
