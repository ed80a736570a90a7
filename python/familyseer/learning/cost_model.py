"""How fast programs will be, learnt from those that were measured, at a cost that stays bounded as records grow.

A program's score is the sum of its stores' scores, and means its throughput relative to the best program of its task
(Ansor, section 5.2; TVM: python/tvm/auto_scheduler/cost_model/xgb_model.py). A tuner brings features: of each program
an array [stores, n], n the same for all, all 0 where it could not be lowered.
"""

from __future__ import annotations

import functools
import json
import math
import multiprocessing
import warnings
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import xgboost
    from numpy.typing import NDArray

    Features = NDArray[np.float32]

# TVM's, but for the bins: 64 in place of 256 rank as well and take half the time.
BOOSTING = {"max_depth": 10, "gamma": 0.001, "min_child_weight": 0, "eta": 0.2, "max_bin": 64}
# Rounds without a smaller error after which boosting ends.
PATIENCE = 50
# The foundation is made anew when the records have grown by a quarter, so that its cost per record does not grow, and
# of so many records at most.
GROWTH = 1.25
FOUNDATION_RECORDS = 20_000
# What a round adds to the foundation: so many trees, learnt from so many records.
ROUND_TREES = 10
ROUND_RECORDS = 2_000
RECORDS_ATTRIBUTE = "familyseer_records"


@dataclass(frozen=True)
class TrainingSettings:
    """How cost models are trained: `bounded` or `reference` (TVM's own XGBModel), and on which device."""

    mode: str = "bounded"
    device: str = "cpu"


@dataclass(frozen=True)
class TaskRecords:
    """Programs of one task to learn from: features, and mean times in seconds [programs]."""

    features: list[Features]
    seconds: list[float]


