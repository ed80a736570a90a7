"""The process of one runtime: `python -m familyseer.rivals.process FOLDER` runs and times one network in it.

The folder has what `rival` writes. Lines of JSON go both ways: out come first what the runtime is, its outputs lying in
the folder then, or why it cannot; then for each question its answer. It ends when its standard input does.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, TypedDict

import numpy as np

from ..errors import last_line
from ..network_files import is_file
from ..networks.weights import NamedWeights
from .builder import inputs_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

# How TVM's time_evaluator raises the number of runs in a timing that was too short.
_GROWTH = 1.618

Run = Callable[[], object]


class Question(TypedDict):
    """`model` is a name or the path of a file, `cpus` those that it runs on, one thread on each; none: the runtime
    chooses. `weights` says of each weight which array of the folder it is; {} of a file."""

    runtime: str
    model: str
    batch: int
    layout: str
    cpus: list[int]
    cuda: bool
    weights: dict[str, str]
    outputs_first: bool


class _OnnxRuntime:
    def __init__(self, asked: Question, inputs: Mapping[str, NDArray[Any]], folder: Path) -> None:
        import onnxruntime

        self.version: str = onnxruntime.__version__
        provider = "CUDAExecutionProvider" if asked["cuda"] else "CPUExecutionProvider"
        if provider not in onnxruntime.get_available_providers():
            raise ValueError("it was built without CUDA; onnxruntime-gpu has it")
        file = Path(asked["model"])
        if not is_file(asked["model"]):
            from .in_onnx import write_onnx

            file = folder / "network.onnx"
            write_onnx(file, asked["model"], asked["batch"], asked["layout"], _weights(asked, folder), inputs)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = len(asked["cpus"]), 1
        self.session = onnxruntime.InferenceSession(str(file), options, providers=[provider])
        device = "cuda" if asked["cuda"] else "cpu"
        self.bound = self.session.io_binding()
        for name, each in inputs.items():
            self.bound.bind_ortvalue_input(name, onnxruntime.OrtValue.ortvalue_from_numpy(each, device, 0))
        for each in self.session.get_outputs():
            self.bound.bind_output(each.name, device)

    def run(self) -> None:
        self.session.run_with_iobinding(self.bound)

    def outputs(self) -> Sequence[NDArray[Any]]:
        self.run()
        return list(self.bound.copy_outputs_to_cpu())


_RUNTIMES = {"onnxruntime": _OnnxRuntime}


def _weights(asked: Question, folder: Path) -> NamedWeights:
    with np.load(folder / "weights.npz") as stored:
        arrays = {key: stored[key] for key in stored.files}
    return NamedWeights({name: arrays[key] for name, key in asked["weights"].items()}, asked["outputs_first"])


def seconds_of_runs(run: Run, repeat: int, min_repeat_ms: int) -> list[float]:
    """Seconds per run [repeat], as TVM's time_evaluator measures them: after one run, each the mean of as many as take
    so many milliseconds."""
    run()
    number, seconds = 1, []
    for _ in range(repeat):
        while True:
            begun = time.perf_counter()
            for _ in range(number):
                run()
            took = time.perf_counter() - begun
            if took * 1000 >= min_repeat_ms:
                break
            number = max(int(min_repeat_ms / 1000 / took * number) + 1, int(number * _GROWTH))
        seconds.append(took / number)
    return seconds


def main(folder: Path) -> None:
    # What the runtimes print goes where complaints go.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(value: dict[str, Any]) -> None:
        answers.write(json.dumps(value) + "\n")
        answers.flush()

    asked: Question = json.loads((folder / "question.json").read_text())
    if asked["cpus"]:
        os.sched_setaffinity(0, asked["cpus"])
    with np.load(folder / "inputs.npz") as stored:
        inputs = {name: stored[name] for name in stored.files}
    if not is_file(asked["model"]):
        inputs = inputs_of(asked["model"], asked["layout"], inputs)
    try:
        runtime = _RUNTIMES[asked["runtime"]](asked, inputs, folder)
        np.savez(folder / "outputs.npz", *runtime.outputs())
    except Exception as error:
        answer({"refused": last_line(error)})
        return
    answer({"version": runtime.version})
    for line in sys.stdin:
        answer({"seconds": seconds_of_runs(runtime.run, **json.loads(line))})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
