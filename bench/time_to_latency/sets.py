"""The sets of tasks by which a tuner is judged past the warm-up.

A set's tasks are named by the words that `familyseer tasks` has for them: their numbers differ from target to target.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from familyseer.backend import Description

from .runs import RunError

# Five rounds of TVM's.
CONVERGED_TRIALS = 320


@dataclass(frozen=True)
class TaskSet:
    """Tasks of a network. Of each its words, and what else they are on targets for which TVM computes it otherwise."""

    network: str
    tasks: tuple[tuple[str, ...], ...]
    trials_of_task: int = CONVERGED_TRIALS

    def find(self, descriptions: Sequence[Description], weights: Sequence[float]) -> list[int]:
        """The ids of its tasks; of several with the same words the one with most weight. Raises RunError."""
        found = []
        for names in self.tasks:
            ids = [index for index, description in enumerate(descriptions) if description.words in names]
            if not ids:
                raise RunError(
                    f"{self.network} has no task {' or '.join(names)} for this target. Expected the words that "
                    f"`familyseer tasks --model {self.network}` prints; correct them in bench/time_to_latency/sets.py."
                )
            found.append(max(ids, key=lambda index: weights[index]))
        return sorted(found)


# A 3x3 convolution with many channels is computed by Winograd's algorithm on GPUs.
_CONV_56 = ("conv2d 3x3 56x56x64 -> 64", "conv2d_winograd 1x56x56x64")
_CONV_7 = ("conv2d 3x3 7x7x512 -> 512", "conv2d_winograd 1x7x7x512")
_DENSE = (("dense 128x1024 -> 4096",), ("dense 128x4096 -> 1024",))

SETS = {
    "pointwise": TaskSet("resnet50_v1", (("conv2d 1x1 28x28x512 -> 128",), ("conv2d 1x1 14x14x1024 -> 256",))),
    "conv3x3": TaskSet("resnet50_v1", (_CONV_56, _CONV_7)),
    # Two depthwise and two pointwise convolutions.
    "mobilenet": TaskSet(
        "mobilenetv2_0.5",
        (
            ("depthwise_conv2d 3x3 112x112x48",),
            ("depthwise_conv2d 3x3 14x14x192",),
            ("conv2d 1x1 14x14x48 -> 288",),
            ("conv2d 1x1 7x7x160 -> 1280",),
        ),
    ),
    "bert": TaskSet(
        "bert_large",
        (*_DENSE, ("batch_matmul 16x128x128 -> 16x128x64",), ("batch_matmul 16x128x64 -> 16x128x128",)),
    ),
    # For a device that is there for minutes.
    "dense": TaskSet("bert_large", _DENSE),
    # The published peers' measure, "time to 2,000 trials of Ansor". Of two kinds, as alike tasks help each other.
    "peers": TaskSet("resnet50_v1", (("conv2d 1x1 28x28x512 -> 128",), _CONV_56), trials_of_task=1000),
}
CONVERGED = ("pointwise", "conv3x3", "mobilenet", "bert")
"""The sets of the goals."""
