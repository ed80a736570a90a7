"""TVM's XGBModel and ours on the same growing records, alternated: the seconds of a round's training, and how well
each ranks programs it has not seen.

The programs are real: sampled and evolved by SketchPolicy from the tasks of mobilenetv2_0.5 for llvm, with TVM's
features. Measuring 20,000 of them takes a night, so their times are a stand-in unless `--log` names measured records.

Ours grows round by round from the first record on. Its seconds at a size are the mean of the rounds since there were a
fifth fewer records, so that its share of making the foundation anew is in them. Training is what a model's update does
besides extracting the features of the round's new programs, which both do by the same call of TVM.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import os
import statistics
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

import numpy as np
import tvm
import xgboost
from tvm import auto_scheduler
from tvm.auto_scheduler.cost_model import xgb_model
from tvm.auto_scheduler.cost_model.cost_model import PythonBasedModel
from tvm.auto_scheduler.feature import (
    get_per_store_feature_names,
    get_per_store_features_from_measure_pairs,
    get_per_store_features_from_states,
)
from tvm.auto_scheduler.measure_record import dump_record_to_string

from ..ansor.target import parse_target
from ..ansor.tasks import extract
from ..learning.cost_model import GROWTH, BoundedModel, device_parameters

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tvm.auto_scheduler import MeasureInput, MeasureResult, SearchTask

SEARCH = {"evolutionary_search_num_iters": 3}
PROGRAMS_PER_TASK = 900
NOISE = 0.05
SIZES = (1_000, 5_000, 20_000)
HELD_OUT = 4_000
ROUND = 64
REPEATS = 3
TOP = 16
FEATURES = {name: index for index, name in enumerate(get_per_store_feature_names())}
BUFFERS = range(5)


def stand_in_seconds(features: list[NDArray[Any]]) -> NDArray[Any]:
    """Programs' times by a roofline of each store, from TVM's features, each [stores, 164], most of them log2(1 + x).

    Arithmetic goes as fast as a store's vector and parallel loops allow, and depends on how far it is unrolled. What a
    buffer does not reuse comes from the cache its reuse distance fits, strided accesses at half the speed. The slower
    of the two counts.
    """

    rows = np.concatenate(features).astype(float)
    starts = np.cumsum([0, *(len(each) for each in features[:-1])])

    def of(name: str) -> NDArray[Any]:
        return np.asarray(np.exp2(rows[:, FEATURES[name]]) - 1)

    lanes = np.clip(of("vec_len"), 1, 8)
    cores = np.clip(of("parallel_prod"), 1, 16)
    unroll = of("auto_unroll_max_step")
    unrolled = np.select([unroll < 8, unroll < 32, unroll < 128], [1.3, 1.0, 0.9], 1.15)
    arithmetic = sum(of(name) for name in ("float_mad", "float_addsub", "float_mul", "float_mathfunc", "int_divmod"))
    compute = arithmetic * unrolled / (lanes * 4e9)
    memory = np.zeros(len(rows))
    for buffer in BUFFERS:
        distance = of(f"B{buffer}.reuse_dis_bytes")
        speed = np.select([distance < 32e3, distance < 1e6, distance < 32e6], [6e10, 2e10, 8e9], 4e9)
        strided = np.where(of(f"B{buffer}.stride") > 1, 2.0, 1.0)
        memory += (of(f"B{buffer}.bytes_d_reuse_ct") + 8 * of(f"B{buffer}.lines")) / speed * strided
    of_stores = np.maximum(compute, memory) / cores + 2e-6 * of("parallel_num") + 1e-9
    return np.asarray(np.add.reduceat(of_stores, starts))


class StandIn(PythonBasedModel):
    """Scores a program by the stand-in, so that evolution goes where a tuning would."""

    def predict(self, task: SearchTask, states: list[Any]) -> NDArray[Any]:
        features = get_per_store_features_from_states(states, task)
        return np.where([each.any() for each in features], 1e-6 / stand_in_seconds(features), -np.inf)


@dataclass
class Programs:
    """Programs of several tasks, their times in seconds, and TVM's features of each, [stores, 164]."""

    inputs: list[MeasureInput]
    seconds: NDArray[Any]
    features: list[NDArray[Any]]

    def chosen(self, indices: NDArray[Any]) -> Programs:
        return Programs([self.inputs[i] for i in indices], self.seconds[indices], [self.features[i] for i in indices])

    def keys(self) -> list[str]:
        """Which task each is of."""
        return [one.task.workload_key for one in self.inputs]

    def results(self) -> list[MeasureResult]:
        return [auto_scheduler.MeasureResult([float(seconds)], 0, "", 0, 0) for seconds in self.seconds]


