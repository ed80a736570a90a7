"""A network in another runtime, from the worker's side."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import RequestError
from ..interpreter import command, environment
from ..network_files import is_file
from . import RUNTIMES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..networks.weights import NamedWeights
    from .process import Question

_GRACE_SECONDS = 5


class Rival:
    """One network in one runtime, in a process that ends with this one, or by `close`."""

    def __init__(
        self,
        runtime: str,
        model: str,
        batch: int,
        layout: str,
        inputs: Mapping[str, NDArray[Any]],
        weights: NamedWeights | None,
        cpus: Sequence[int] | None,
    ) -> None:
        """Starts the runtime and runs the network once. `inputs` and `weights` are TVM's, the weights of a network by
        name; `cpus`: a thread runs on each; None: it runs on the first GPU.

        Raises RequestError where the runtime cannot run it.
        """
        self._words = RUNTIMES[runtime].words
        question: Question = {
            "runtime": runtime,
            "model": str(Path(model).resolve()) if is_file(model) else model,
            "batch": batch,
            "layout": layout,
            "cpus": list(cpus or ()),
            "cuda": cpus is None,
            "weights": {},
            "outputs_first": weights is not None and weights.outputs_first,
        }
        # It is needed until the network has been run.
        with tempfile.TemporaryDirectory(prefix="familyseer-") as name:
            folder = Path(name)
            np.savez(folder / "inputs.npz", **inputs)
            if weights is not None:
                # An array that several names have is written once.
                distinct = {f"w{id(each)}": each for each in weights.arrays.values()}
                np.savez(folder / "weights.npz", **distinct)
                question["weights"] = {name: f"w{id(each)}" for name, each in weights.arrays.items()}
            (folder / "question.json").write_text(json.dumps(question))
            self._process = subprocess.Popen(
                command("familyseer.rivals.process", str(folder)),
                env=environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            try:
                self.version: str = self._answer()["version"]
                with np.load(folder / "outputs.npz") as outputs:
                    self._outputs = [outputs[key] for key in outputs.files]
            except BaseException:
                self.close()
                raise

    def outputs(self) -> list[NDArray[Any]]:
        """The network's, in their order."""
        return self._outputs

    def time(self, repeat: int, min_repeat_ms: int) -> list[float]:
        """Seconds per run [repeat], each the mean of runs that take so many milliseconds."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps({"repeat": repeat, "min_repeat_ms": min_repeat_ms}) + "\n")
            self._process.stdin.flush()
        return [float(each) for each in self._answer()["seconds"]]

    def close(self) -> None:
        """Ends the process."""
        self._process.terminate()
        try:
            self._process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        answer: dict[str, Any] = json.loads(line) if line else {"refused": "its process ended before it answered"}
        if "refused" in answer:
            raise RequestError(
                f"{self._words} cannot run the network: {answer['refused'].rstrip('.')}. Leave it out of --against, or "
                "give a network that it can run."
            )
        return answer


def largest_difference(ours: Sequence[NDArray[Any]], theirs: Sequence[NDArray[Any]]) -> tuple[float, float] | None:
    """Of all outputs the largest absolute difference, and the largest absolute value of `ours`; None where they are no
    outputs of one network: of another number, another shape, or not finite in the same places."""
    if [each.shape for each in ours] != [each.shape for each in theirs]:
        return None
    difference = largest = 0.0
    for one, other in zip(ours, theirs):
        a, b = one.astype("float64"), other.astype("float64")
        finite = np.isfinite(a)
        if not np.array_equal(finite, np.isfinite(b)):
            return None
        difference = max(difference, float(np.max(np.abs(a - b), where=finite, initial=0.0)))
        largest = max(largest, float(np.max(np.abs(a), where=finite, initial=0.0)))
    return difference, largest
