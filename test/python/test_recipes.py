"""Where a round's candidates come from, on real programs of convolutions that are alike; their times are made up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from familyseer.ansor.backend import Ansor
from familyseer.ansor.cost_model import CostModel
from familyseer.ansor.records import Record, record_of
from familyseer.ansor.steps import state_of
from familyseer.ansor.task import AnsorTask
from familyseer.backend import Program
from familyseer.errors import RequestError
from familyseer.gpu_limits import GPU_LIMITS
from familyseer.learning.cost_model import TrainingSettings
from familyseer.measuring.run import Timing
from familyseer.search.carried import load_schedules, save_schedules
from familyseer.search.recipes import ORIGINS, Recipe, by_recipe, expected_gain
from familyseer.search.search import Search
from familyseer.search.task_search import Candidate, SearchSettings, TaskSearch
from tvm import auto_scheduler, te, topi
from tvm.auto_scheduler import MeasureInput, MeasureResult

TARGET = "llvm"


@auto_scheduler.register_workload
def means_convolution(size: int, channels: int, filters: int) -> list[te.Tensor]:
    data = te.placeholder((1, size, size, channels), name="p0")
    weight = te.placeholder((1, 1, channels, filters), name="p1")
    return [data, weight, topi.nn.relu(topi.nn.conv2d_nhwc(data, weight, 1, 0, 1))]


@auto_scheduler.register_workload
def means_digits() -> list[te.Tensor]:
    """Axes whose names end in digits: TVM's rewrite of the weights' layout fails on them."""
    a, b = te.placeholder((16, 16), name="a"), te.placeholder((16, 16), name="b")
    k = te.reduce_axis((0, 16), name="k")
    attrs = {"layout_free_placeholders": [b]}
    return [a, b, te.compute((16, 16), lambda i0, i1: te.sum(a[i0, k] * b[i1, k], axis=k), name="c", attrs=attrs)]


@auto_scheduler.register_workload
def means_dense(depth: int, units: int) -> list[te.Tensor]:
    data, weight = te.placeholder((1, depth), name="p0"), te.placeholder((units, depth), name="p1")
    return [data, weight, topi.nn.relu(topi.nn.dense(data, weight))]


def searches(carried: list | None = None) -> list[TaskSearch]:
    """The searches on two convolutions of a family."""
    model = CostModel("nn.conv2d", "xgb", [0, 1], 8, 0, TrainingSettings())
    tasks = [auto_scheduler.SearchTask(means_convolution, args, target=TARGET) for args in [(14, 32, 64), (28, 16, 96)]]
    return [
        TaskSearch(AnsorTask(number, task), model, SearchSettings(), carried or []) for number, task in enumerate(tasks)
    ]


def recipe(donors: list[int] | None = None, **programs: int) -> Recipe:
    return Recipe({**dict.fromkeys(ORIGINS, 0), **programs}, donors or [], 32, 1, draft=True)


def measure(search: TaskSearch, candidates: list[Candidate]) -> None:
    """As if every program had run, the first the fastest; the model learns of it."""
    costs = [1e-3 * (1 + index) for index in range(len(candidates))]
    search.measured += [(cost, candidate.program) for cost, candidate in zip(costs, candidates)]
    search.model.learn_from([ran(search, candidate.program, cost) for cost, candidate in zip(costs, candidates)])


def ran(search: TaskSearch, program: Program, cost: float) -> Record:
    """The record of a program that took so many seconds."""
    one = MeasureInput(search.task.search_task, program)
    return record_of(search.task.number, one, MeasureResult([cost], 0, "", 0.0, 0.0))


def origins(candidates: list[Candidate]) -> dict[str, int]:
    counts = dict.fromkeys(ORIGINS, 0)
    for candidate in candidates:
        counts[candidate.origin] += 1
    return counts


@pytest.fixture
def looked_at() -> list[TaskSearch]:
    both = searches()
    measure(both[0], by_recipe(both[0], [], recipe(random=16), 16))
    return both


def test_a_recipe_gives_the_programs_it_asks_for_and_none_twice(looked_at: list[TaskSearch]) -> None:
    first, second = looked_at
    candidates = by_recipe(second, [first], recipe([0], sibling=3, random=1), 4)
    assert origins(candidates) == {"earlier": 0, "sibling": 3, "descent": 0, "evolution": 0, "random": 1}
    measure(second, candidates)
    candidates += by_recipe(second, [first], recipe([0], sibling=2, descent=4, evolution=4), 10)
    assert origins(candidates)["descent"] >= 4
    assert len({str(candidate.program) for candidate in candidates}) == 14


def test_candidates_build_and_have_the_extents_of_their_own_task(looked_at: list[TaskSearch]) -> None:
    first, second = looked_at
    candidates = by_recipe(second, [first], recipe([0], sibling=4), 4)
    assert candidates
    for candidate in candidates:
        schedule, tensors = second.task.search_task.compute_dag.apply_steps_from_state(candidate.program)
        assert tuple(tensors[-1].shape) == (1, 28, 28, 96)
        assert schedule is not None


def test_what_an_origin_lacks_the_others_give_and_siblings_alone_give_fewer(looked_at: list[TaskSearch]) -> None:
    first, second = looked_at
    assert by_recipe(second, [], recipe(sibling=4), 4) == []
    candidates = by_recipe(second, [], recipe(sibling=3, random=1), 4)
    assert origins(candidates) == {"earlier": 0, "sibling": 0, "descent": 0, "evolution": 0, "random": 4}
    # The candidates of a round that was begun ahead count.
    assert len(by_recipe(first, [], recipe(descent=8), 3)) == 3


def test_a_round_that_falls_short_samples_at_random_once() -> None:
    search = searches()[0]
    efforts, sample = [], search.explorer.sample
    search.explorer.sample = lambda effort: efforts.append(effort) or sample(effort)
    assert len(by_recipe(search, [], recipe(random=1, evolution=1), 4)) == 4
    assert [effort.generations for effort in efforts] == [1, 0]
    assert len(by_recipe(search, [], recipe(evolution=1), 4)) == 4
    assert [effort.generations for effort in efforts[2:]] == [1, 0]


def test_a_model_expects_something_of_a_siblings_schedules_only_if_it_has_learnt(looked_at: list[TaskSearch]) -> None:
    first, second = looked_at
    assert expected_gain(second, first) == 0, "the sibling has no program to compare with"
    measure(second, by_recipe(second, [], recipe(random=2), 2))
    assert 0 <= expected_gain(second, first) <= 1
    untaught = searches()
    assert expected_gain(untaught[1], untaught[0]) == 0


def test_schedules_of_an_earlier_job_are_fitted_and_only_those_of_its_target(
    looked_at: list[TaskSearch], tmp_path: Path
) -> None:
    path = tmp_path / "schedules.json"
    save_schedules(path, TARGET, looked_at, Ansor())
    assert load_schedules(path, "cuda", Ansor()) == []
    carried = load_schedules(path, TARGET, Ansor())
    assert [(each.family, len(each.schedules)) for each in carried] == [("nn.conv2d", 3)]
    later = searches(carried)[1]
    assert origins(by_recipe(later, [], recipe(earlier=3, random=1), 4))["earlier"] == 3


@pytest.mark.parametrize("content", ["", "[]", '{"target": "llvm", "tasks": [{"family": "x"}]}'])
def test_a_file_that_holds_no_schedules_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "schedules.json"
    path.write_text(content)
    with pytest.raises(RequestError, match="cannot be read as schedules"):
        load_schedules(path, TARGET, Ansor())


def test_an_earlier_jobs_model_that_foresees_nothing_is_left(looked_at: list[TaskSearch], tmp_path: Path) -> None:
    looked_at[0].model.save(tmp_path / "model.xgb")
    later = searches()
    model = later[0].model
    model.load(str(tmp_path / "model.xgb"))
    programs = [candidate.program for candidate in by_recipe(later[0], [], recipe(random=8), 8)]
    before = model.scores(later[0].task, programs)
    model.doubt()
    model.learn_from([ran(later[0], each, 1e-3 * (1 + score)) for each, score in zip(programs, before)])
    assert model.model.bounded.trained_on == 8
    assert not np.allclose(model.scores(later[0].task, programs), before)


def test_a_round_is_held_against_earlier_programs_of_the_task_or_else_against_itself(
    looked_at: list[TaskSearch],
) -> None:
    first, second = looked_at
    search = Search([first.task, second.task], [first.model], SearchSettings(), engine=None, timing=Timing())
    ours = search.searches[0]
    programs = [program for _, program in first.measured]
    scores = ours.scores(programs)
    assert len({*scores}) > 4, "the model tells programs apart"
    slowest_first = [programs[index] for index in np.argsort(scores)]

    def review(programs: list[Program], costs: list[float], against: str) -> tuple[float | None, str]:
        for program, cost in zip(programs, costs):
            ours.to_review.append(ran(ours, program, cost))
            ours.measured.append((cost, program))
        return search.review(0, against)

    # Among themselves the new ones are in the opposite of the model's order, but each is between the same earlier ones.
    accuracy, of = review(slowest_first[:4] + slowest_first[-4:], [8, 7, 6, 5, 4, 3, 2, 1], "earlier")
    assert (of, accuracy) == ("round", pytest.approx(1, abs=0.2))
    accuracy, of = review(slowest_first[4:-4], [4.1 + 0.1 * index for index in range(8)], "earlier")
    assert (of, accuracy) == ("earlier", pytest.approx(1, abs=0.2))
    accuracy, of = review(slowest_first[6:-6], [4.7, 4.8, 4.9, 5.0], "round")
    assert of == "round" and accuracy is not None and accuracy <= 0.5


def test_a_model_that_began_with_earlier_records_is_trusted_and_learns_from_its_own_alone_once_in_doubt(
    looked_at: list[TaskSearch],
) -> None:
    first = looked_at[0]
    learnt = first.model.learnt(first.task)
    assert len(learnt.seconds) == len(learnt.features) == len(first.measured)
    later = searches()
    model = later[0].model
    model.begin_with([])
    assert not model.trusted
    model.begin_with([learnt])
    assert model.trusted
    programs = [candidate.program for candidate in by_recipe(later[0], [], recipe(random=8), 8)]
    records = [ran(later[0], each, 1e-3 * (1 + place)) for place, each in enumerate(programs)]
    model.learn_from(records[:4])
    assert model.model.bounded.trained_on == len(learnt.seconds) + 4
    model.doubt()
    model.learn_from(records[4:])
    assert model.model.bounded.trained_on == 8
    assert len(model.learnt(later[0].task).seconds) == 8


def test_what_tvm_cannot_lower_is_no_candidate_and_the_reason_is_kept() -> None:
    model = CostModel("x", "xgb", [0], 8, 0, TrainingSettings())
    option = auto_scheduler.LayoutRewriteOption.REWRITE_FOR_PRE_TRANSFORMED
    task = auto_scheduler.SearchTask(means_digits, (), target=TARGET, layout_rewrite_option=option)
    search = TaskSearch(AnsorTask(0, task), model, SearchSettings())
    assert by_recipe(search, [], recipe(random=4), 4) == []
    assert "Check failed" in str(search.refusal)


def test_the_reason_of_an_earlier_round_is_not_told_of_one_that_had_none() -> None:
    option = auto_scheduler.LayoutRewriteOption.REWRITE_FOR_PRE_TRANSFORMED
    task = auto_scheduler.SearchTask(means_digits, (), target=TARGET, layout_rewrite_option=option)
    model = CostModel("x", "xgb", [0], 8, 0, TrainingSettings())
    # Nothing is measured here.
    search = Search([AnsorTask(0, task)], [model], SearchSettings(), engine=None, timing=Timing())
    candidates, refusal = search.propose(0, 4, recipe(random=4))
    assert candidates == [] and "Check failed" in str(refusal)
    assert search.propose(0, 4, recipe()) == ([], None)


@pytest.mark.parametrize(("unrolled", "lowers"), [(0, True), (512, False)])
def test_a_reduction_across_threads_that_is_unrolled_is_no_candidate(unrolled: int, lowers: bool) -> None:
    limits = auto_scheduler.HardwareParams(**GPU_LIMITS)
    task = auto_scheduler.SearchTask(means_dense, (128, 64), target="cuda -arch=sm_70", hardware_params=limits)
    # 32 outputs a block, each summed up by its 32 threads; 6 binds a loop to threads, 5 to blocks.
    steps = [["SP", 3, 1, 64, [32], 1], ["AN", 3, 2, 6], ["FSP", 2, 2, 0, 1], ["AN", 2, 3, 6], ["CA", 2, 3, 1]]
    steps += [["FU", 3, [0, 1]], ["AN", 3, 0, 5], ["PR", 2, 0, f"auto_unroll_max_step${unrolled}"]]
    search = TaskSearch(AnsorTask(0, task), CostModel("x", "xgb", [0], 8, 0, TrainingSettings()), SearchSettings())
    taken = search.take([state_of(task, steps)], 1, "sibling", lowered=True)
    assert len(taken) == lowers
    assert (search.refusal is None) == lowers
