"""The search on MetaSchedule's tasks: what is sampled, evolved, fitted from siblings, and one decision away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import familyseer
import numpy as np
import pytest
import tvm
from familyseer.backend import Effort
from familyseer.errors import RequestError
from familyseer.learning.cost_model import TrainingSettings
from familyseer.measuring.engine import Engine, EngineSettings
from familyseer.measuring.run import Timing
from familyseer.metaschedule.cost_model import CostModel, positive
from familyseer.metaschedule.programs import preload
from familyseer.metaschedule.target import parse_target
from familyseer.metaschedule.task import MetaTask
from familyseer.metaschedule.tasks import ExtractedTask
from familyseer.metaschedule.traces import LOCATION, TILES, check, data_of, decisions_of, parallel_of
from familyseer.search.recipes import ORIGINS, Recipe
from familyseer.search.search import Search
from familyseer.search.task_search import SearchSettings
from tvm import te, topi
from tvm.s_tir import Schedule

TARGET = parse_target("llvm -num-cores=2")
EFFORT = Effort(population=24, generations=1)


def convolution(
    size: int, inputs: int, outputs: int, kernel: int = 1, clipped: bool = False, alone: bool = False
) -> MetaTask:
    """A convolution with bias; with `clipped` it has a block more, `alone` it has not even the bias."""
    data = te.placeholder((1, size, size, inputs), name="data")
    weights = te.placeholder((kernel, kernel, inputs, outputs), name="weights")
    bias = te.placeholder((1, 1, 1, outputs), name="bias")
    convolved = topi.nn.conv2d_nhwc(data, weights, 1, kernel // 2, 1)
    if alone:
        return task_of([data, weights, convolved])
    made = topi.add(convolved, bias)
    result = topi.clip(made, 0.0, 6.0) if clipped else made
    return task_of([data, weights, bias, result])


def softmax(rows: int, columns: int) -> MetaTask:
    data = te.placeholder((rows, columns), name="data")
    return task_of([data, topi.nn.softmax(data)])


def task_of(tensors: list[te.Tensor]) -> MetaTask:
    function = te.create_prim_func(tensors).with_attr("global_symbol", "main")
    return MetaTask(0, ExtractedTask("task", tvm.IRModule({"main": function})), TARGET)


def model_of(mode: str = "bounded", kind: str = "xgb", seed: int = 0) -> CostModel:
    return CostModel("family", kind, [0, 1], 8, seed, TrainingSettings(mode, "cpu"))


def sampled(task: MetaTask, seed: int = 0) -> list[Schedule]:
    return task.explorer(model_of(), seed).sample(EFFORT)


class Measured:
    """A record as far as models read it."""

    def __init__(self, task: MetaTask, program: Schedule, cost: float | None) -> None:
        self.of, self.program, self.cost = task, program, cost
        self.task = task.number


def records_of(task: MetaTask, programs: list[Schedule]) -> list[Measured]:
    """As fast as the draft takes them to be, but for one that failed."""
    costs = [float(-score) for score in task.draft(programs)]
    return [Measured(task, program, cost if i else None) for i, (program, cost) in enumerate(zip(programs, costs))]


@pytest.fixture(scope="module")
def donor() -> MetaTask:
    return convolution(14, 32, 64)


@pytest.fixture(scope="module")
def programs(donor: MetaTask) -> list[Schedule]:
    return sampled(donor)


def keys(task: MetaTask, programs: list[Schedule]) -> list[str]:
    return [task.key(each) for each in programs]


def products(program: Schedule) -> list[int]:
    """Of each tiling of a program the extent that it tiles."""
    data = data_of(program.trace)
    return [int(np.prod(d)) for place, d in decisions_of(data).items() if data[0][place][0] in TILES]


def decided(program: Schedule) -> dict[int, object]:
    """What was decided, and how many iterations run in parallel."""
    data = data_of(program.trace)
    parallel = {place: parallel_of(each) for place, each in enumerate(data[0])}
    body = next(place for place, each in enumerate(data[0]) if each[0] == "EnterPostproc")
    decisions = {**parallel, **decisions_of(data)}
    return {place: decision for place, decision in decisions.items() if place < body and decision is not None}


def differing(one: Schedule, other: Schedule) -> int:
    """In how many decisions programs of a task differ; more than any where their instructions do."""
    first, second = decided(one), decided(other)
    return sum(first[place] != second[place] for place in first) if first.keys() == second.keys() else 1000


# ---- sampling and evolution ----


def test_equal_seeds_sample_and_evolve_equal_programs_and_others_do_not(donor: MetaTask) -> None:
    def found(seed: int) -> list[str]:
        explorer = donor.explorer(model_of(), seed)
        population = explorer.sample(EFFORT)
        return keys(donor, [*population, *explorer.evolve(EFFORT, population, 8)])

    assert found(1) == found(1)
    assert not set(found(1)) & set(found(2))


def test_searches_of_different_efforts_sample_different_programs(donor: MetaTask) -> None:
    explorer = donor.explorer(model_of(), 1)
    first, second = (keys(donor, explorer.sample(Effort(24, generations))) for generations in (1, 0))
    assert not set(first) & set(second)


def test_what_evolved_once_may_evolve_again(donor: MetaTask, programs: list[Schedule]) -> None:
    """It may not have been proposed: TVM's own search would count it as measured."""
    model = model_of()
    model.learn_from(records_of(donor, programs))
    explorer = donor.explorer(model, 1)
    population = explorer.sample(EFFORT)
    first, second = (keys(donor, explorer.evolve(Effort(24, 0), population, 8)) for _ in range(2))
    assert first == second