def sample_into(log: Path, tasks: list[SearchTask], count: int) -> None:
    """Writes up to `count` programs of each task, half sampled and half evolved, as TVM's records."""
    unmeasured = auto_scheduler.MeasureResult([0.0], 0, "", 0, 0)
    half = count // 2
    search = {**SEARCH, "evolutionary_search_population": half, "sample_init_min_population": half}
    partial = log.with_suffix(".part")
    with partial.open("w") as file:
        for seed, task in enumerate(tasks):
            policy = auto_scheduler.SketchPolicy(task, StandIn(), params=search, seed=seed, verbose=0)
            sampled = list(policy.sample_initial_population())
            evolved = list(policy.evolutionary_search(sampled, half))
            states = {str(state): state for state in sampled[:half] + evolved}
            for state in states.values():
                file.write(dump_record_to_string(auto_scheduler.MeasureInput(task, state), unmeasured))
            print(f"task {seed} of {len(tasks)}: {len(states)} programs", flush=True)
    partial.replace(log)


def read_programs(log: Path, tasks: list[SearchTask], features_file: Path, measured: bool) -> Programs:
    """The programs of a log that are of these tasks; failed ones are left out. Their features are kept in a file."""
    by_key = {task.workload_key: task for task in tasks}
    inputs, seconds = [], []
    for one, result in auto_scheduler.RecordReader(str(log)):
        task = by_key.get(one.task.workload_key)
        if task is not None and result.error_no == 0:
            inputs.append(auto_scheduler.MeasureInput(task, one.state))
            seconds.append(float(np.mean([cost.value for cost in result.costs])))
    if len(inputs) < 8 * ROUND:
        sys.exit(f"{log} has {len(inputs)} programs of mobilenetv2_0.5 for llvm. Expected at least {8 * ROUND}.")
    features = kept_features(features_file, inputs)
    return Programs(inputs, np.array(seconds) if measured else stand_in_seconds(features), features)


def kept_features(file: Path, inputs: list[MeasureInput]) -> list[NDArray[Any]]:
    if not file.exists():
        result = auto_scheduler.MeasureResult([1.0], 0, "", 0, 0)
        features: list[NDArray[Any]] = []
        for start in range(0, len(inputs), 2_000):
            chunk = inputs[start : start + 2_000]
            rows = get_per_store_features_from_measure_pairs(chunk, [result] * len(chunk))[0]
            features += [np.asarray(each, dtype=np.float32) for each in rows]
        np.savez(file, rows=np.concatenate(features), stores=[len(each) for each in features])
    kept = np.load(file)
    return np.split(kept["rows"], np.cumsum(kept["stores"])[:-1])


def tvms_model(records: Programs, seed: int) -> auto_scheduler.XGBModel:
    """TVM's model with these records and their features, as if it had been trained on them."""
    model = auto_scheduler.XGBModel(verbose_eval=0, num_warmup_sample=ROUND, seed=seed)
    model.inputs, model.results = list(records.inputs), records.results()
    model.inputs_feature_cache = np.empty(len(records.features), dtype=object)
    model.inputs_feature_cache[:] = records.features
    return model


