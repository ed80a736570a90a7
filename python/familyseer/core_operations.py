"""Core operations by the names that TOPI gives what it computes, which are the same in either tuner's tasks."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence

# What TOPI names or tags an operation, and what Relay calls it; the first line that any operation of a task matches
# counts. The order is: what is a special case of something further down comes first.
_PATTERNS = (
    (r"winograd", "nn.conv2d_winograd"),
    (r"conv(\d)d_transpose|conv(\d)d_backward_input", "nn.conv{}d_transpose"),
    (r"deformable_conv2d", "nn.deformable_conv2d"),
    (r"depthwise_?conv(\d)d", "nn.depthwise_conv{}d"),
    (r"group_conv(\d)d", "nn.group_conv{}d"),
    (r"conv(\d)d", "nn.conv{}d"),
    (r"batch_matmul", "nn.batch_matmul"),
    (r"sparse_dense", "nn.sparse_dense"),
    (r"\bdense", "nn.dense"),
    (r"matmul", "nn.matmul"),
    (r"log_softmax", "nn.log_softmax"),
    (r"softmax", "nn.softmax"),
    (r"layer_norm", "nn.layer_norm"),
    (r"group_norm", "nn.group_norm"),
    (r"instance_norm", "nn.instance_norm"),
    (r"rms_norm", "nn.rms_norm"),
)
# Names of tensors and axes, not of functions.
_NAME = re.compile(r"(?<![\w.\"])[A-Za-z_]\w*(?![\w.(\"])")
_INJECTIVE = (("layout_trans", "layout_transform"), ("concat", "concatenate"), ("resize", "image.resize2d"))


def by_label(labels: Sequence[str]) -> str | None:
    """The Relay name of the operation that dominates a task whose operations have these labels; None where no label
    says it, as for reductions and what is elementwise."""
    # A transposed convolution is a dilated input convolved; only its dilation tells it from a plain one.
    dilated = any("dilate" in label for label in labels)
    for pattern, name in _PATTERNS:
        for label in labels:
            match = re.search(pattern, label, re.IGNORECASE)
            if match:
                dimensions = next((group for group in match.groups() if group), "2")
                transposed = dilated and "conv" in name and "transpose" not in name
                return ("nn.conv{}d_transpose" if transposed else name).format(dimensions)
    return None


def pooling(label: str, spatial: int, output: Iterable[int]) -> str | None:
    """The pooling over so many extents that a reduction of this label is, which makes a tensor of `output`; None where
    it is none."""
    match = re.search(r"(adaptive_)?pool(?:_grad)?_(max|sum)", label)
    if match is None:
        return None
    kind = "max" if match.group(2) == "max" else "avg"
    if not match.group(1):
        return f"nn.{kind}_pool{spatial}d"
    # A global pooling is an adaptive one's to 1 x 1; one extent in the shape is the batch's own.
    ones = sum(1 for extent in list(output)[1:] if extent == 1)
    return f"nn.{'global' if ones >= spatial else 'adaptive'}_{kind}_pool{spatial}d"


def injective(label: str) -> str:
    """What moves numbers and computes none, by the label of its last operation."""
    return next((name for part, name in _INJECTIVE if part in label.lower()), "injective")


def by(extents: Sequence[int]) -> str:
    """Extents in words for people, such as 56x56x72."""
    return "x".join(map(str, extents)) or "scalar"


def convolution_words(
    word: str, label: str, data: Sequence[int], kernel: Sequence[int], made: Sequence[int]
) -> str | None:
    """A convolution over two dimensions: kernel, height x width x channels in, and channels out where they are not as
    many, e.g. `conv2d 1x1 56x56x72 -> 12`; None where the label does not say where channels are."""
    label = label.lower()
    if "nhwc" in label:
        spatial, size, channels = list(data[1:4]), kernel[0:2], made[-1]
    elif "nchwc" in label:
        spatial, size, channels = [*data[2:4], data[1] * data[-1]], kernel[2:4], made[1] * made[-1]
    elif "nchw" in label:
        spatial, size, channels = [*data[2:4], data[1]], kernel[2:4], made[1]
    else:
        return None
    words = f"{word} {by(size)} {by(spatial)}"
    return words if "depthwise" in word else f"{words} -> {channels}"


def stage_key(source: str, axes: Sequence[int], windows: Sequence[int], kind: str) -> str:
    """A hash of what a stage computes, 16 hex digits: equal for stages that differ in names, and in the extents of
    other axes than its windows', alone.

    `source` is the expression of what it sums up, strides and dilations included, `axes` how many spatial and reduction
    axes it has, `windows` the extents of those that share an index with another, as a kernel's do, and `kind` the
    reducer and the type of the numbers.
    """
    names: dict[str, str] = {}
    text = _NAME.sub(lambda match: names.setdefault(match[0], f"v{len(names)}"), source)
    return hashlib.sha256(repr((text, tuple(axes), tuple(windows), kind)).encode()).hexdigest()[:16]
