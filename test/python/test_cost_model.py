"""The cost model: what it learns, from how much, on which device, and that its file brings it back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xgboost
from familyseer.ansor import features
from familyseer.ansor.cost_model import CostModel, StateModel
from familyseer.ansor.results import FAILED_COST
from familyseer.errors import RequestError
from familyseer.learning import cost_model
from familyseer.learning.cost_model import BoundedModel, TrainingSettings, device_parameters
from tvm import auto_scheduler
from tvm.auto_scheduler import MeasureInput, MeasureResult
from tvm.auto_scheduler.measure import MeasureErrorNo
from tvm.testing.auto_scheduler import matmul_auto_scheduler_test

HAS_CUDA = device_parameters("cuda")[1] is None
SIZES = (64, 128)


class Programs:
    """Real programs of one matmul, with made-up times that depend on their real features."""

    def __init__(self, size: int) -> None:
        self.task = auto_scheduler.SearchTask(matmul_auto_scheduler_test, (size, size, size), target="llvm")
        parameters = {"evolutionary_search_population": 300, "sample_init_min_population": 300}
        policy = auto_scheduler.SketchPolicy(
            self.task, auto_scheduler.RandomModel(), params=parameters, seed=size, verbose=0
        )
        self.states = list(policy.sample_initial_population())
        self.features = features.of_states(self.states, self.task)
        sums = np.array([rows.astype(float).sum(0) for rows in self.features])
        varied = sums[:, sums.std(0) > 0]
        varied = (varied - varied.mean(0)) / varied.std(0)
        weights = np.random.default_rng(0).normal(size=varied.shape[1])
        self.seconds = 1e-3 * np.exp(np.tanh(varied @ weights / 8))

    def records(self, begin: int, end: int) -> tuple[list[MeasureInput], list[MeasureResult]]:
        inputs = [MeasureInput(self.task, state) for state in self.states[begin:end]]
        return inputs, [measured(seconds) for seconds in self.seconds[begin:end]]

    def ranking_accuracy(self, model: auto_scheduler.cost_model.PythonBasedModel, begin: int) -> float:
        """Of the pairs of programs from `begin` on, the share that the model orders as their times do."""
        scores, seconds = model.predict(self.task, self.states[begin:]), self.seconds[begin:]
        first, second = np.triu_indices(len(seconds), 1)
        return float(np.mean((scores[first] > scores[second]) == (seconds[first] < seconds[second])))


def bounded(warm_up_records: int, seed: int = 0) -> StateModel:
    return StateModel(BoundedModel(warm_up_records, seed))


def measured(seconds: float, error: int = 0) -> MeasureResult:
    return MeasureResult([float(seconds)], error, "", 0.0, 0.0)


@pytest.fixture(scope="module")
def programs() -> list[Programs]:
    return [Programs(size) for size in SIZES]


@pytest.fixture
def steady_features(programs: list[Programs], monkeypatch: pytest.MonkeyPatch) -> None:
    """TVM orders buffers of equal size anew in each extraction; here a program has the same features each time."""
    table: dict[int, np.ndarray] = {}
    for each in programs:
        table.update({state.handle.value: rows for state, rows in zip(each.states, each.features)})

    def of_records(inputs: list[MeasureInput], _results: object) -> list[np.ndarray]:
        return [table[one.state.handle.value] for one in inputs]

    monkeypatch.setattr(features, "of_records", of_records)
    monkeypatch.setattr(features, "of_states", lambda states, _task: [table[state.handle.value] for state in states])


def learn(model: object, programs: list[Programs], begin: int, end: int, step: int = 50) -> None:
    for start in range(begin, end, step):
        for each in programs:
            model.update(*each.records(start, min(start + step, end)))


def test_it_ranks_programs_it_has_not_seen_about_as_well_as_tvms_model(programs: list[Programs]) -> None:
    ours, theirs = bounded(100), auto_scheduler.XGBModel(verbose_eval=0)
    learn(ours, programs, 0, 200)
    learn(theirs, programs, 0, 200, step=200)
    for each in programs:
        assert each.ranking_accuracy(ours, 200) > 0.75
        assert each.ranking_accuracy(ours, 200) > each.ranking_accuracy(theirs, 200) - 0.03


@pytest.mark.usefixtures("steady_features")
def test_scores_are_random_until_there_are_more_records_than_the_warm_up(programs: list[Programs]) -> None:
    model = bounded(40)
    model.update(*programs[0].records(0, 40))
    scores = model.predict(programs[0].task, programs[0].states[:50])
    assert ((scores >= 0) & (scores < 1)).all()
    assert (scores != model.predict(programs[0].task, programs[0].states[:50])).all()
    model.update(*programs[0].records(40, 41))
    scores = model.predict(programs[0].task, programs[0].states[:50])
    assert (scores == model.predict(programs[0].task, programs[0].states[:50])).all()


def test_a_program_that_cannot_be_lowered_scores_minus_infinity(
    programs: list[Programs], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = bounded(10)
    model.update(*programs[0].records(0, 50))
    rows = list(programs[0].features[:3])
    # What TVM gives for a program it fails to lower, which no sampled one does here.
    rows[1] = np.zeros((1, rows[0].shape[1]), np.float32)
    monkeypatch.setattr(features, "of_states", lambda _states, _task: rows)
    scores = model.predict(programs[0].task, programs[0].states[:3])
    assert list(np.isneginf(scores)) == [False, True, False]


def test_training_reads_a_bounded_number_of_records_as_they_grow(
    programs: list[Programs], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cost_model, "FOUNDATION_RECORDS", 120)
    monkeypatch.setattr(cost_model, "ROUND_RECORDS", 40)
    model = bounded(10)
    read = []
    for start in range(0, 240, 20):
        model.update(*programs[0].records(start, start + 20))
        read.append(model.bounded.trained_on)
    # All records are read at growing distances, in between the few of a round.
    assert read == [20, 40, 60, 80, 40, 120, 40, 120, 40, 40, 120, 40]


def test_new_records_count_from_the_next_round_on(programs: list[Programs]) -> None:
    fresh = programs[1]
    model = bounded(10)
    model.update(*programs[0].records(0, 250))
    before = fresh.ranking_accuracy(model, 50)
    model.update(*fresh.records(0, 50))
    assert model.bounded.trained_on < 1.25 * 250 + 1
    assert fresh.ranking_accuracy(model, 50) > before


def test_a_better_program_changes_what_its_tasks_throughputs_are_relative_to(programs: list[Programs]) -> None:
    model = bounded(10)
    inputs, results = programs[0].records(0, 250)
    model.update(inputs, results)
    before = np.median(model.predict(programs[0].task, programs[0].states[:250]))
    model.update(inputs[:1], [measured(programs[0].seconds.min() / 4)])
    assert np.median(model.predict(programs[0].task, programs[0].states[:250])) < 0.5 * before


@pytest.mark.usefixtures("steady_features")
def test_failures_are_learnt_nothing_from(programs: list[Programs]) -> None:
    model, without = bounded(10), bounded(10)
    inputs, results = programs[0].records(0, 60)
    failures = [measured(FAILED_COST, MeasureErrorNo.COMPILE_HOST)] * 10
    model.update(inputs, failures + results[10:])
    assert model.bounded.trained_on == 50
    only_failures = bounded(1)
    only_failures.update(inputs[:10], failures)
    assert only_failures.bst is None and len(only_failures.predict(programs[0].task, programs[0].states[:2])) == 2
    without.update(inputs[10:], results[10:])
    states = programs[0].states[60:90]
    assert (model.predict(programs[0].task, states) == without.predict(programs[0].task, states)).all()


@pytest.mark.usefixtures("steady_features")
def test_a_saved_model_scores_the_same_and_is_built_on(programs: list[Programs], tmp_path: Path) -> None:
    task, states = programs[0].task, programs[0].states[200:]
    saved = CostModel("f", "xgb", [0], 100, 0, TrainingSettings())
    assert not saved.save(tmp_path / "f.xgb")
    saved.learn(*programs[0].records(0, 200))
    assert saved.save(tmp_path / "f.xgb")
    loaded = CostModel("f", "xgb", [0], 100, 0, TrainingSettings())
    loaded.load(str(tmp_path / "f.xgb"))
    assert (loaded.model.predict(task, states) == saved.model.predict(task, states)).all()
    loaded.learn(*programs[0].records(200, 210))
    assert programs[0].ranking_accuracy(loaded.model, 210) > 0.75
    (tmp_path / "torn.xgb").write_bytes(b"torn")
    with pytest.raises(RequestError, match=r"torn\.xgb cannot be loaded as the cost model of f"):
        loaded.load(str(tmp_path / "torn.xgb"))


@pytest.mark.usefixtures("steady_features")
def test_equal_seeds_and_records_give_equal_scores(programs: list[Programs]) -> None:
    models = [bounded(100, seed=7) for _ in range(2)]
    task, states = programs[0].task, programs[0].states
    for model in models:
        assert len(model.predict(task, states[:20])) == 20
        learn(model, programs, 0, 100)
    assert (models[0].predict(task, states) == models[1].predict(task, states)).all()


def test_scores_of_stores_sum_up_to_their_programs(programs: list[Programs]) -> None:
    model = bounded(10)
    model.update(*programs[0].records(0, 100))
    packed = list(model.predict_stages(programs[0].task, programs[0].states[:5]))
    scores, rest = packed[:5], packed[5:]
    for score in scores:
        stores = int(rest[0])
        assert stores > 0
        assert np.isclose(sum(rest[1 : 1 + stores]), score)
        rest = rest[1 + stores :]
    assert rest == []


def test_a_search_can_use_it(programs: list[Programs]) -> None:
    model = bounded(10)
    model.update(*programs[0].records(0, 100))
    parameters = {"evolutionary_search_population": 64, "evolutionary_search_num_iters": 1}
    policy = auto_scheduler.SketchPolicy(programs[0].task, model, params=parameters, verbose=0)
    assert len(policy.evolutionary_search(policy.sample_initial_population(), 8)) == 8


def test_reference_training_is_tvms_own_model() -> None:
    reference = CostModel("f", "xgb", [0], 100, 0, TrainingSettings("reference"))
    assert type(reference.model) is auto_scheduler.XGBModel
    with pytest.raises(RequestError, match="Reference training is on the CPU only"):
        CostModel("f", "xgb", [0], 100, 0, TrainingSettings("reference", "cuda"))


@pytest.mark.skipif(HAS_CUDA, reason="this xgboost trains on a GPU here")
def test_where_cuda_cannot_be_had_training_is_on_the_cpu_with_a_notice(programs: list[Programs]) -> None:
    asked = CostModel("f", "xgb", [0], 10, 0, TrainingSettings(device="cuda"))
    assert asked.notice.startswith(f"cost models are trained on the CPU: xgboost {xgboost.__version__}")
    assert "\n" not in asked.notice
    asked.learn(*programs[0].records(0, 50))
    assert np.isfinite(asked.model.predict(programs[0].task, programs[0].states[:5])).all()
    assert CostModel("f", "xgb", [0], 10, 0, TrainingSettings(device="auto")).notice is None


@pytest.mark.skipif(not HAS_CUDA, reason="xgboost has no CUDA here, or there is no GPU")
def test_training_on_a_gpu_ranks_as_well_as_on_the_cpu(programs: list[Programs]) -> None:
    on_cpu, on_gpu = (CostModel("f", "xgb", [0], 10, 0, TrainingSettings(device=name)) for name in ("cpu", "cuda"))
    for model in (on_cpu, on_gpu):
        model.learn(*programs[0].records(0, 200))
    accuracy = programs[0].ranking_accuracy(on_gpu.model, 200)
    assert on_gpu.notice is None and accuracy > programs[0].ranking_accuracy(on_cpu.model, 200) - 0.03