def test_programs_that_are_known_are_parents_but_do_not_come_back(donor: MetaTask, programs: list[Schedule]) -> None:
    """TVM takes no parents from beyond a population, where who proposes puts them."""
    model = model_of()
    model.learn_from(records_of(donor, programs))
    explorer = donor.explorer(model, 1)
    population = explorer.sample(EFFORT)
    known = donor.neighbours(programs[int(np.argmax(donor.draft(programs)))])[:20]
    evolved = explorer.evolve(EFFORT, [*population, *known], 24)
    assert evolved and not set(keys(donor, evolved)) & set(keys(donor, known))
    # Of the population 4 alone are left.
    apart = [min(differing(program, one) for one in known) for program in evolved]
    assert apart.count(1) > len(evolved) / 3


def test_evolution_finds_what_the_model_takes_to_be_fast(donor: MetaTask, programs: list[Schedule]) -> None:
    model = model_of()
    model.learn_from(records_of(donor, programs))
    explorer = donor.explorer(model, 1)
    population = explorer.sample(EFFORT)
    evolved = explorer.evolve(EFFORT, population, 8)
    scores = model.scores(donor, evolved)
    assert list(scores) == sorted(scores, reverse=True)
    assert scores.mean() > np.median(model.scores(donor, population))


def test_a_key_is_the_same_in_every_process(donor: MetaTask, programs: list[Schedule]) -> None:
    script = "import test_search as t; task = t.convolution(14, 32, 64); print(*t.keys(task, t.sampled(task)[:4]))"
    found = os.pathsep.join(map(str, (Path(__file__).parent, Path(familyseer.__file__).parents[1])))
    environment = {**os.environ, "PYTHONPATH": found}
    said = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert said.stdout.split() == keys(donor, programs[:4]), said.stderr


# ---- siblings' schedules ----


