"""What a tuner must do to work behind the operations (backend.py of the package), for any tuner to be held to.

A tuner's own tests subclass `BackendContract` and say which tuner, which network, and what comes of a program:
test_backend_contract.py does so for TVM's auto-scheduler and for a tuner of a page.
"""

from __future__ import annotations

import importlib
import json
import time
from pathlib import Path

import numpy as np
import pytest
from familyseer.backend import Backend, Effort, ModelPlan, Network, Program, Question, Record, Task
from familyseer.errors import RequestError
from familyseer.learning.cost_model import TrainingSettings
from familyseer.measuring.failures import BUILD_TIMEOUT
from familyseer.measuring.program import Measured

EFFORT = Effort(population=16, generations=1)


class BackendContract:
    """Give `backend` and `question`, whose network has two tasks or more of one core operation, with programs."""

    @pytest.fixture(scope="class")
    @classmethod
    def backend(cls) -> Backend:
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def question(cls, backend: Backend) -> Question:
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def network(cls, backend: Backend, question: Question) -> Network:
        return backend.extract(question)

    @pytest.fixture(scope="class")
    @classmethod
    def siblings(cls, network: Network) -> tuple[Task, Task]:
        by_core: dict[str | None, list[Task]] = {}
        for task in network.tasks:
            by_core.setdefault(task.describe().core_operation, []).append(task)
        first, second = next(tasks for core, tasks in by_core.items() if core and len(tasks) > 1)[:2]
        return first, second

    @pytest.fixture(scope="class")
    @classmethod
    def task(cls, siblings: tuple[Task, Task]) -> Task:
        return siblings[0]

    @pytest.fixture(scope="class")
    @classmethod
    def programs(cls, backend: Backend, task: Task) -> list[Program]:
        """Of the first task, as they are proposed, no two of one key."""
        sampled = task.explorer(plain_model(backend, task), 0).sample(EFFORT)
        by_key = {task.key(each): each for each in map(task.finished, sampled)}
        assert len(by_key) >= 4, "too few programs to hold a tuner to anything"
        return list(by_key.values())

    def test_what_builders_need_can_be_imported(self, backend: Backend, question: Question) -> None:
        for module in backend.preload(question.target):
            importlib.import_module(module)

    def test_a_target_that_nobody_knows_is_refused(self, backend: Backend) -> None:
        with pytest.raises(RequestError):
            backend.parse_target("no such target")

    def test_the_same_question_gives_the_same_tasks_in_the_same_order(
        self, backend: Backend, question: Question, network: Network
    ) -> None:
        again = backend.extract(question)
        assert [task.describe() for task in again.tasks] == [task.describe() for task in network.tasks]
        assert [task.number for task in network.tasks] == list(range(len(network.tasks)))
        assert (again.weights, again.inputs) == (network.weights, network.inputs)
        assert len(network.weights) == len(network.tasks) and min(network.weights) >= 1
        keys = [task.describe().workload_key for task in network.tasks]
        assert len(set(keys)) == len(keys)

    def test_a_network_that_there_is_not_is_refused(self, backend: Backend) -> None:
        with pytest.raises(RequestError):
            backend.check_network("no such network", 1, "NHWC")

    def test_a_finished_program_keeps_its_key_and_stays_as_it_is(self, task: Task, programs: list[Program]) -> None:
        assert [task.key(task.finished(each)) for each in programs] == [task.key(each) for each in programs]

    def test_what_evolves_are_at_most_so_many_programs_of_the_task(
        self, backend: Backend, task: Task, programs: list[Program]
    ) -> None:
        evolved = task.explorer(plain_model(backend, task), 0).evolve(EFFORT, programs, 4)
        assert 0 < len(evolved) <= 4
        assert all(isinstance(task.key(task.finished(each)), str) for each in evolved)

    def test_programs_are_lowered_or_the_reason_is_a_line(self, task: Task, programs: list[Program]) -> None:
        refusals = [task.refusal(each) for each in programs]
        assert None in refusals
        assert all(refusal is None or (refusal and "\n" not in refusal) for refusal in refusals)

    def test_features_have_a_row_for_each_store_and_as_many_columns_in_every_task(
        self, backend: Backend, siblings: tuple[Task, Task], programs: list[Program]
    ) -> None:
        first, second = siblings
        others = second.explorer(plain_model(backend, second), 0).sample(EFFORT)
        features = [*first.features(programs), *second.features(others)]
        assert len(features) == len(programs) + len(others)
        assert len({rows.shape[1] for rows in features}) == 1
        assert any(rows.any() for rows in features)

    def test_the_draft_scores_every_program(self, task: Task, programs: list[Program]) -> None:
        scores = task.draft(programs)
        assert scores.shape == (len(programs),)
        assert not np.isnan(scores).any() and np.isfinite(scores).any()

    def test_a_schedule_fits_its_own_task_as_it_is(self, task: Task, programs: list[Program]) -> None:
        for program in programs[:4]:
            assert task.key(task.fit(task.schedule(program))[0]) == task.key(program)

    def test_a_siblings_schedules_become_programs_the_same_each_time(
        self, siblings: tuple[Task, Task], programs: list[Program]
    ) -> None:
        first, second = siblings
        fitted = [[second.key(each) for each in second.fit(first.schedule(program))] for program in programs]
        again = [[second.key(each) for each in second.fit(first.schedule(program))] for program in programs]
        assert fitted == again and any(fitted)

    def test_schedules_survive_a_file(
        self, backend: Backend, siblings: tuple[Task, Task], programs: list[Program]
    ) -> None:
        first, second = siblings
        schedules = [first.schedule(program) for program in programs[:4]]
        read = backend.unpack(json.loads(json.dumps(backend.pack(schedules))))
        before, after = ([[second.key(e) for e in second.fit(s)] for s in each] for each in (schedules, read))
        assert before == after

    @pytest.mark.parametrize("data", [{}, {"programs": 1}, {"stages": [], "programs": "x"}])
    def test_what_are_no_schedules_is_refused(self, backend: Backend, data: dict[str, object]) -> None:
        with pytest.raises(ValueError):
            backend.unpack(data)

    def test_neighbours_are_others_in_the_same_order_each_time(self, task: Task, programs: list[Program]) -> None:
        around = [[task.key(each) for each in task.neighbours(program)] for program in programs[:4]]
        assert all(set(keys) - {task.key(program)} for program, keys in zip(programs, around))
        assert around == [[task.key(each) for each in task.neighbours(program)] for program in programs[:4]]

    def test_a_program_says_what_it_computes_and_for_what(
        self, task: Task, question: Question, programs: list[Program]
    ) -> None:
        measurable = task.measurable(programs[0])
        assert measurable.task == task.describe().workload_key
        assert measurable.target == str(question.target)
        assert measurable.words

    def test_records_survive_the_log_and_nothing_else_is_read(
        self, network: Network, task: Task, programs: list[Program], tmp_path: Path
    ) -> None:
        records = [ran(task, program, 1e-3 * (1 + index)) for index, program in enumerate(programs[:3])]
        records.append(task.record(programs[3], Measured((), BUILD_TIMEOUT, 1.0, time.time(), None, 0.0, 0.0)))
        assert records[-1].cost is None
        log = tmp_path / "database_tuning_record.json"
        named = network.workloads(str(log))
        if named is not None:
            assert len(named.numbers) == len(network.tasks)
            (tmp_path / "database_workload.json").write_text("".join(f"{line}\n" for line in named.lines))
        log.write_text("".join(f"{record.line()}\n" for record in records) + "no record\n")
        part = network.read(str(log), 0, None, False, None)
        assert [task.key(each.program) for each in part.records] == [task.key(each.program) for each in records]
        assert [each.cost for each in part.records] == [each.cost for each in records]
        assert {each.task for each in part.records} == {task.number}
        assert [(each["count"], each["lines"]) for each in part.skipped.described()] == [(1, [5])]
        assert network.read(str(log), 0, None, False, [task.number + 1]).records == []
        assert len(network.read(str(log), 0, len(records[0].line()) + 1, False, None).records) == 1

    def test_a_model_learns_is_saved_and_loaded(
        self, backend: Backend, task: Task, programs: list[Program], tmp_path: Path
    ) -> None:
        model = plain_model(backend, task)
        assert not model.trusted
        assert not model.save(tmp_path / "empty.xgb") and not (tmp_path / "empty.xgb").exists()
        model.learn_from([ran(task, program, 1e-3 * (1 + index)) for index, program in enumerate(programs)])
        assert model.records == len(programs) and model.trusted
        scores = model.scores(task, programs)
        assert scores.shape == (len(programs),)
        assert model.save(tmp_path / "model.xgb")
        later = plain_model(backend, task)
        later.load(str(tmp_path / "model.xgb"))
        assert later.trusted and later.sources == [str(tmp_path / "model.xgb")]
        assert later.scores(task, programs).shape == scores.shape
        begun = plain_model(backend, task)
        begun.begin_with([model.learnt(task)])
        assert begun.trusted and begun.records == 0 and begun.learnt(task).seconds == []
        assert begun.scores(task, programs).shape == scores.shape
        (tmp_path / "torn.xgb").write_text("{")
        with pytest.raises(RequestError):
            later.load(str(tmp_path / "torn.xgb"))


def plain_model(backend: Backend, task: Task):  # noqa: ANN201  A CostModel, as each tuner has its own.
    return backend.cost_model(ModelPlan("family", "xgb", [task.number], 2), 0, TrainingSettings())


def ran(task: Task, program: Program, seconds: float) -> Record:
    """The record of a program that took so many seconds."""
    return task.record(program, Measured((seconds,), None, 1.0, time.time(), "local", 0.0, 0.0))
