"""Small networks by name, of all layers that the large ones have, in a tuner's TVM and in other runtimes."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from familyseer.backend import Backend, Question
from familyseer.networks import convolutional, transformers
from familyseer.networks.convolutional import Layers
from familyseer.operations import Operations
from familyseer.rivals.builder import inputs_of
from familyseer.rivals.in_onnx import write_onnx
from familyseer.rivals.rival import largest_difference

CONVOLUTIONAL = "mobilenetv2_0.5"
TRANSFORMERS = {"bert_large": "BERT_LARGE", "gpt2": "GPT2_SMALL", "vit_huge": "VIT_HUGE"}
SMALL = {"layers": 1, "hidden": 64, "heads": 2, "feed_forward": 96}


def make_small(monkeypatch: pytest.MonkeyPatch, makers: dict[str, Any], classifier: Any) -> None:
    """The names are those of large networks, which the runtimes know; `makers` and `classifier` are the tuner's."""
    monkeypatch.setitem(convolutional.CLASSIFIERS, CONVOLUTIONAL, _body)
    monkeypatch.setitem(makers, CONVOLUTIONAL, partial(classifier, _body))
    for sizes in TRANSFORMERS.values():
        large = getattr(transformers, sizes)
        vocabulary = min(large.vocabulary, 50)
        monkeypatch.setattr(transformers, sizes, replace(large, **SMALL, vocabulary=vocabulary))
    monkeypatch.setattr(transformers, "SEQUENCE", 16)
    monkeypatch.setattr("familyseer.rivals.builder.SEQUENCE", 16)


def _body(layers: Layers, x: Any) -> Any:
    x = layers.max_pool(layers.relu(layers.convolution_norm(layers.shift(x, 3), 8, 7, 4)))
    y = layers.relu6(layers.convolution_norm(x, 8, 3, groups=8))
    y = layers.convolution_norm(y, 8, 1, bias=True)
    x = layers.relu(layers.norm(layers.add(y, x), 8))
    x = layers.convolution(x, 16, 3, 2, bias=True)
    return layers.dense(layers.flatten(layers.mean(x)), 10)


def against_onnx(backend: Backend, name: str, layout: str, folder: Path) -> tuple[float, float]:
    """The largest difference between a tuner's TVM and ONNX's own reference evaluator, and the largest output."""
    from onnx.reference import ReferenceEvaluator

    network = backend.extract(Question(name, 1, layout, [], backend.parse_target("llvm -num-cores=2")))
    inputs, weights = network.given()
    write_onnx(folder / "network.onnx", name, 1, layout, weights, inputs_of(name, layout, inputs))
    evaluator = ReferenceEvaluator(str(folder / "network.onnx"))
    theirs = evaluator.run(None, inputs_of(name, layout, inputs))
    found = largest_difference(network.compile(None).outputs(), theirs)
    assert found is not None
    return found


def run_against(backend: Backend, runtime: str, model: str, inputs: list[dict[str, Any]]) -> None:
    """A job's part of `evaluate --against`, in a real runtime."""
    operations = Operations(backend)
    ask = lambda operation, **params: operations.perform(operation, params, lambda _: None, lambda: False)  # noqa: E731
    network = {"model": model, "batch": 1, "layout": "NCHW"}
    try:
        ask("check", **network, library=None, against=[runtime])
        ask("threads", asked=1)
        ask("extract", **network, inputs=inputs, target="llvm -num-cores=1", cache=None)
        rival = ask("against", runtime=runtime, **network)
        ours = ask("compile", tuned=False)
        found = ask("compare", module=ours["module"], other=rival["module"])
        print(found)
        assert found["difference"] < 1e-3 * found["largest"], found
        for module in (ours["module"], rival["module"]):
            timed = ask("evaluate", module=module, repeat=2, min_repeat_ms=2)
            assert len(timed["seconds"]) == 2 and all(0 < each < 1 for each in timed["seconds"])
        assert np.isfinite(timed["waited"])
    finally:
        operations.close()
