"""Transformers, operation for operation as TVM's frontends took the paper's: BERT and RoBERTa from GluonNLP by MXNet,
GPT-2 from the ONNX model zoo, ViT from vit-pytorch. Every operation counts: what stands beside a dense layer or a
softmax decides how TVM cuts the network into tasks.

In shapes, B is the batch, S the length of the sequence, C the hidden size, H the heads, D the size of a head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...example_inputs import SEED, example_input
from .network import Network, network_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tvm import relay

SEQUENCE = 128


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


def bert_large(batch: int) -> Network:
    """BERT large (arXiv 1810.04805) for 128 tokens, with the pooler and the classifier of next sentences.

    Inputs: `data0` tokens and `data1` token types, B x S; `data2` the sequences' lengths, B. Outputs: the sequence,
    B x S x C, the pooled first token, B x C, and the next sentence's scores, B x 2.
    """
    from tvm import relay

    sizes = BERT_LARGE
    tokens = relay.var("data0", shape=(batch, SEQUENCE), dtype="int32")
    types = relay.var("data1", shape=(batch, SEQUENCE), dtype="int32")
    lengths = relay.var("data2", shape=(batch,), dtype="float32")
    x = _embed(tokens, "word", sizes.vocabulary, sizes.hidden) + _embed(types, "type", 2, sizes.hidden)
    sequence = _post_norm_encoder(x, sizes, batch, lengths)
    first = relay.take(sequence, relay.const(0, "int32"), axis=1)
    pooled = relay.tanh(_dense(first, "pooler", sizes.hidden, sizes.hidden))
    scores = _dense(pooled, "classifier", sizes.hidden, 2)
    inputs = {
        "data0": _tokens(batch, SEQUENCE, vocabulary=sizes.vocabulary),
        "data1": np.zeros((batch, SEQUENCE), "int32"),
        "data2": np.full(batch, SEQUENCE, "float32"),
    }
    return network_of(relay.Tuple([sequence, pooled, scores]), inputs)


def roberta_large(batch: int) -> Network:
    """RoBERTa large (arXiv 1907.11692) for 128 tokens: BERT's encoder without token types, lengths, and anything on
    top.

    Input: `data0` tokens, B x S. Output: the sequence, B x S x C.
    """
    from tvm import relay

    sizes = ROBERTA_LARGE
    tokens = relay.var("data0", shape=(batch, SEQUENCE), dtype="int32")
    x = _embed(tokens, "word", sizes.vocabulary, sizes.hidden)
    output = _post_norm_encoder(x, sizes, batch, None)
    return network_of(output, {"data0": _tokens(batch, SEQUENCE, vocabulary=sizes.vocabulary)})


def gpt2(batch: int) -> Network:
    """GPT-2 with 124 million weights, without the layer that scores words.

    Input: `input1` tokens, B x 128 x S: the paper gave it 128 sequences of 128 tokens and called that batch 1. Output:
    B x 128 x S x C. The keys and values, which the published file returns for a later call, are not returned.
    """
    from tvm import relay

    sizes = GPT2_SMALL
    rows = batch * SEQUENCE
    tokens = relay.var("input1", shape=(batch, SEQUENCE, SEQUENCE), dtype="int32")
    words = _embed(relay.reshape(tokens, (-1, SEQUENCE)), "word", sizes.vocabulary, sizes.hidden)
    places = _places(sizes)
    x = words + places
    for layer in range(sizes.layers):
        x = x + _causal_attention(_written_out_norm(x, f"l{layer}_norm1", sizes.hidden), f"l{layer}", sizes, rows)
        y = _written_out_norm(x, f"l{layer}_norm2", sizes.hidden)
        y = _rows_dense(y, f"l{layer}_ffn1", sizes.hidden, sizes.feed_forward)
        x = x + _rows_dense(_tanh_gelu(y), f"l{layer}_ffn2", sizes.feed_forward, sizes.hidden)
    x = _written_out_norm(x, "norm", sizes.hidden)
    x = relay.reshape(x, (batch, SEQUENCE, SEQUENCE, sizes.hidden))
    return network_of(x, {"input1": _tokens(batch, SEQUENCE, SEQUENCE, vocabulary=sizes.vocabulary)})


def vit_huge(batch: int, layout: str) -> Network:
    """ViT huge (arXiv 2010.11929) on patches of 16 x 16 of an image of 224 x 224.

    As in vit-pytorch a head has 64 channels, 1024 in all, and queries, keys and values have no bias.

    Input: `data`, the images. Output: B x 1000.
    """
    from tvm import relay

    sizes = VIT_HUGE
    grid, size = 224 // VIT_PATCH, VIT_PATCH
    shape = (batch, 224, 224, 3) if layout == "NHWC" else (batch, 3, 224, 224)
    images = relay.var("data", shape=shape)
    if layout == "NHWC":
        patches = relay.transpose(relay.reshape(images, (batch, grid, size, grid, size, 3)), (0, 1, 3, 2, 4, 5))
    else:
        patches = relay.transpose(relay.reshape(images, (batch, 3, grid, size, grid, size)), (0, 2, 4, 3, 5, 1))
    patches = relay.reshape(patches, (batch, grid * grid, size * size * 3))
    x = _matrix_dense(patches, "patch", size * size * 3, sizes.hidden)
    first = relay.broadcast_to(relay.var("class_weight", shape=(1, 1, sizes.hidden)), (batch, 1, sizes.hidden))
    x = relay.concatenate([first, x], axis=1)
    x = x + relay.var("position_weight", shape=(1, grid * grid + 1, sizes.hidden))
    for layer in range(sizes.layers):
        x = x + _vit_attention(_norm(x, f"l{layer}_norm1", sizes.hidden), f"l{layer}", sizes, batch, grid * grid + 1)
        y = _matrix_dense(_norm(x, f"l{layer}_norm2", sizes.hidden), f"l{layer}_ffn1", sizes.hidden, sizes.feed_forward)
        x = x + _matrix_dense(_gelu(y), f"l{layer}_ffn2", sizes.feed_forward, sizes.hidden)
    x = _norm(relay.take(x, relay.const(0, "int32"), axis=1), "norm", sizes.hidden)
    return network_of(_dense(x, "fc", sizes.hidden, 1000), {"data": example_input(shape, "float32")})


def _post_norm_encoder(x: relay.Expr, sizes: _Sizes, batch: int, lengths: relay.Expr | None) -> relay.Expr:
    """GluonNLP's encoder, from B x S x C to B x S x C; within, the sequence comes first."""
    from tvm import relay

    places = _places(sizes)
    x = relay.transpose(x, (1, 0, 2)) + relay.expand_dims(places, axis=1)
    x = _norm(x, "norm", sizes.hidden)
    for layer in range(sizes.layers):
        y = _interleaved_attention(x, f"l{layer}", sizes, batch, lengths)
        x = _norm(x + y, f"l{layer}_norm1", sizes.hidden)
        y = _sequence_dense(x, f"l{layer}_ffn1", sizes.hidden, sizes.feed_forward, batch)
        y = _sequence_dense(_gelu(y), f"l{layer}_ffn2", sizes.feed_forward, sizes.hidden, batch)
        x = _norm(x + y, f"l{layer}_norm2", sizes.hidden)
    return relay.transpose(x, (1, 0, 2))


