"""What a task computes, read from the blocks of its PrimFunc."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from math import prod
from typing import TYPE_CHECKING, Any

from ..core_operations import by, by_label, convolution_words, injective, pooling, stage_key
from .tvm_names import Load, buffer_of

if TYPE_CHECKING:
    import tvm
    from tvm import s_tir

_REDUCERS = {"Add": "sum", "Max": "max", "Min": "min", "Mul": "prod"}
_REDUCING = 2  # IterVar.CommReduce
# In TVMScript: comments, attributes and the names of blocks; numbers; names.
_SKIPPED = re.compile(r"^\s*(#.*|T\.func_attr\(.*|T\.sblock_attr\(.*)$\n?|T\.sblock\(\".*?\"\)", re.MULTILINE)
_NUMBER = re.compile(
    r"T\.(?:int|uint|float|bfloat)\d+\((?:[-\d.e+]+|\"-?(?:inf|nan)\")\)|(?<![\w.\"])-?\d[\d.]*(?:e[-+]?\d+)?"
)
_NAME = re.compile(r"(?<![\w.\"])[A-Za-z_]\w*(?![\w\"])")
_KEYWORDS = set("T I def for in with if else and or not range True False None".split())  # noqa: SIM905


def blocks_of(function: tvm.tirx.PrimFunc) -> list[s_tir.SBlock]:
    """The blocks that compute, in order, without the root."""
    return [block for block in _blocks(function.body) if str(block.name_hint) != "root"]


def core_operation(function: tvm.tirx.PrimFunc) -> str | None:
    """The Relay name of the operation that dominates a function; None for one that computes nothing."""
    blocks = blocks_of(function)
    if not blocks:
        return None
    labels = [_label(block) for block in blocks]
    found = by_label(labels)
    main = _main(blocks)
    if main is not None:
        reduced = [extent for extent, reducing in _iterations(main) if reducing]
        if found is not None and found.startswith("nn.group_conv") and _channels_of_group(main) == 1:
            return found.replace("group", "depthwise")
        if found is None and any("dilate" in label for label in labels) and len(reduced) > 1:
            # TOPI gives it no name; it reduces its kernel's extents and the channels.
            return f"nn.conv{len(reduced) - 1}d_transpose"
    if found == "nn.matmul":
        return _matmul(next(block for block in blocks if "matmul" in _label(block)))
    if found == "nn.softmax" and not any("norm" in label for label in labels):
        return "nn.log_softmax"
    return found or _pooling(blocks) or _reduction(blocks) or _elementwise(blocks)


def task_words(function: tvm.tirx.PrimFunc) -> str:
    """The task in words for people, e.g. `conv2d 1x1 56x56x72 -> 12` (kernel, height x width x channels in, out)."""
    operation = core_operation(function)
    if operation is None:
        return "nothing"
    blocks = blocks_of(function)
    word = operation.replace("nn.", "", 1)
    main = _main(blocks)
    output = _shape(buffer_of(blocks[-1].writes[0]))
    if main is None:
        return f"{word} {by(output)}"
    read = [_shape(_before_padding(buffer_of(region), blocks)) for region in main.reads]
    made = _shape(buffer_of(main.writes[0]))
    if "conv2d" in word and len(read) == 2:
        words = convolution_words(word, _label(main), read[0], read[1], made)
        if words is not None:
            return words
    if operation == "nn.dense":
        return f"{word} {by(read[0])} -> {made[-1]}"
    if read and read[0] != output:
        return f"{word} {by(read[0])} -> {by(output)}"
    return f"{word} {by(output)}"


def structure(function: tvm.tirx.PrimFunc) -> str:
    """A hash of what the function computes, 32 hex digits: equal for functions that differ in extents and other numbers
    alone, and in names."""
    names: dict[str, str] = {}

    def renamed(match: re.Match[str]) -> str:
        name = match[0]
        return name if name in _KEYWORDS else names.setdefault(name, f"v{len(names)}")

    text = _NUMBER.sub("0", _SKIPPED.sub("", function.script()))
    return hashlib.sha256(_NAME.sub(renamed, text).encode()).hexdigest()[:32]


def tiled_stage(function: tvm.tirx.PrimFunc) -> str:
    """A key of what the block computes that takes most of a function's time, and that is tiled (core_operations.py,
    `stage_key`); empty for a function that reduces nothing."""
    reducing = [block for block in blocks_of(function) if _reduces(block)]
    if not reducing:
        return ""
    block = max(reducing, key=lambda each: prod(max(1, extent) for extent, _reducing in _iterations(each)))
    iterations = _iterations(block)
    names = [str(each.var.name) for each in block.iter_vars]
    indices = [_names(str(index.min)) & set(names) for region in block.reads for index in region.region]
    sharing = {name for index in indices if len(index) > 1 for name in index}
    windows = [extent for (extent, reducing), name in zip(iterations, names) if reducing and name in sharing]
    reduced = sum(reducing for _extent, reducing in iterations)
    # The last line of its script; those before say what buffers there are.
    source = str(block.body).splitlines()[-1]
    kind = str(buffer_of(block.writes[0]).dtype)
    return stage_key(source, [len(iterations) - reduced, reduced], windows, kind)


def _blocks(statement: Any) -> Iterator[s_tir.SBlock]:
    """Those within a statement, the outer ones first."""
    block = getattr(statement, "block", None)
    if block is not None:
        yield block
        yield from _blocks(block.body)
    for part in getattr(statement, "seq", ()):
        yield from _blocks(part)
    for name in ("body", "then_case", "else_case"):
        part = getattr(statement, name, None)
        if part is not None:
            yield from _blocks(part)


def _main(blocks: list[s_tir.SBlock]) -> s_tir.SBlock | None:
    """The first that reduces; of a softmax written as one, its first reduction."""
    return next((block for block in blocks if _reduces(block)), None)


def _reduces(block: s_tir.SBlock) -> bool:
    return any(reducing for _extent, reducing in _iterations(block))


def _iterations(block: s_tir.SBlock) -> list[tuple[int, bool]]:
    """The extent of each variable, -1 for an open one, and whether it is reduced over."""
    return [(_number(each.dom.extent), int(each.iter_type) == _REDUCING) for each in block.iter_vars]


def _channels_of_group(block: s_tir.SBlock) -> int:
    """Of a grouped convolution's inputs, how many channels an output reads: TOPI calls that variable `rc`."""
    return next((_number(each.dom.extent) for each in block.iter_vars if "rc" in str(each.var.name)), 0)