@pytest.mark.parametrize(
    ("recipient", "extents"),
    [
        (convolution(28, 48, 24), [1, 28, 28, 24, 1, 1, 48]),
        (convolution(7, 80, 20, clipped=True), [1, 7, 7, 20, 1, 1, 80]),
        (convolution(15, 16, 10, kernel=3), [1, 15, 15, 10, 3, 3, 16]),
        (convolution(10, 24, 40, alone=True), [1, 10, 10, 40, 1, 1, 24]),
    ],
    ids=["other extents", "a block more", "another kernel", "the tiled block alone"],
)
def test_a_siblings_schedules_become_valid_programs_of_other_extents(
    donor: MetaTask, programs: list[Schedule], recipient: MetaTask, extents: list[int]
) -> None:
    fitted = [recipient.fit(donor.schedule(each)) for each in programs[:8]]
    assert all(fitted), "each program of the sibling fits"
    for program in [each for some in fitted for each in some]:
        assert products(program) == extents
        assert recipient.refusal(program) is None
    again = [recipient.fit(donor.schedule(each)) for each in programs[:3]]
    assert [keys(recipient, each) for each in again] == [keys(recipient, each) for each in fitted[:3]]


@pytest.mark.parametrize("sibling", [{"clipped": True}, {"alone": True}], ids=["a block more", "fewer blocks"])
def test_a_program_with_other_blocks_around_the_tiled_one_fits(donor: MetaTask, sibling: dict[str, bool]) -> None:
    other = convolution(7, 80, 20, **sibling)
    fitted = [donor.fit(other.schedule(each)) for each in sampled(other)[:6]]
    assert len(fitted) == 6 and all(fitted)
    assert all(products(one) == [1, 14, 14, 64, 1, 1, 32] for some in fitted for one in some)


def test_siblings_best_programs_are_near_the_best(donor: MetaTask) -> None:
    """By the draft, the best three of a sibling's programs against as many random ones, a hundred times."""
    recipient = convolution(28, 48, 24)
    many = [each for seed in range(3) for each in sampled(donor, seed)]
    best = [many[place] for place in np.argsort(-donor.draft(many))[:3]]
    fitted = [program for each in best for program in recipient.fit(donor.schedule(each))]
    random = recipient.draft([each for seed in range(3) for each in sampled(recipient, seed)])
    draws = np.random.default_rng(0).choice(random, (100, len(fitted)))
    assert recipient.draft(fitted).max() > np.median(draws.max(1))


def test_tile_sizes_stay_where_they_divide(donor: MetaTask, programs: list[Schedule]) -> None:
    """Every other channel: the innermost tiles are a sibling's own where they can be."""
    recipient = convolution(28, 32, 128)
    for program in programs[:6]:
        theirs, ours = (
            [d for place, d in decisions_of(data).items() if data[0][place][0] in TILES]
            for data in (data_of(program.trace), data_of(recipient.fit(donor.schedule(program))[0].trace))
        )
        assert [each[1:] for each in ours] == [each[1:] for each in theirs]


def test_what_computes_something_else_does_not_fit(donor: MetaTask, programs: list[Schedule]) -> None:
    assert [softmax(16, 64).fit(donor.schedule(each)) for each in programs[:3]] == [[], [], []]
    other = softmax(16, 64)
    assert [donor.fit(other.schedule(each)) for each in sampled(other)[:3]] == [[], [], []]


@pytest.mark.parametrize(
    "damage",
    [
        lambda trace: trace[0][0].append(1),
        lambda trace: trace[1].append([len(trace[0]), 1]),
        lambda trace: trace[1].append([0, [1, 1]]),
        lambda trace: trace[1][0].__setitem__(0, float(trace[1][0][0])),
        lambda trace: trace[0][0][3].append([]),
        lambda trace: trace[1][0].__setitem__(1, [0, "x"]),
        lambda trace: trace.append([]),
    ],
)
def test_a_damaged_trace_is_refused(donor: MetaTask, programs: list[Schedule], damage) -> None:  # noqa: ANN001
    trace = json.loads(json.dumps(donor.schedule(programs[0]).trace))
    check(trace)
    damage(trace)
    with pytest.raises(ValueError):
        check(trace)