def _interleaved_attention(
    x: relay.Expr, name: str, sizes: _Sizes, batch: int, lengths: relay.Expr | None
) -> relay.Expr:
    """One dense layer makes queries, keys and values of all heads, interleaved: S x B x H x 3 x D."""
    from tvm import relay

    hidden, heads = sizes.hidden, sizes.heads
    size = hidden // heads
    made = _sequence_dense(x, f"{name}_qkv", hidden, 3 * hidden, batch)
    made = relay.reshape(made, (SEQUENCE, batch, heads, 3, size))
    # Each B*H x S x D.
    query, key, value = (
        relay.reshape(
            relay.transpose(relay.take(made, relay.const(part, "int32"), axis=3), (1, 2, 0, 3)),
            (batch * heads, SEQUENCE, size),
        )
        for part in range(3)
    )
    scores = relay.nn.batch_matmul(query / relay.const(float(np.sqrt(size))), key)
    if lengths is None:
        shares = relay.nn.softmax(scores, axis=-1)
    else:
        # TVM masks two dimensions only.
        rows = relay.reshape(scores, (batch * heads * SEQUENCE, SEQUENCE))
        row_lengths = relay.repeat(lengths, heads * SEQUENCE, axis=0)
        lowest = float(np.finfo("float32").min)
        shares = relay.nn.softmax(relay.sequence_mask(rows, row_lengths, lowest, axis=1), axis=1)
        shares = relay.reshape(shares, (batch * heads, SEQUENCE, SEQUENCE))
    mixed = relay.nn.batch_matmul(shares, relay.transpose(value, (0, 2, 1)))
    mixed = relay.transpose(relay.reshape(mixed, (batch, heads, SEQUENCE, size)), (2, 0, 1, 3))
    return _sequence_dense(relay.reshape(mixed, (SEQUENCE, batch, hidden)), f"{name}_proj", hidden, hidden, batch)