def tvms_scores(model: auto_scheduler.XGBModel, of_task: Programs) -> NDArray[Any]:
    """As TVM's model scores states, but from the features at hand: TVM may order equal buffers otherwise anew."""
    matrix, of_program = xgb_model.feature_to_pack_sum_xgbmatrix(of_task.features)
    return np.asarray(xgb_model.predict_throughput_pack_sum(model.bst.predict(matrix), of_program))


def ranking(scores_of: Callable[[Programs], NDArray[Any]], held_out: Programs) -> tuple[float, float]:
    """Of the pairs of a task, the share (%) that the scores order right; of a task's fastest, the share they find."""
    keys = np.array(held_out.keys())
    right = pairs = 0
    recalls = []
    for key in np.unique(keys):
        of_task = held_out.chosen(np.flatnonzero(keys == key))
        scores, seconds = scores_of(of_task), of_task.seconds
        first, second = np.triu_indices(len(seconds), 1)
        ordered = np.sign(scores[first] - scores[second]) * np.sign(seconds[second] - seconds[first])
        right += (ordered > 0).sum() + 0.5 * (ordered == 0).sum()
        pairs += len(first)
        if len(seconds) >= 2 * TOP:
            found = set(np.argsort(-scores)[:TOP]) & set(np.argsort(seconds)[:TOP])
            recalls.append(len(found) / TOP)
    return 100 * right / pairs, 100 * float(np.mean(recalls)) if recalls else float("nan")


def extraction_seconds(records: Programs) -> float:
    begun = time.perf_counter()
    get_per_store_features_from_measure_pairs(records.inputs, records.results())
    return time.perf_counter() - begun


@dataclass(frozen=True)
class Row:
    """A model grown to so many records: the seconds of a round's training, and the pairs (%) it has in order."""

    model: str
    seed: int
    records: int
    seconds: float
    pairs: float


