"""Transformers, operation for operation as TVM's frontends took the paper's: BERT and RoBERTa from GluonNLP by MXNet,
GPT-2 from the ONNX model zoo, ViT from vit-pytorch. Every operation counts: what stands beside a dense layer or a
softmax decides how TVM cuts the network into tasks.

In shapes, B is the batch, S the length of the sequence, C the hidden size, H the heads, D the size of a head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Protocol, Union

import numpy as np

from ..example_inputs import SEED, example_input

if TYPE_CHECKING:
    from numpy.typing import NDArray

SEQUENCE = 128

# As the tuner's TVM has them, with +, -, * and / among themselves; may be used more than once.
Tensor = Any
# The outputs of a network for a batch and a layout of its images, if it has any.
Body = Callable[["Operations", int, str], Union[Tensor, Sequence[Tensor]]]


@dataclass(frozen=True)
class _Sizes:
    layers: int
    hidden: int
    heads: int
    feed_forward: int
    vocabulary: int = 0
    positions: int = 0


LARGE = {"layers": 24, "hidden": 1024, "heads": 16, "feed_forward": 4096}
BERT_LARGE = _Sizes(**LARGE, vocabulary=30522, positions=512)
ROBERTA_LARGE = _Sizes(**LARGE, vocabulary=50265, positions=512)
GPT2_SMALL = _Sizes(layers=12, hidden=768, heads=12, feed_forward=3072, vocabulary=50257, positions=1024)
VIT_HUGE = _Sizes(layers=32, hidden=1280, heads=16, feed_forward=5120)
VIT_PATCH = 16
VIT_HEAD_SIZE = 64


class Operations(Protocol):
    """The operations of a TVM; each gives a tensor, and axes may be counted from the last, which is -1."""

    def input(self, name: str, example: NDArray[Any]) -> Tensor:
        """An input of the network, of the example's shape and type."""

    def weight(self, name: str, shape: tuple[int, ...]) -> Tensor: ...

    def first_positions(self, name: str, shape: tuple[int, int], positions: int) -> Tensor:
        """What is learnt of the first positions, of a weight that has this for all."""

    def const(self, value: float | NDArray[Any]) -> Tensor: ...

    def dense(self, x: Tensor, name: str, inputs: int, outputs: int, rows: tuple[int, ...] = ()) -> Tensor:
        """Of the last axis, with a bias. `rows` are the others where these are not one; one may be -1: what is left."""

    def linear(self, x: Tensor, name: str, inputs: int, outputs: int, bias: bool = True) -> Tensor:
        """Of the last of three axes, with the bias as an operation of its own where TVM makes a difference."""

    def product(self, x: Tensor, y: Tensor) -> Tensor:
        """Of two batches of matrices."""

    def product_transposed(self, x: Tensor, y: Tensor) -> Tensor:
        """Of two batches of matrices, with the second ones transposed."""

    def reshape(self, x: Tensor, shape: Sequence[int]) -> Tensor:
        """One extent may be -1: what is left."""

    def transpose(self, x: Tensor, axes: Sequence[int]) -> Tensor: ...

    def expand_dims(self, x: Tensor, axis: int) -> Tensor: ...

    def broadcast_to(self, x: Tensor, shape: Sequence[int]) -> Tensor: ...

    def concatenate(self, parts: Sequence[Tensor], axis: int) -> Tensor: ...

    def split(self, x: Tensor, parts: int, axis: int) -> Sequence[Tensor]: ...

    def repeat(self, x: Tensor, times: int, axis: int) -> Tensor: ...

    def take(self, x: Tensor, index: int, axis: int) -> Tensor:
        """Without the axis."""

    def rows(self, table: Tensor, numbers: Tensor) -> Tensor:
        """The table's rows of these numbers, for each of which there is an axis more."""

    def mask_rows(self, x: Tensor, lengths: Tensor, value: float) -> Tensor:
        """A matrix with a value in each row from the row's length on."""

    def softmax(self, x: Tensor, axis: int) -> Tensor: ...

    def layer_norm(self, x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
        """Over the last axis, with an epsilon of 1e-5."""

    def mean(self, x: Tensor) -> Tensor:
        """Over the last axis, which stays as 1; so do `max` and `sum`."""

    def max(self, x: Tensor) -> Tensor: ...

    def sum(self, x: Tensor) -> Tensor: ...

    def power(self, x: Tensor, exponent: int) -> Tensor: ...

    def erf(self, x: Tensor) -> Tensor: ...

    def exp(self, x: Tensor) -> Tensor: ...

    def sqrt(self, x: Tensor) -> Tensor: ...

    def tanh(self, x: Tensor) -> Tensor: ...


def bert_large(ops: Operations, batch: int, _layout: str) -> Sequence[Tensor]:
    """BERT large (arXiv 1810.04805) for 128 tokens, with the pooler and the classifier of next sentences.

    Inputs: `data0` tokens and `data1` token types, B x S; `data2` the sequences' lengths, B. Outputs: the sequence,
    B x S x C, the pooled first token, B x C, and the next sentence's scores, B x 2.
    """
    sizes = BERT_LARGE
    tokens = ops.input("data0", _tokens(batch, SEQUENCE, vocabulary=sizes.vocabulary))
    types = ops.input("data1", np.zeros((batch, SEQUENCE), "int32"))
    lengths = ops.input("data2", np.full(batch, SEQUENCE, "float32"))
    x = _embed(ops, tokens, "word", sizes.vocabulary, sizes.hidden) + _embed(ops, types, "type", 2, sizes.hidden)
    sequence = _post_norm_encoder(ops, x, sizes, batch, lengths)
    first = ops.take(sequence, 0, axis=1)
    pooled = ops.tanh(ops.dense(first, "pooler", sizes.hidden, sizes.hidden))
    return [sequence, pooled, ops.dense(pooled, "classifier", sizes.hidden, 2)]


def roberta_large(ops: Operations, batch: int, _layout: str) -> Tensor:
    """RoBERTa large (arXiv 1907.11692) for 128 tokens: BERT's encoder without token types, lengths, and anything on
    top.

    Input: `data0` tokens, B x S. Output: the sequence, B x S x C.
    """
    sizes = ROBERTA_LARGE
    tokens = ops.input("data0", _tokens(batch, SEQUENCE, vocabulary=sizes.vocabulary))
    x = _embed(ops, tokens, "word", sizes.vocabulary, sizes.hidden)
    return _post_norm_encoder(ops, x, sizes, batch, None)


def gpt2(ops: Operations, batch: int, _layout: str) -> Tensor:
    """GPT-2 with 124 million weights, without the layer that scores words.

    Input: `input1` tokens, B x 128 x S: the paper gave it 128 sequences of 128 tokens and called that batch 1. Output:
    B x 128 x S x C. The keys and values, which the published file returns for a later call, are not returned.
    """
    sizes = GPT2_SMALL
    rows = batch * SEQUENCE
    tokens = ops.input("input1", _tokens(batch, SEQUENCE, SEQUENCE, vocabulary=sizes.vocabulary))
    words = _embed(ops, ops.reshape(tokens, (-1, SEQUENCE)), "word", sizes.vocabulary, sizes.hidden)
    places = _places(ops, sizes)
    x = words + places
    for layer in range(sizes.layers):
        y = _written_out_norm(ops, x, f"l{layer}_norm1", sizes.hidden)
        x = x + _causal_attention(ops, y, f"l{layer}", sizes, rows)
        y = _written_out_norm(ops, x, f"l{layer}_norm2", sizes.hidden)
        y = ops.dense(y, f"l{layer}_ffn1", sizes.hidden, sizes.feed_forward, (-1, SEQUENCE))
        x = x + ops.dense(_tanh_gelu(ops, y), f"l{layer}_ffn2", sizes.feed_forward, sizes.hidden, (-1, SEQUENCE))
    x = _written_out_norm(ops, x, "norm", sizes.hidden)
    return ops.reshape(x, (batch, SEQUENCE, SEQUENCE, sizes.hidden))


def vit_huge(ops: Operations, batch: int, layout: str) -> Tensor:
    """ViT huge (arXiv 2010.11929) on patches of 16 x 16 of an image of 224 x 224.

    As in vit-pytorch a head has 64 channels, 1024 in all, and queries, keys and values have no bias.

    Input: `data`, the images. Output: B x 1000.
    """
    sizes = VIT_HUGE
    grid, size = 224 // VIT_PATCH, VIT_PATCH
    shape = (batch, 224, 224, 3) if layout == "NHWC" else (batch, 3, 224, 224)
    images = ops.input("data", example_input(shape, "float32"))
    if layout == "NHWC":
        patches = ops.transpose(ops.reshape(images, (batch, grid, size, grid, size, 3)), (0, 1, 3, 2, 4, 5))
    else:
        patches = ops.transpose(ops.reshape(images, (batch, 3, grid, size, grid, size)), (0, 2, 4, 3, 5, 1))
    patches = ops.reshape(patches, (batch, grid * grid, size * size * 3))
    x = ops.linear(patches, "patch", size * size * 3, sizes.hidden)
    first = ops.broadcast_to(ops.weight("class_weight", (1, 1, sizes.hidden)), (batch, 1, sizes.hidden))
    x = ops.concatenate([first, x], axis=1)
    x = x + ops.weight("position_weight", (1, grid * grid + 1, sizes.hidden))
    for layer in range(sizes.layers):
        y = _norm(ops, x, f"l{layer}_norm1", sizes.hidden)
        x = x + _vit_attention(ops, y, f"l{layer}", sizes, batch, grid * grid + 1)
        y = _norm(ops, x, f"l{layer}_norm2", sizes.hidden)
        y = ops.linear(y, f"l{layer}_ffn1", sizes.hidden, sizes.feed_forward)
        x = x + ops.linear(_gelu(ops, y), f"l{layer}_ffn2", sizes.feed_forward, sizes.hidden)
    x = _norm(ops, ops.take(x, 0, axis=1), "norm", sizes.hidden)
    return ops.dense(x, "fc", sizes.hidden, 1000)


def _post_norm_encoder(ops: Operations, x: Tensor, sizes: _Sizes, batch: int, lengths: Tensor | None) -> Tensor:
    """GluonNLP's encoder, from B x S x C to B x S x C; within, the sequence comes first."""
    places = _places(ops, sizes)
    x = ops.transpose(x, (1, 0, 2)) + ops.expand_dims(places, axis=1)
    x = _norm(ops, x, "norm", sizes.hidden)
    for layer in range(sizes.layers):
        y = _interleaved_attention(ops, x, f"l{layer}", sizes, batch, lengths)
        x = _norm(ops, x + y, f"l{layer}_norm1", sizes.hidden)
        y = ops.dense(x, f"l{layer}_ffn1", sizes.hidden, sizes.feed_forward, (SEQUENCE, batch))
        y = ops.dense(_gelu(ops, y), f"l{layer}_ffn2", sizes.feed_forward, sizes.hidden, (SEQUENCE, batch))
        x = _norm(ops, x + y, f"l{layer}_norm2", sizes.hidden)
    return ops.transpose(x, (1, 0, 2))


def _interleaved_attention(
    ops: Operations, x: Tensor, name: str, sizes: _Sizes, batch: int, lengths: Tensor | None
) -> Tensor:
    """One dense layer makes queries, keys and values of all heads, interleaved: S x B x H x 3 x D."""
    hidden, heads = sizes.hidden, sizes.heads
    size = hidden // heads
    made = ops.dense(x, f"{name}_qkv", hidden, 3 * hidden, (SEQUENCE, batch))
    made = ops.reshape(made, (SEQUENCE, batch, heads, 3, size))
    # Each B*H x S x D.
    query, key, value = (
        ops.reshape(
            ops.transpose(ops.take(made, part, axis=3), (1, 2, 0, 3)),
            (batch * heads, SEQUENCE, size),
        )
        for part in range(3)
    )
    scores = ops.product_transposed(query / ops.const(float(np.sqrt(size))), key)
    if lengths is None:
        shares = ops.softmax(scores, axis=-1)
    else:
        # TVM masks two dimensions only.
        rows = ops.reshape(scores, (batch * heads * SEQUENCE, SEQUENCE))
        row_lengths = ops.repeat(lengths, heads * SEQUENCE, axis=0)
        lowest = float(np.finfo("float32").min)
        shares = ops.softmax(ops.mask_rows(rows, row_lengths, lowest), axis=1)
        shares = ops.reshape(shares, (batch * heads, SEQUENCE, SEQUENCE))
    mixed = ops.product(shares, value)
    mixed = ops.transpose(ops.reshape(mixed, (batch, heads, SEQUENCE, size)), (2, 0, 1, 3))
    return ops.dense(ops.reshape(mixed, (SEQUENCE, batch, hidden)), f"{name}_proj", hidden, hidden, (SEQUENCE, batch))


def _causal_attention(ops: Operations, x: Tensor, name: str, sizes: _Sizes, rows: int) -> Tensor:
    """A token heeds itself and those before it; x is rows x S x C.

    The softmax is written out, as the ONNX frontend of 2021 did.
    """
    hidden, heads = sizes.hidden, sizes.heads
    size = hidden // heads
    made = ops.split(ops.dense(x, f"{name}_qkv", hidden, 3 * hidden, (-1, SEQUENCE)), 3, axis=2)
    query, key, value = (ops.reshape(part, (rows, SEQUENCE, heads, size)) for part in made)
    query = ops.reshape(ops.transpose(query, (0, 2, 1, 3)), (rows * heads, SEQUENCE, size))
    key = ops.reshape(ops.transpose(key, (0, 2, 3, 1)), (rows * heads, size, SEQUENCE))
    value = ops.reshape(ops.transpose(value, (0, 2, 1, 3)), (rows * heads, SEQUENCE, size))
    scores = ops.product(query, key)
    scores = ops.reshape(scores, (rows, heads, SEQUENCE, SEQUENCE)) / ops.const(float(np.sqrt(size)))
    seen = np.tril(np.ones((1, 1, SEQUENCE, SEQUENCE), "float32"))
    scores = scores * ops.const(seen) - ops.const(1e4 * (1 - seen))
    powers = ops.exp(scores - ops.max(scores))
    shares = powers / ops.sum(powers)
    shares = ops.reshape(shares, (rows * heads, SEQUENCE, SEQUENCE))
    mixed = ops.product(shares, value)
    mixed = ops.transpose(ops.reshape(mixed, (rows, heads, SEQUENCE, size)), (0, 2, 1, 3))
    return ops.dense(ops.reshape(mixed, (rows, SEQUENCE, hidden)), f"{name}_proj", hidden, hidden, (-1, SEQUENCE))


def _vit_attention(ops: Operations, x: Tensor, name: str, sizes: _Sizes, batch: int, length: int) -> Tensor:
    """x is B x S x C."""
    heads, size = sizes.heads, VIT_HEAD_SIZE
    inner = heads * size
    made = ops.split(ops.linear(x, f"{name}_qkv", sizes.hidden, 3 * inner, bias=False), 3, axis=-1)
    query, key, value = (ops.transpose(ops.reshape(part, (batch, length, heads, size)), (0, 2, 1, 3)) for part in made)
    query, key, value = (ops.reshape(part, (batch * heads, length, size)) for part in (query, key, value))
    scores = ops.reshape(ops.product_transposed(query, key), (batch, heads, length, length))
    shares = ops.softmax(scores * ops.const(float(size**-0.5)), axis=-1)
    shares = ops.reshape(shares, (batch * heads, length, length))
    mixed = ops.product(shares, value)
    mixed = ops.transpose(ops.reshape(mixed, (batch, heads, length, size)), (0, 2, 1, 3))
    return ops.linear(ops.reshape(mixed, (batch, length, inner)), f"{name}_proj", inner, sizes.hidden)


def _norm(ops: Operations, x: Tensor, name: str, hidden: int) -> Tensor:
    gamma, beta = (ops.weight(f"{name}_{part}", (hidden,)) for part in ("gamma", "beta"))
    return ops.layer_norm(x, gamma, beta)


def _written_out_norm(ops: Operations, x: Tensor, name: str, hidden: int) -> Tensor:
    """A layer norm as its exporter wrote it to ONNX."""
    gamma, beta = (ops.weight(f"{name}_{part}", (hidden,)) for part in ("gamma", "beta"))
    centred = x - ops.mean(x)
    variance = ops.mean(ops.power(centred, 2))
    return centred / ops.sqrt(variance + ops.const(1e-5)) * gamma + beta


def _gelu(ops: Operations, x: Tensor) -> Tensor:
    return x * ops.const(0.5) * (ops.const(1.0) + ops.erf(x / ops.const(float(np.sqrt(2.0)))))


def _tanh_gelu(ops: Operations, x: Tensor) -> Tensor:
    inner = ops.const(float(np.sqrt(2 / np.pi))) * (x + ops.const(0.044715) * ops.power(x, 3))
    return x * ops.const(0.5) * (ops.const(1.0) + ops.tanh(inner))


def _embed(ops: Operations, tokens: Tensor, name: str, count: int, hidden: int) -> Tensor:
    return ops.rows(ops.weight(f"{name}_weight", (count, hidden)), tokens)


def _places(ops: Operations, sizes: _Sizes) -> Tensor:
    """What is learnt of the first S positions, S x C."""
    return ops.first_positions("position_weight", (SEQUENCE, sizes.hidden), sizes.positions)


def _tokens(*shape: int, vocabulary: int) -> NDArray[Any]:
    return np.random.default_rng(SEED).integers(0, vocabulary, shape).astype("int32")


# The paper's, by name.
TRANSFORMERS: dict[str, Body] = {
    "vit_huge": vit_huge,
    "bert_large": bert_large,
    "roberta_large": roberta_large,
    "gpt2": gpt2,
}