class BoundedModel:
    """TVM's XGBModel with bounded training: a foundation of trees, and a few trees of each round's own on top of it.

    The foundation is learnt from all records (a seeded sample beyond `FOUNDATION_RECORDS`), and made anew each time
    they have grown by a quarter. In between, a round learns `ROUND_TREES` trees on top of it from `ROUND_RECORDS`
    records, the newest and a seeded sample of the rest; they take the place of the previous round's. When a better
    program changes what a task's throughputs are relative to, both see the new ones.

    Scores are random until there are more records than `warm_up_records`, and -inf for what could not be lowered.
    `trained_on` is how many records the last training read. Equal seeds and features give equal scores.
    """

    def __init__(
        self,
        warm_up_records: int = 100,
        seed: int = 0,
        parameters: dict[str, Any] | None = None,
        threads: int | None = None,
    ) -> None:
        """`parameters` are those of `device_parameters`; `threads` is half the cores if not given, as in TVM."""
        self.warm_up_records = warm_up_records
        self.bst: xgboost.Booster | None = None
        self.trained_on = 0
        self._parameters = {
            **BOOSTING,
            **(parameters or device_parameters("cpu")[0]),
            "nthread": threads or max(1, multiprocessing.cpu_count() // 2),
            "verbosity": 0,
            "seed": seed or 43,
            "disable_default_eval_metric": 1,
        }
        self._seed = seed
        self._random = np.random.default_rng(seed)
        self._foundation: xgboost.Booster | None = None
        self._foundation_records = 0
        # Of each record: features, seconds (inf: failed), and the number of its task.
        self._features: list[Features] = []
        self._costs: list[float] = []
        self._tasks: list[int] = []
        self._task_numbers: dict[Hashable, int] = {}
        # The first of these are of earlier jobs.
        self._begun_with = 0

    def begin_with(self, earlier: Sequence[TaskRecords]) -> None:
        """Learns what earlier jobs measured of tasks, before any record of its own; scores count from then on."""
        if not earlier:
            return
        of = [(("earlier", number), each) for number, each in enumerate(earlier)]
        self.learn(
            [rows for _, each in of for rows in each.features],
            [seconds for _, each in of for seconds in each.seconds],
            [task for task, each in of for _ in each.seconds],
        )
        self._begun_with = len(self._costs)
        self.warm_up_records = -1

    def learnt(self, task: Hashable) -> TaskRecords:
        """Its own records of a task, without those of programs that failed."""
        number = self._task_numbers.get(task)
        chosen = [
            index
            for index in range(self._begun_with, len(self._costs))
            if self._tasks[index] == number and math.isfinite(self._costs[index])
        ]
        return TaskRecords([self._features[index] for index in chosen], [self._costs[index] for index in chosen])

    def learn(self, features: Sequence[Features], seconds: Sequence[float], tasks: Sequence[Hashable]) -> None:
        """Learns from new records [records], along with those of earlier calls: a program's features, its mean time,
        infinite for one that failed, and what task it is of."""
        if not features:
            return
        self._tasks += [self._task_numbers.setdefault(task, len(self._task_numbers)) for task in tasks]
        self._costs += seconds
        self._features += features
        self._train()

    def scores(self, features: Sequence[Features]) -> NDArray[np.float64]:
        """Scores of programs [programs]; higher is faster."""
        return self.scores_of_stores(features)[0]

    def scores_of_stores(self, features: Sequence[Features]) -> tuple[NDArray[np.float64], list[NDArray[np.float64]]]:
        """`scores`, and for each program the scores of its stores that they are the sums of; none while random."""
        if self.bst is None or len(self._costs) <= self.warm_up_records:
            scores = self._random.uniform(0, 1, len(features))
            of_stores = [np.empty(0)] * len(features)
        else:
            of_rows, starts = self._score_rows(features)
            scores = np.add.reduceat(of_rows, starts)
            of_stores = np.split(of_rows, starts[1:])
        scores[[not rows.any() for rows in features]] = -np.inf
        return scores, of_stores

    def save(self, file_name: str) -> None:
        """Writes the trees, and how many records they were learnt from."""
        assert self.bst is not None
        self.bst.set_attr(**{RECORDS_ATTRIBUTE: str(max(len(self._costs), self._foundation_records))})
        self.bst.save_model(file_name)

    def load(self, file_name: str) -> None:
        """Takes the trees of a file as the foundation, until there are more records than they were learnt from."""
        import xgboost

        loaded = xgboost.Booster(self._parameters)
        loaded.load_model(file_name)
        self.bst = self._foundation = loaded
        # TVM's own files do not say; it, too, starts anew with the first records.
        self._foundation_records = int(loaded.attr(RECORDS_ATTRIBUTE) or 0)
        self.warm_up_records = -1

    def forget_loaded(self) -> None:
        """Learns from its own records alone from now on, unless these are as many as what it took over."""
        if self._foundation_records > len(self._costs):
            self._foundation, self._foundation_records = None, 0
        if len(self._costs) >= 2 * self._begun_with:
            return
        self._foundation, self._foundation_records = None, 0
        for each in (self._features, self._costs, self._tasks):
            del each[: self._begun_with]
        self._begun_with = 0

    def _score_rows(self, features: Sequence[Features]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """The scores of the stores of all programs, and where each program's begin."""
        import xgboost

        assert self.bst is not None
        scores = self.bst.predict(xgboost.DMatrix(np.concatenate(features)))
        return scores.astype(np.float64), _starts(features)

    def _train(self) -> None:
        costs = np.array(self._costs)
        # A failure has no throughput: TVM gives it no weight, here it is left out.
        usable = np.flatnonzero(np.isfinite(costs))
        if len(usable) == 0:
            return
        tasks = np.array(self._tasks)
        best = np.full(len(self._task_numbers), np.inf)
        np.minimum.at(best, tasks, costs)
        throughputs = best[tasks] / costs
        if self._foundation is None or len(costs) > GROWTH * self._foundation_records:
            chosen = self._choose(usable, FOUNDATION_RECORDS)
            self._foundation = self.bst = self._boosted(chosen, throughputs)
            self._foundation_records = len(costs)
        else:
            chosen = self._choose(usable, ROUND_RECORDS)
            self.bst = self._boosted(chosen, throughputs, on=self._foundation)
        self.trained_on = len(chosen)

    def _choose(self, usable: NDArray[np.intp], limit: int) -> NDArray[np.intp]:
        """All records if they are few enough, else half of `limit` the newest, half a seeded sample of the rest."""
        if len(usable) <= limit:
            return usable
        newest = limit // 2
        # Not of the generator that warm-up draws from: what is chosen depends on the records alone.
        sample = np.random.default_rng([self._seed, len(self._costs)])
        rest = sample.choice(usable[:-newest], limit - newest, replace=False, shuffle=False)
        return np.concatenate([np.sort(rest), usable[-newest:]])

    def _boosted(
        self, chosen: NDArray[np.intp], throughputs: NDArray[np.float64], on: xgboost.Booster | None = None
    ) -> xgboost.Booster:
        """Trees learnt from the chosen records: as many as help, or `ROUND_TREES` on top of others."""
        import xgboost

        features = [self._features[index] for index in chosen]
        loss = _ProgramLoss(features, throughputs[chosen])
        matrix = xgboost.DMatrix(np.concatenate(features))
        if on is None:
            booster = xgboost.Booster(self._parameters, [matrix])
            while loss.rounds_without_gain < PATIENCE:
                booster.update(matrix, booster.num_boosted_rounds(), loss)
            return booster
        booster = on.copy()
        booster.set_param(self._parameters)
        for _ in range(ROUND_TREES):
            booster.update(matrix, booster.num_boosted_rounds(), loss)
        return booster


class _ProgramLoss:
    """xgboost's objective: half the squared error of programs' summed scores, weighted by throughput."""

    def __init__(self, features: Sequence[Features], throughputs: NDArray[np.float64]) -> None:
        self._stores = np.array([len(rows) for rows in features])
        self._starts = _starts(features)
        self._throughputs = throughputs
        self._hessians = np.repeat(throughputs, self._stores)
        self._least = math.inf
        self.rounds_without_gain = 0

    def __call__(self, scores: NDArray[Any], _matrix: object) -> tuple[NDArray[Any], NDArray[Any]]:
        """Gradients and hessians of the stores' scores [stores of all programs]."""
        errors = np.add.reduceat(scores.reshape(-1), self._starts) - self._throughputs
        error = float(np.average(errors**2, weights=self._stores))
        self.rounds_without_gain = 0 if error < self._least else self.rounds_without_gain + 1
        self._least = min(self._least, error)
        return np.repeat(errors * self._throughputs, self._stores), self._hessians


@functools.cache
def device_parameters(asked: str) -> tuple[dict[str, str], str | None]:
    """xgboost's parameters for `cpu`, `cuda` or `auto`, and a notice where `cuda` was asked for and cannot be had."""
    import xgboost

    on_cpu = {"tree_method": "hist"}
    if asked == "cpu":
        return on_cpu, None
    since_2 = int(xgboost.__version__.split(".")[0]) >= 2
    on_cuda = {"tree_method": "hist", "device": "cuda"} if since_2 else {"tree_method": "gpu_hist"}
    if _trains_on_cuda(on_cuda):
        return on_cuda, None
    notice = (
        f"cost models are trained on the CPU: xgboost {xgboost.__version__} was built without CUDA or finds no GPU "
        "(the package xgboost has CUDA, xgboost-cpu has not)"
    )
    return on_cpu, notice if asked == "cuda" else None


def _trains_on_cuda(parameters: dict[str, str]) -> bool:
    """Tries it: an xgboost without CUDA, or without a GPU, refuses it or takes the CPU without a word."""
    import xgboost

    matrix = xgboost.DMatrix(np.zeros((2, 1)), np.zeros(2))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            booster = xgboost.train({**parameters, "verbosity": 0}, matrix, 1)
    except xgboost.core.XGBoostError:
        return False
    if parameters["tree_method"] == "gpu_hist":
        return True
    return str(json.loads(booster.save_config())["learner"]["generic_param"]["device"]).startswith("cuda")


def _starts(features: Sequence[Features]) -> NDArray[np.intp]:
    """Where each program's rows begin when all programs' are put one after another."""
    return np.cumsum([0, *(len(rows) for rows in features[:-1])])