def compare(
    programs: Programs, seed: int, sizes: list[int], parameters: dict[str, Any], name: str
) -> tuple[list[tuple[float, float]], list[Row]]:
    """Grows both models to each size, ours with xgboost's `parameters` under a name of its own.

    Returns the ratios of a round's seconds, ours to TVM's, with and without extraction; and what they are made of.
    """
    order = np.random.default_rng(seed).permutation(len(programs.inputs))
    held_out, training = programs.chosen(order[sizes[-1] :][:HELD_OUT]), programs.chosen(order[: sizes[-1]])
    results, keys = training.results(), training.keys()
    ours = BoundedModel(ROUND, seed, parameters)
    rows = []
    seconds_of_rounds: list[tuple[int, float]] = []
    begin = 0
    ratios = []
    for size in sizes:
        theirs: list[float] = []
        extractions: list[float] = []
        their_model = tvms_model(training.chosen(np.arange(size - REPEATS * ROUND)), seed)
        while begin < size:
            end = min(begin + ROUND, size - (size - begin - 1) // ROUND * ROUND)
            begun = time.perf_counter()
            ours.learn(training.features[begin:end], list(training.seconds[begin:end]), keys[begin:end])
            seconds_of_rounds.append((end, time.perf_counter() - begun))
            if end > size - REPEATS * ROUND:
                begun = time.perf_counter()
                their_model.update(training.inputs[begin:end], results[begin:end])
                theirs.append(time.perf_counter() - begun)
                extractions.append(extraction_seconds(training.chosen(np.arange(begin, end))))
            begin = end
        recent = [seconds for end, seconds in seconds_of_rounds if end > size / GROWTH]
        mine, extraction = statistics.mean(recent), statistics.median(extractions)
        their = statistics.median(theirs)
        ratios.append(((mine + extraction) / their, mine / (their - extraction)))
        whole, without = ratios[-1]
        print(
            f"seed {seed}, {size} records, seconds of a round, {extraction:.2f} of them for the new programs' features:"
        )
        print(
            f"  TVM {their:.2f} (min {min(theirs):.2f}, max {max(theirs):.2f}), ours {mine + extraction:.2f} ", end=""
        )
        print(f"(median {statistics.median(recent) + extraction:.2f}, max {max(recent) + extraction:.2f})", end="")
        print(f"; ratio {whole:.3f}, without features {without:.3f}")
        models: list[tuple[str, Callable[[Programs], NDArray[Any]], float]] = [
            ("TVM", functools.partial(tvms_scores, their_model), their - extraction),
            (name, lambda of_task: ours.scores(of_task.features), mine),
        ]
        for label, scores_of, seconds in models:
            accuracy, recall = ranking(scores_of, held_out)
            print(f"  {label}: pairs in order {accuracy:.2f} %, recall of the {TOP} fastest {recall:.2f} %", flush=True)
            rows.append(Row(label, seed, size, seconds, float(accuracy)))
    return ratios, rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log", type=Path, help="measured records of mobilenetv2_0.5 for llvm")
    parser.add_argument("--seeds", type=int, default=2, help="how many orders of the records, and noises")
    parser.add_argument("--per-task", type=int, default=PROGRAMS_PER_TASK, help="programs of each task")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="records to learn from")
    parser.add_argument("--train-devices", nargs="+", choices=["cpu", "cuda"], default=["cpu"])
    parser.add_argument("--out", type=Path, help="a JSON file for the figures")
    options = parser.parse_args()
    cache = Path(os.environ.get("FAMILYSEER_HOME", ".familyseer")) / "cache"
    kept = cache / "bench"
    kept.mkdir(parents=True, exist_ok=True)
    tasks = extract("mobilenetv2_0.5", 1, "NHWC", parse_target("llvm"), cache).tasks
    per_task = "" if options.per_task == PROGRAMS_PER_TASK else f"-{options.per_task}"
    log = options.log or kept / f"learning-{tvm.__version__}{per_task}.log"
    if options.log is None and not log.exists():
        sample_into(log, tasks, options.per_task)
    fingerprint = hashlib.sha256(log.read_bytes()).hexdigest()[:16]
    features_file = kept / f"features-{tvm.__version__}-{fingerprint}.npz"
    programs = read_programs(log, tasks, features_file, options.log is not None)
    most = len(programs.inputs) - min(HELD_OUT, len(programs.inputs) // 5)
    sizes = [size for size in options.sizes if size <= most] or [most]
    labels = f"measured times of {log}" if options.log else f"a stand-in time from the features, {NOISE:.0%} noise"
    held_out = min(HELD_OUT, len(programs.inputs) - sizes[-1])
    print(f"TVM {tvm.__version__}, xgboost {xgboost.__version__}, {os.cpu_count()} cores; labels: {labels}")
    print(f"{len(programs.inputs)} programs; pairs and recall are of {held_out} that no model has seen")
    clean = programs.seconds
    at_last, all_rows, notices = [], [], []
    for device in options.train_devices:
        parameters, notice = device_parameters(device)
        if notice:
            notices.append(notice)
            continue
        for seed in range(options.seeds):
            if options.log is None:
                programs.seconds = clean * np.exp(np.random.default_rng([seed]).normal(0, NOISE, len(clean)))
            ratios, rows = compare(programs, seed, sizes, parameters, f"ours, {device}")
            at_last.append(ratios[-1])
            # TVM's was trained beside each of ours.
            all_rows += [row for row in rows if row.model != "TVM" or device == options.train_devices[0]]
    print(*notices, sep="\n")
    if options.out:
        options.out.write_text(json.dumps({"rows": [asdict(row) for row in all_rows], "notices": notices}))
    show(f"ratio of a round's update with its features at {sizes[-1]} records", [whole for whole, _ in at_last])
    show(f"ratio of a round's training at {sizes[-1]} records, ours to TVM's", [without for _, without in at_last])


def show(figure: str, values: list[float]) -> None:
    print(f"{figure}: {statistics.median(values):.3f} (min {min(values):.3f}, max {max(values):.3f})")


if __name__ == "__main__":
    main()
