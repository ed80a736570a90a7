"""What a program for a GPU does, kernel by kernel, read from its loops before anything is unrolled or compiled.

TVM gives the loops as one JSON text: to ask its objects for them one by one takes a hundred times as long.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import tvm
from numpy.typing import NDArray

if TYPE_CHECKING:
    from numpy.typing import NDArray

WARP = 32
# What an operation counts as; those on whole numbers compute addresses, and a division is a multiplication and shifts.
_FLOAT_OPERATIONS = {"tir.Add": "add", "tir.Sub": "add", "tir.Mul": "multiply", "tir.Max": "add", "tir.Min": "add"}
_ADDRESS_OPERATIONS = {"tir.Add": 1, "tir.Sub": 1, "tir.Mul": 1, "tir.FloorDiv": 3, "tir.FloorMod": 4}
_CONDITIONS = ("tir.LT", "tir.LE", "tir.GT", "tir.GE", "tir.EQ", "tir.NE", "tir.And", "tir.Or", "tir.Not")
_SERIAL, _PARALLEL, _VECTORIZED, _UNROLLED = range(4)

Range = tuple[int, int]


@dataclass(frozen=True)
class Loop:
    """A loop of a thread. `variable` is the number of its variable's node."""

    variable: int
    extent: int
    kind: int = 0

    @property
    def vectorized(self) -> bool:
        return self.kind == _VECTORIZED

    @property
    def unrolled(self) -> bool:
        return self.kind == _UNROLLED


@dataclass(frozen=True)
class Access:
    """A load or store of one element in each iteration.

    `side_by_side`: how many elements, up to 4, a thread accesses that lie side by side, in one of its loops.
    `requests`: for what the 32 threads of a warp access so at once, how many 32-byte sectors of global memory
    (`global`), or how many cycles of shared memory's 32 banks (`shared`). `block_bytes`, `all_bytes`: what a block and
    all blocks together access, each byte once.
    """

    buffer: str
    scope: str
    store: bool
    depends_on: frozenset[int]
    side_by_side: int
    requests: int
    element_bytes: int
    block_bytes: int
    all_bytes: int


@dataclass(frozen=True)
class Statement:
    """One store with all it computes, and the loops of a thread around it, outermost first, then the virtual threads
    that it differs for.

    Operations are of one iteration; `threads` take part; `unroll` is how many iterations TVM unrolls at most.
    """

    loops: tuple[Loop, ...]
    threads: int
    unroll: int
    adds: int
    multiplies: int
    divides: int
    functions: int
    address_operations: int
    accesses: tuple[Access, ...]


@dataclass
class Kernel:
    """One launch. `phases`: how often a block fills its shared memory; `registers`: floats a thread keeps in arrays."""

    extents: dict[str, int] = field(default_factory=dict)
    virtual_threads: int = 1
    shared_bytes: int = 0
    registers: int = 0
    phases: int = 0
    statements: list[Statement] = field(default_factory=list)

    @property
    def blocks(self) -> int:
        return self._extent("blockIdx")

    @property
    def threads(self) -> int:
        return self._extent("threadIdx")

    def _extent(self, index: str) -> int:
        return math.prod(extent for tag, extent in self.extents.items() if tag.startswith(index))


def read_kernels(module: tvm.IRModule) -> list[Kernel] | None:
    """The kernels of a program, in order; None where part of it is in no kernel."""
    return _Reader(json.loads(tvm.ir.save_json(module))["nodes"]).read()


@dataclass
class _Region:
    """Where a buffer is, and the least index and extent of each dimension that is kept there; all of it, if global."""

    scope: str
    mins: Sequence[int]
    extents: Sequence[int]


@dataclass(frozen=True)
class _Around:
    """What is around a statement."""

    kernel: Kernel | None = None
    loops: tuple[Loop, ...] = ()
    virtual: tuple[Loop, ...] = ()
    tags: Mapping[int, str] = field(default_factory=dict)
    unroll: int = 0
    guard_operations: int = 0

    def but(self, **changes: Any) -> _Around:
        return _Around(**{**self.__dict__, **changes})