@pytest.mark.parametrize("inputs", [[], ["b0", 2**70]])
def test_how_many_loops_run_in_parallel_is_not_taken_over_where_it_cannot_be(
    donor: MetaTask, programs: list[Schedule], inputs: list[object]
) -> None:
    schedule = donor.schedule(programs[0])
    trace = json.loads(json.dumps(schedule.trace))
    (annotation,) = [each for each in trace[0] if parallel_of(each) is not None]
    annotation[1] = inputs
    check(trace)
    assert convolution(28, 48, 24).fit(replace(schedule, trace=trace))


# ---- one decision away ----


@pytest.mark.parametrize("task", [convolution(14, 32, 64), softmax(16, 64)], ids=["convolution", "softmax"])
def test_neighbours_are_valid_and_differ_in_one_decision(task: MetaTask) -> None:
    program = sampled(task)[0]
    around = task.neighbours(program)
    mine = decided(program)
    assert len(around) >= 8
    assert len(set(keys(task, around))) == len(around)
    for neighbour in around:
        theirs = decided(neighbour)
        # TVM puts a place of computation that is none into one that is.
        changed = [place for place in mine if theirs[place] != mine[place]]
        kinds = [data_of(program.trace)[0][place][0] for place in changed]
        assert len([kind for kind in kinds if kind != LOCATION]) <= 1
        assert task.refusal(neighbour) is None


def test_neighbours_move_tiles_unrolling_and_parallel_loops(donor: MetaTask, programs: list[Schedule]) -> None:
    program = programs[0]
    data = data_of(program.trace)
    mine = decided(program)
    moved = {
        data[0][place][0]
        for each in donor.neighbours(program)
        for place, d in decided(each).items()
        if d != mine[place]
    }
    assert moved >= {"SamplePerfectTile", "SampleCategorical", "Annotate"}


# ---- features and models ----


def test_scores_told_to_tvms_search_are_above_0_in_the_same_order() -> None:
    scores = np.array([-np.inf, -3.0, -0.2, 0.0, 0.04, 0.05, 0.06, 0.9])
    told = positive(scores)
    assert (told > 0).all() and (np.diff(told)[1:] > 0).all()
    assert list(told[-3:]) == list(scores[-3:])


def test_equal_seeds_and_records_give_equal_scores(donor: MetaTask, programs: list[Schedule]) -> None:
    first, second = model_of(), model_of()
    for model in (first, second):
        assert not model.trusted
        model.learn_from(records_of(donor, programs))
        assert model.trusted and model.records == len(programs)
    assert (second.scores(donor, programs) == first.scores(donor, programs)).all()


@pytest.mark.parametrize("mode", ["bounded", "reference"])
def test_a_model_learns_the_order_and_a_file_has_it(
    donor: MetaTask, programs: list[Schedule], mode: str, tmp_path: Path
) -> None:
    model = model_of(mode)
    model.learn_from(records_of(donor, programs))
    scores = model.scores(donor, programs)
    assert np.corrcoef(scores[1:], donor.draft(programs)[1:])[0, 1] > 0.5
    assert model.save(tmp_path / "model.xgb")
    later = model_of(mode)
    later.load(str(tmp_path / "model.xgb"))
    assert later.trusted and (later.scores(donor, programs) == scores).all()


def test_a_random_model_has_nothing_to_save(donor: MetaTask, programs: list[Schedule], tmp_path: Path) -> None:
    model = model_of(kind="random")
    model.learn_from(records_of(donor, programs))
    assert not model.trusted and not model.save(tmp_path / "model.xgb")
    assert (model.scores(donor, programs) > 0).all()


def test_reference_training_refuses_a_gpu() -> None:
    with pytest.raises(RequestError, match="CPU only"):
        CostModel("family", "xgb", [0], 8, 0, TrainingSettings("reference", "cuda"))