def _causal_attention(x: relay.Expr, name: str, sizes: _Sizes, rows: int) -> relay.Expr:
    """A token heeds itself and those before it; x is rows x S x C.

    The softmax is written out, as the ONNX frontend of 2021 did.
    """
    from tvm import relay

    hidden, heads = sizes.hidden, sizes.heads
    size = hidden // heads
    made = relay.split(_rows_dense(x, f"{name}_qkv", hidden, 3 * hidden), 3, axis=2)
    query, key, value = (relay.reshape(part, (rows, SEQUENCE, heads, size)) for part in made)
    query = relay.reshape(relay.transpose(query, (0, 2, 1, 3)), (rows * heads, SEQUENCE, size))
    key = relay.reshape(relay.transpose(key, (0, 2, 3, 1)), (rows * heads, size, SEQUENCE))
    value = relay.reshape(relay.transpose(value, (0, 2, 1, 3)), (rows * heads, SEQUENCE, size))
    scores = relay.nn.batch_matmul(query, relay.transpose(key, (0, 2, 1)))
    scores = relay.reshape(scores, (rows, heads, SEQUENCE, SEQUENCE)) / relay.const(float(np.sqrt(size)))
    seen = np.tril(np.ones((1, 1, SEQUENCE, SEQUENCE), "float32"))
    scores = scores * relay.const(seen) - relay.const(1e4 * (1 - seen))
    powers = relay.exp(scores - relay.max(scores, axis=-1, keepdims=True))
    shares = powers / relay.sum(powers, axis=-1, keepdims=True)
    shares = relay.reshape(shares, (rows * heads, SEQUENCE, SEQUENCE))
    mixed = relay.nn.batch_matmul(shares, relay.transpose(value, (0, 2, 1)))
    mixed = relay.transpose(relay.reshape(mixed, (rows, heads, SEQUENCE, size)), (0, 2, 1, 3))
    return _rows_dense(relay.reshape(mixed, (rows, SEQUENCE, hidden)), f"{name}_proj", hidden, hidden)


def _vit_attention(x: relay.Expr, name: str, sizes: _Sizes, batch: int, length: int) -> relay.Expr:
    """x is B x S x C."""
    from tvm import relay

    heads, size = sizes.heads, VIT_HEAD_SIZE
    inner = heads * size
    made = relay.split(_matrix_dense(x, f"{name}_qkv", sizes.hidden, 3 * inner, bias=False), 3, axis=-1)
    query, key, value = (
        relay.transpose(relay.reshape(part, (batch, length, heads, size)), (0, 2, 1, 3)) for part in made
    )
    query, key, value = (relay.reshape(part, (batch * heads, length, size)) for part in (query, key, value))
    scores = relay.reshape(relay.nn.batch_matmul(query, key), (batch, heads, length, length))
    shares = relay.nn.softmax(scores * relay.const(float(size**-0.5)), axis=-1)
    shares = relay.reshape(shares, (batch * heads, length, length))
    mixed = relay.nn.batch_matmul(shares, relay.transpose(value, (0, 2, 1)))
    mixed = relay.transpose(relay.reshape(mixed, (batch, heads, length, size)), (0, 2, 1, 3))
    return _matrix_dense(relay.reshape(mixed, (batch, length, inner)), f"{name}_proj", inner, sizes.hidden)