class _Reader:
    """Walks the nodes of one lowered program."""

    def __init__(self, nodes: list[dict[str, Any]]) -> None:
        self._nodes = nodes
        self._kernels: list[Kernel] = []
        self._regions: dict[int, _Region] = {}
        self._homeless = False
        self._arguments: set[int] = set()

    def read(self) -> list[Kernel] | None:
        function = next(index for index in range(len(self._nodes)) if self._kind(index) == "tir.PrimFunc")
        self._arguments = set(self._items(self._of(function, "buffer_map")))
        self._visit(self._of(function, "body"), _Around())
        return None if self._homeless else self._kernels

    # ---- nodes ----

    def _kind(self, node: int) -> str:
        return str(self._nodes[node].get("type_key", ""))

    def _of(self, node: int, name: str) -> int:
        return int(self._nodes[node]["attrs"][name])

    def _text(self, node: int, name: str) -> str:
        return str(self._nodes[self._of(node, name)].get("repr_str", ""))

    def _items(self, node: int) -> list[int]:
        return [int(each) for each in self._nodes[node].get("data", [])]

    def _number(self, node: int) -> int:
        """The value of an expression with every variable at 0."""
        return int(self._value(node, {}))

    # ---- statements ----

    def _visit(self, node: int, around: _Around) -> None:
        kind = self._kind(node)
        if kind == "tir.SeqStmt":
            for each in self._items(self._of(node, "seq")):
                self._visit(each, around)
        elif kind == "tir.AttrStmt":
            self._visit_attribute(node, around)
        elif kind == "tir.BufferRealize":
            self._realize(node, around)
            self._visit(self._of(node, "body"), around)
        elif kind == "tir.For":
            extent = self._number(self._of(node, "extent"))
            loop = Loop(self._of(node, "loop_var"), extent, self._of(node, "kind"))
            self._visit(self._of(node, "body"), around.but(loops=(*around.loops, loop)))
        elif kind == "tir.IfThenElse":
            guards = around.guard_operations + self._address_operations(self._of(node, "condition")) + 1
            self._visit(self._of(node, "then_case"), around.but(guard_operations=guards))
        elif kind == "tir.BufferStore":
            self._store(node, around)
        else:
            for name in ("body", "block"):
                if name in self._nodes[node].get("attrs", {}):
                    self._visit(self._of(node, name), around)

    def _visit_attribute(self, node: int, around: _Around) -> None:
        key, body, about = self._text(node, "attr_key"), self._of(node, "body"), self._of(node, "node")
        value = self._number(self._of(node, "value")) if self._kind(self._of(node, "value")) == "IntImm" else 0
        if key in ("thread_extent", "virtual_thread"):
            variable, tag = self._of(about, "var"), self._text(about, "thread_tag")
            kernel = around.kernel
            if kernel is None:
                kernel = Kernel()
                self._kernels.append(kernel)
            if tag.startswith(("vthread", "cthread")):
                kernel.virtual_threads *= value
                around = around.but(virtual=(*around.virtual, Loop(variable, value)))
            else:
                kernel.extents[tag] = value
            around = around.but(kernel=kernel, tags={**around.tags, variable: tag})
        elif key == "pragma_auto_unroll_max_step":
            around = around.but(unroll=value)
        self._visit(body, around)

    def _realize(self, node: int, around: _Around) -> None:
        buffer = self._of(node, "buffer")
        bounds = self._items(self._of(node, "bounds"))
        extents = [self._number(self._of(each, "extent")) for each in bounds]
        scope = self._scope(buffer, around)
        self._regions[buffer] = _Region(scope, [self._number(self._of(each, "min")) for each in bounds], extents)
        kernel = around.kernel
        if kernel is None:
            return
        if scope == "shared":
            kernel.shared_bytes += math.prod(extents) * self._element_bytes(buffer)
            kernel.phases = max(kernel.phases, math.prod(loop.extent for loop in around.loops))
        elif scope == "local":
            kernel.registers += math.prod(extents) * math.prod(loop.extent for loop in around.virtual)

    def _scope(self, buffer: int, around: _Around) -> str:
        """As named, or by where it is kept (TVM: StorageFlatten): for a thread, a block, or all."""
        kind = self._of(self._of(buffer, "data"), "type_annotation")
        named = self._text(kind, "storage_scope") if "storage_scope" in self._nodes[kind].get("attrs", {}) else ""
        if named and named != "global":
            return named
        tags = " ".join(around.tags.values())
        return "local" if "threadIdx" in tags else "shared" if "blockIdx" in tags else "global"

    def _element_bytes(self, buffer: int) -> int:
        return np.dtype(self._nodes[buffer]["attrs"]["dtype"].replace("bool", "int8")).itemsize

    def _store(self, node: int, around: _Around) -> None:
        if around.kernel is None:
            self._homeless = True
            return
        touched = {each for each in self._below(node, True) if self._kind(each) == "tir.Var"}
        loops = (*around.loops, *(loop for loop in around.virtual if loop.variable in touched))
        counts = dict.fromkeys(("add", "multiply", "divide", "function"), 0)
        addresses = around.guard_operations
        accesses = [self._access(node, around, True)]
        for each in self._below(self._of(node, "value")):
            kind, attributes = self._kind(each), self._nodes[each].get("attrs", {})
            if kind == "tir.BufferLoad":
                accesses.append(self._access(each, around, False))
                addresses += self._address_operations(self._of(each, "indices"))
            elif str(attributes.get("dtype", "")).startswith("float"):
                if kind in _FLOAT_OPERATIONS:
                    counts[_FLOAT_OPERATIONS[kind]] += 1
                elif kind in ("tir.Div", "tir.FloorDiv"):
                    counts["divide"] += 1
                elif kind == "tir.Call" and self._text(each, "op") != "tir.if_then_else":
                    counts["function"] += 1
            elif kind in _CONDITIONS:
                addresses += 1
        around.kernel.statements.append(
            Statement(
                loops,
                math.prod(e for tag, e in around.kernel.extents.items() if tag.startswith("threadIdx")),
                around.unroll,
                counts["add"],
                counts["multiply"],
                counts["divide"],
                counts["function"],
                addresses + self._address_operations(self._of(node, "indices")),
                tuple(accesses),
            )
        )

    def _below(self, node: int, indices: bool = False) -> Iterator[int]:
        """The nodes of an expression or store, with or without those of the indices of what it accesses."""
        yield node
        if self._kind(node) in ("tir.BufferLoad", "tir.BufferStore"):
            for each in self._items(self._of(node, "indices")) if indices else ():
                yield from self._below(each, indices)
        for each in self._operands(node):
            yield from self._below(each, indices)

    def _operands(self, node: int) -> list[int]:
        attributes = self._nodes[node].get("attrs", {})
        if "args" in attributes:
            return self._items(int(attributes["args"]))
        names = ("a", "b", "value", "condition", "true_value", "false_value")
        if self._kind(node) in ("IntImm", "FloatImm", "tir.Var"):
            return []
        return [int(attributes[name]) for name in names if name in attributes]

    def _address_operations(self, node: int) -> int:
        """Of an index, or an array of them; what is computed twice counts once."""
        seen: set[int] = set()
        waiting = self._items(node) if self._kind(node) == "Array" else [node]
        while waiting:
            each = waiting.pop()
            if each not in seen:
                seen.add(each)
                waiting += self._operands(each)
        return sum(_ADDRESS_OPERATIONS.get(self._kind(each), 0) for each in seen)

    # ---- accesses ----

    def _access(self, node: int, around: _Around, store: bool) -> Access:
        buffer, indices = self._of(node, "buffer"), self._items(self._of(node, "indices"))
        shape = [self._number(each) for each in self._items(self._of(buffer, "shape"))]
        # What is neither an argument nor realized are the sums of threads that TVM adds up across a block.
        unrealized = _Region("global" if buffer in self._arguments else "local", [0] * len(shape), shape)
        region = self._regions.get(buffer, unrealized)
        element = self._element_bytes(buffer)
        variables = {each for index in indices for each in self._variables(index)}
        loops = (*around.loops, *around.virtual)
        depends_on = frozenset(loop.variable for loop in loops if loop.variable in variables)
        extents = shape if region.scope == "global" else region.extents
        inner = self._side_by_side(indices, extents, around)
        side_by_side = 1 if inner is None else 4 if inner.extent % 4 == 0 else 2
        requests, block_bytes, all_bytes = 1, 0, 0
        if region.scope == "global":
            requests = self._sectors(self._addresses(indices, extents, around, inner), element)
            block_bytes, all_bytes = (self._box_bytes(indices, shape, around, each) * element for each in (1, 0))
        elif region.scope == "shared":
            requests = _bank_cycles(self._addresses(indices, extents, around, inner), element)
        return Access(
            self._text(buffer, "name"),
            region.scope,
            store,
            depends_on,
            side_by_side,
            requests,
            element,
            block_bytes,
            all_bytes,
        )

    def _side_by_side(self, indices: Sequence[int], extents: Sequence[int], around: _Around) -> Loop | None:
        """The innermost loop whose iterations, an even number of them, access one element after the other."""
        first = self._flat(indices, extents, {})
        for loop in reversed(around.loops):
            even = loop.extent % 2 == 0
            if even and self._flat(indices, extents, {loop.variable: 1}) == first + 1:
                return loop
        return None

    def _flat(self, indices: Sequence[int], extents: Sequence[int], values: Mapping[int, Any]) -> Any:
        """The number of an element in its buffer."""
        flat: Any = 0
        for index, extent in zip(indices, extents):
            flat = flat * max(1, extent) + self._value(index, values)
        return flat

    def _addresses(
        self, indices: Sequence[int], extents: Sequence[int], around: _Around, inner: Loop | None
    ) -> NDArray[Any]:
        """Of a block's first warp in the first iteration of all loops, up to four of `inner` [threads, elements]."""
        assert around.kernel is not None
        thread = np.arange(min(WARP, max(1, around.kernel.threads)))[:, None]
        values: dict[int, Any] = {}
        if inner is not None:
            values[inner.variable] = np.arange(4 if inner.extent % 4 == 0 else 2)[None, :]
        for axis in "xyz":
            extent = around.kernel.extents.get(f"threadIdx.{axis}", 1)
            for variable, tag in around.tags.items():
                if tag == f"threadIdx.{axis}":
                    values[variable] = thread % extent
            thread = thread // extent
        return np.asarray(self._flat(indices, extents, values))

    def _box_bytes(self, indices: Sequence[int], shape: Sequence[int], around: _Around, block: int) -> int:
        """Elements between the least and the greatest index in each dimension, of one block or of all."""
        assert around.kernel is not None
        ranges = {loop.variable: (0, loop.extent - 1) for loop in (*around.loops, *around.virtual)}
        for variable, tag in around.tags.items():
            if tag.startswith("threadIdx") or not block:
                ranges[variable] = (0, around.kernel.extents.get(tag, 1) - 1)
        bounds = [self._range(index, ranges) for index in indices]
        return math.prod(max(1, min(extent, high - low + 1)) for (low, high), extent in zip(bounds, shape))

    @staticmethod
    def _sectors(addresses: NDArray[Any], element: int) -> int:
        return len(np.unique(addresses * element // 32))

    def _variables(self, node: int) -> Iterator[int]:
        if self._kind(node) == "tir.Var":
            yield node
        for each in self._operands(node):
            yield from self._variables(each)

    def _value(self, node: int, values: Mapping[int, Any]) -> Any:
        """An expression on whole numbers, variables that `values` lacks being 0."""
        kind, attributes = self._kind(node), self._nodes[node].get("attrs", {})
        if kind == "IntImm":
            return int(attributes["value"])
        if kind == "tir.Var":
            return values.get(node, 0)
        operands = [self._value(each, values) for each in self._operands(node)]
        return _OPERATIONS[kind](*operands) if kind in _OPERATIONS else operands[0] if operands else 0

    def _range(self, node: int, ranges: Mapping[int, Range]) -> Range:
        """The least and the greatest value of an expression, each variable in its range, or 0."""
        kind, attributes = self._kind(node), self._nodes[node].get("attrs", {})
        if kind == "IntImm":
            return int(attributes["value"]), int(attributes["value"])
        if kind == "tir.Var":
            return ranges.get(node, (0, 0))
        operands = [self._range(each, ranges) for each in self._operands(node)]
        if kind == "tir.FloorMod":
            (low, high), (divisor, _) = operands
            same = low // divisor == high // divisor
            return (low % divisor, high % divisor) if same else (0, divisor - 1)
        if kind in _OPERATIONS and len(operands) == 2:
            ends = [_OPERATIONS[kind](a, b) for a in operands[0] for b in operands[1]]
            return min(ends), max(ends)
        return operands[0] if operands else (0, 0)


_OPERATIONS: dict[str, Any] = {
    "tir.Add": lambda a, b: a + b,
    "tir.Sub": lambda a, b: a - b,
    "tir.Mul": lambda a, b: a * b,
    "tir.FloorDiv": lambda a, b: a // b,
    "tir.Div": lambda a, b: a // b,
    "tir.FloorMod": lambda a, b: a % b,
    "tir.Mod": lambda a, b: a % b,
    "tir.Max": np.maximum,
    "tir.Min": np.minimum,
}


def _bank_cycles(addresses: NDArray[Any], element: int) -> int:
    """Threads that read the same word are served at once, those that read other words of a bank one after another."""
    words = np.unique(addresses * element // 4)
    return int(np.bincount(words % 32).max())