def _matmul(block: s_tir.SBlock) -> str:
    """A dense layer multiplies all its rows with one matrix; a batch has a matrix for each."""
    spatial = {str(each.var.name) for each in block.iter_vars if int(each.iter_type) != _REDUCING}
    left, right = (set().union(*(_names(str(each.min)) for each in read.region)) & spatial for read in block.reads)
    return "nn.batch_matmul" if left & right else "nn.dense"


def _names(index: str) -> set[str]:
    """The names in an expression."""
    return set(re.findall(r"[A-Za-z_]\w*", index))


def _pooling(blocks: list[s_tir.SBlock]) -> str | None:
    for block in blocks:
        reduced = sum(reducing for _extent, reducing in _iterations(block))
        found = pooling(_label(block), reduced, _shape(buffer_of(block.writes[0])))
        if found is not None:
            return found
    return None


def _reduction(blocks: list[s_tir.SBlock]) -> str | None:
    reducing = [block for block in blocks if _reduces(block)]
    if not reducing:
        return None
    name = _reducer(reducing[-1])
    after = blocks[blocks.index(reducing[-1]) + 1 :]
    return "mean" if name == "sum" and any("divide" in _label(block) for block in after[:1]) else name


def _reducer(block: s_tir.SBlock) -> str:
    """The name of the function a reduction folds with."""
    if len(block.writes) > 1:
        return "argmax" if ">" in str(block.body) else "argmin"
    return _REDUCERS.get(type(getattr(block.body, "value", None)).__name__, "reduce")


def _elementwise(blocks: list[s_tir.SBlock]) -> str:
    return injective(_label(blocks[-1])) if all(map(_moves, blocks)) else "elementwise"


def _moves(block: s_tir.SBlock) -> bool:
    """Whether it writes numbers that it reads, wherever, or such as a function of its own makes of those around."""
    value = getattr(block.body, "value", None)
    return "resize" in _label(block) or isinstance(value, Load) or "if_then_else" in str(value)


def _before_padding(buffer: tvm.ir.Expr, blocks: list[s_tir.SBlock]) -> tvm.ir.Expr:
    for block in reversed(blocks):
        if (
            re.search("pad|dilate", _label(block))
            and buffer_of(block.writes[0]).same_as(buffer)
            and len(block.reads) == 1
        ):
            buffer = buffer_of(block.reads[0])
    return buffer


def _label(block: s_tir.SBlock) -> str:
    return str(block.name_hint)


def _shape(buffer: tvm.ir.Expr) -> list[int]:
    return [_number(extent) for extent in buffer.shape]


def _number(extent: Any) -> int:
    return int(extent) if isinstance(extent, int) or hasattr(extent, "value") else -1
