"""The tuners that there are keep the contract of backend.py, and a whole job runs on any that does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import scripted_backend
from backend_contract import BackendContract
from familyseer import operations
from familyseer.backend import Backend, Question
from familyseer.backends import default_backend
from familyseer.errors import RequestError
from familyseer.operations import Operations
from scripted_backend import EXTENTS, Scripted, ScriptedEngine


class TestAnsor(BackendContract):
    @pytest.fixture(scope="class")
    @classmethod
    def backend(cls) -> Backend:
        return default_backend()

    @pytest.fixture(scope="class")
    @classmethod
    def question(cls, backend: Backend) -> Question:
        return Question("mlp", 1, "NHWC", [], backend.parse_target("llvm"))


class TestScripted(BackendContract):
    @pytest.fixture(scope="class")
    @classmethod
    def backend(cls) -> Backend:
        return Scripted()

    @pytest.fixture(scope="class")
    @classmethod
    def question(cls, backend: Backend) -> Question:
        return Question("loops", 1, "NHWC", [], backend.parse_target(scripted_backend.TARGET))


class Job:
    """Asks the operations as an orchestrator does."""

    def __init__(self) -> None:
        self._operations = Operations(Scripted())
        self.events: list[dict[str, Any]] = []

    def ask(self, operation: str, **params: Any) -> dict[str, Any]:
        return self._operations.perform(operation, params, self.events.append, lambda: False)

    def register(self, model_file: str | None = None, schedules: str | None = None) -> None:
        plan = {"name": "loop", "kind": "xgb", "tasks": [0, 1, 2], "warm_up_records": 4, "model_file": model_file}
        search = {"population": 32, "generations": 1, "eps_greedy": 0.05, "use_measured_ratio": 0.2, "seed": 0}
        training = {"mode": "bounded", "device": "cpu"}
        measure: dict[str, Any] = {"devices": {"type": "local"}, "building": {"retime": False}, "timing": {}}
        self.ask("register", cost_models=[plan], schedules=schedules, search=search, training=training, measure=measure)

    def round(self, task: int, programs: int, recipe: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """What was measured."""
        before = len(self.events)
        candidates = self.ask("propose", task=task, programs=programs, recipe=recipe)["candidates"]
        assert self.ask("measure", task=task, candidates=candidates)["measured"] == len(candidates)
        self.ask("review", task=task, against="earlier")
        assert self.ask("learn", task=task)["records"] == len(candidates)
        return self.events[before:]


def recipe(donors: list[int], **programs: int) -> dict[str, Any]:
    counts = {"earlier": 0, "sibling": 0, "descent": 0, "evolution": 0, "random": 0, **programs}
    return {"programs": counts, "donors": donors, "population": 16, "generations": 1, "draft": True}


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> Job:
    monkeypatch.setattr(operations.search, "make_engine", lambda job, measure: ScriptedEngine())
    job = Job()
    described = job.ask("extract", model="loops", batch=1, layout="NHWC", inputs=[], target="scripted", cache=None)
    assert [task["flops"] for task in described["tasks"]] == list(EXTENTS)
    return job


def test_a_job_runs_from_extract_to_save_on_a_tuner_that_is_not_ansor(job: Job, tmp_path: Path) -> None:
    job.register()
    first = job.round(0, 6)
    assert {event["origin"] for event in first} <= {"evolution", "random"}
    fitted = job.round(1, 6, recipe([0], sibling=3, random=3))
    assert {event["origin"] for event in fitted} == {"sibling", "random"}
    job.round(1, 6, recipe([0], descent=2, evolution=4))
    assert 0 <= job.ask("foresee", task=0, siblings=[1])["gains"][0] <= 1
    lines = [event["record"] for event in job.events]
    assert len(set(lines)) == len(lines), "a program was measured twice"
    assert any(event["failure"] == "compile-host" for event in job.events)
    assert job.ask("save", folder=str(tmp_path), add=False)["models"][0]["records"] == len(lines)
    schedules = json.loads((tmp_path / "schedules.json").read_text())
    assert [(task["family"], len(task["programs"])) for task in schedules["tasks"]] == [("loop", 3)] * 2

    # A job on the log goes on from there; one on the models and schedules begins with them.
    log = tmp_path / "log.json"
    log.write_text("\n".join(lines) + "\n")
    resumed = Job()
    resumed.ask("extract", model="loops", batch=1, layout="NHWC", inputs=[], target="scripted", cache=None)
    loaded = resumed.ask("load", log=str(log), to=None, other_targets=False, only=None, **{"from": 0})
    assert loaded["costs"] == [event["cost"] for event in job.events]
    resumed.register()
    assert not {event["record"] for event in resumed.round(0, 6)} & set(lines)
    module = resumed.ask("compile", tuned=True)["module"]
    assert resumed.ask("evaluate", module=module, repeat=2, min_repeat_ms=1)["seconds"][0] < 4
    later = Job()
    later.ask("extract", model="loops", batch=1, layout="NHWC", inputs=[], target="scripted", cache=None)
    later.register(str(tmp_path / "loop.xgb"), str(tmp_path / "schedules.json"))
    assert later.round(2, 2, recipe([], earlier=2))[0]["origin"] == "earlier"


def test_a_job_begins_with_what_another_kept(job: Job, tmp_path: Path) -> None:
    job.register()
    for task in (0, 1):
        job.round(task, 24)
    library = {"folder": str(tmp_path), "made_for": "scripted"}
    assert job.ask("keep", **library, name="a") == {"notices": []}
    wanted = [{"name": "loop", "tasks": [2]}, {"name": "another", "tasks": [0]}]
    later = Job()
    later.ask("extract", model="loops", batch=1, layout="NHWC", inputs=[], target="scripted", cache=None)
    asked = later.ask("recall", **library, families=wanted, jobs=None, schedules=True)
    ran = sum(event["cost"] is not None for event in job.events)
    assert asked == {"families": [{"name": "loop", "schedules": 6, "records": ran, "jobs": ["a"]}], "notices": []}
    later.register()
    measured = later.round(2, 4, recipe([], earlier=3, random=1))
    assert sorted(event["origin"] for event in measured) == ["earlier"] * 3 + ["random"]
    other = Job()
    other.ask("extract", model="loops", batch=1, layout="NHWC", inputs=[], target="scripted", cache=None)
    assert other.ask("recall", **library, families=wanted, jobs=["b"], schedules=True)["families"] == []
    assert other.ask("recall", **library, families=wanted, jobs=None, schedules=False)["families"][0]["schedules"] == 0
    told = job.ask("keep", folder=str(tmp_path / "loop.schedules.json"), made_for="scripted", name="a")["notices"]
    assert told[0].startswith("what was found is not kept for later jobs: ")


def test_schedules_that_the_tuner_cannot_read_are_refused(job: Job, tmp_path: Path) -> None:
    path = tmp_path / "schedules.json"
    path.write_text(json.dumps({"target": "scripted", "tasks": [{"family": "loop", "programs": 1}]}))
    with pytest.raises(RequestError, match="cannot be read as schedules"):
        job.register(schedules=str(path))