def test_features_are_counts_by_the_auto_schedulers_names(donor: MetaTask, programs: list[Schedule]) -> None:
    """All that the draft reads of a convolution, counted by hand."""
    from familyseer.learning.store_features import COLUMNS

    for rows in donor.features(programs):
        counts = np.rint(np.exp2(rows.astype(np.float64)) - 1)
        multiplied = counts[:, COLUMNS["float_mul"]].max()
        assert multiplied == 14 * 14 * 64 * 32
        store = int(counts[:, COLUMNS["float_mul"]].argmax())
        assert counts[store, COLUMNS["outer_prod"]] == multiplied
        assert counts[store, COLUMNS["is_gpu"]] == 0
        flags = [
            counts[store, COLUMNS[f"B{buffer}.acc_type.{kind}"]]
            for buffer in range(3)
            for kind in ("kRead", "kReadWrite")
        ]
        assert sum(flags) == 3


def test_proposing_takes_no_longer_than_measuring(donor: MetaTask) -> None:
    """Of a small population, on one core of a busy machine."""
    explorer = donor.explorer(model_of(), 0)
    began = time.process_time()
    explorer.evolve(Effort(64, 1), explorer.sample(Effort(64, 1)), 32)
    assert time.process_time() - began < 5


def decided_as(task: MetaTask, tiles: list[list[int]]) -> Schedule:
    """The program of the task's first design that has these tiles, and is not unrolled."""
    left = iter(tiles)
    decide = {"SampleCategorical": lambda: 0, "SamplePerfectTile": lambda: next(left)}
    program = task.space.made_by(
        task.space.design_traces[0], lambda _place, _schedule, one, _inputs: decide.get(one.kind.name, lambda: None)()
    )
    assert program is not None
    return program


def test_the_draft_knows_vectors_around_a_reduction_that_llvm_unrolls(donor: MetaTask) -> None:
    """Measured: 19 and 62 us."""
    around = [[1, 1, 1, 1], [2, 7, 1, 1], [7, 1, 2, 1], [2, 1, 32, 1], [1, 1], [1, 1]]
    short, long = (decided_as(donor, [*around, reduction]) for reduction in ([8, 4], [1, 32]))
    cycles = -donor.draft([short, long])
    assert 3 * cycles[0] < cycles[1]


# ---- a whole search ----


def test_a_search_measures_what_each_origin_gives_and_learns_of_it() -> None:
    """Two convolutions of a family, measured for real: the first at random, the second beside it, the first again."""
    family = [convolution(14, 32, 64), convolution(28, 16, 48)]
    tasks = [MetaTask(number, task.extracted, TARGET) for number, task in enumerate(family)]
    model = CostModel("family", "xgb", [0, 1], 6, 0, TrainingSettings())
    engine = Engine(EngineSettings(), preload=preload(TARGET.tvm))
    timing = Timing(timeout=20, number=1, repeat=1, min_repeat_ms=2)
    search = Search(tasks, [model], SearchSettings(population=16, generations=1), engine, timing)
    events: list[dict[str, object]] = []

    def round_on(task: int, **origins: int) -> list[str]:
        recipe = Recipe({**dict.fromkeys(ORIGINS, 0), **origins}, [1 - task], 16, 1, draft=True)
        candidates, error = search.propose(task, sum(origins.values()), recipe)
        assert error is None
        events.clear()
        assert search.measure(task, candidates, events.append, lambda: False) == len(candidates)
        search.review(task, "earlier")
        search.learn(task)
        return sorted(str(event["origin"]) for event in events)

    try:
        assert round_on(0, random=6) == ["random"] * 6
        assert round_on(1, sibling=2, random=1) == ["random", "sibling", "sibling"]
        assert model.trusted
        assert round_on(0, sibling=1, descent=2, evolution=3) == [*["descent"] * 2, *["evolution"] * 3, "sibling"]
    finally:
        search.close()
    assert all(event["failure"] is None and event["cost"] for event in events)
    measured = search.searches[0].measured
    assert len({tasks[0].key(program) for _, program in measured}) == len(measured) == 12