def _dense(x: relay.Expr, name: str, inputs: int, outputs: int) -> relay.Expr:
    """Of a matrix, with a bias."""
    from tvm import relay

    weight = relay.var(f"{name}_weight", shape=(outputs, inputs))
    return relay.nn.bias_add(relay.nn.dense(x, weight), relay.var(f"{name}_bias", shape=(outputs,)))


def _sequence_dense(x: relay.Expr, name: str, inputs: int, outputs: int, batch: int) -> relay.Expr:
    """Of S x B x C, by the MXNet frontend: as a matrix, bias and all."""
    from tvm import relay

    return relay.reshape(_dense(relay.reshape(x, (-1, inputs)), name, inputs, outputs), (SEQUENCE, batch, outputs))


def _rows_dense(x: relay.Expr, name: str, inputs: int, outputs: int) -> relay.Expr:
    """Of rows x S x C, by the ONNX frontend's Gemm: as a matrix, bias and all."""
    from tvm import relay

    return relay.reshape(_dense(relay.reshape(x, (-1, inputs)), name, inputs, outputs), (-1, SEQUENCE, outputs))


def _matrix_dense(x: relay.Expr, name: str, inputs: int, outputs: int, bias: bool = True) -> relay.Expr:
    """Of B x S x C, by the PyTorch frontend: as a matrix, the bias added after."""
    from tvm import relay

    weight = relay.var(f"{name}_weight", shape=(outputs, inputs))
    y = relay.nn.dense(relay.reshape(x, (-1, inputs)), weight)
    y = relay.reshape_like(y, x, lhs_begin=0, lhs_end=1, rhs_begin=0, rhs_end=2)
    return y + relay.var(f"{name}_bias", shape=(outputs,)) if bias else y


def _norm(x: relay.Expr, name: str, hidden: int) -> relay.Expr:
    from tvm import relay

    gamma, beta = (relay.var(f"{name}_{part}", shape=(hidden,)) for part in ("gamma", "beta"))
    return relay.nn.layer_norm(x, gamma, beta, axis=-1, epsilon=1e-5)


def _written_out_norm(x: relay.Expr, name: str, hidden: int) -> relay.Expr:
    """A layer norm as its exporter wrote it to ONNX."""
    from tvm import relay

    gamma, beta = (relay.var(f"{name}_{part}", shape=(hidden,)) for part in ("gamma", "beta"))
    centred = x - relay.mean(x, axis=-1, keepdims=True)
    variance = relay.mean(relay.power(centred, relay.const(2.0)), axis=-1, keepdims=True)
    return centred / relay.sqrt(variance + relay.const(1e-5)) * gamma + beta


def _gelu(x: relay.Expr) -> relay.Expr:
    from tvm import relay

    return x * relay.const(0.5) * (relay.const(1.0) + relay.erf(x / relay.const(float(np.sqrt(2.0)))))


def _tanh_gelu(x: relay.Expr) -> relay.Expr:
    from tvm import relay

    inner = relay.const(float(np.sqrt(2 / np.pi))) * (x + relay.const(0.044715) * relay.power(x, relay.const(3.0)))
    return x * relay.const(0.5) * (relay.const(1.0) + relay.tanh(inner))


def _embed(tokens: relay.Expr, name: str, count: int, hidden: int) -> relay.Expr:
    from tvm import relay

    return relay.take(relay.var(f"{name}_weight", shape=(count, hidden)), tokens, axis=0)


def _places(sizes: _Sizes) -> relay.Expr:
    """What is learnt of the first S positions, S x C."""
    from tvm import relay

    table = relay.var("position_weight", shape=(sizes.positions, sizes.hidden))
    return relay.strided_slice(table, (0, 0), (SEQUENCE, sizes.hidden))


def _tokens(*shape: int, vocabulary: int) -> NDArray[Any]:
    return np.random.default_rng(SEED).integers(0, vocabulary, shape).astype("int32")
