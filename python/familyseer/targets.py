"""Which targets TVM can compile for, and whether their programs run here: found out by compiling and running one.

TVM puts another processor in place of one that LLVM does not know, says so on its standard error alone, and where the
triple does not fit, ends (0.8 to 0.27, each in its own way). So this is tried in a process of its own,
`python -m MODULE TARGET`, where the module is the tuner's own and calls `try_target`, and what that says decides.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Literal, Optional

from .errors import RequestError
from .interpreter import command, environment
from .near_misses import did_you_mean

if TYPE_CHECKING:
    import tvm

CPU_KINDS = ("llvm", "c")
# The kinds that TVM's tuners search programs for, and that we can measure them on.
KINDS = (*CPU_KINDS, "cuda", "rocm", "metal", "opencl", "vulkan")

# Where programs are to run.
Measures = Literal["here", "elsewhere", "nowhere"]
Listing = Callable[[Optional[str]], Any]

# Named by the targets, and so by the records, of what was not measured but simulated (simulated/gpu.py).
SIMULATED_MODEL = "simulated-v100"

_SECONDS = 120
# What is tried, in this order; each is said on both outputs when it is done.
_PARSED, _LISTED, _COMPILED, _DEVICE, _RAN = "parsed", "listed", "compiled", "device", "ran"
_STAGE = re.compile(r"^familyseer: (\w+)$", re.MULTILINE)
_BLOCK = re.compile(r"^familyseer: a block has (\d+) threads and (\d+) bytes$", re.MULTILINE)
# TVM's build of 0.18 prints these on every start; they mean nothing.
_HARMLESS = re.compile(r".*-mcpu=apple-latest.*\n?")
_WARNINGS = re.compile(r"^(?:\[[\d:]+\] \S+:\d+: (?:Warning|Error): |\S+:\d+: \w*Warning: )(.*)$", re.MULTILINE)
_PROCESSOR = re.compile(r"-mcpu=(\S+)` is not valid in|'(\S+)' is not a recognized processor")
_FEATURE = re.compile(r"'[+-](\S+)' is not a recognized feature")
_LISTED_NAME = re.compile(r"^  (\S+) +- ", re.MULTILINE)


def on_cpu(target: str | tvm.target.Target) -> bool:
    """Whether what is compiled for a target, as TVM spells it, runs on a CPU."""
    return kind_of(target) in CPU_KINDS


def kind_of(target: str | tvm.target.Target) -> str:
    """The kind of a target, or of a text, which may be JSON; of an empty text, an empty one."""
    if not isinstance(target, str):
        return str(target.kind.name)
    if not target.lstrip().startswith("{"):
        return next(iter(target.split()), "")
    with contextlib.suppress(ValueError, AttributeError):
        return str(json.loads(target).get("kind", ""))
    return ""


def is_simulated(target: str) -> bool:
    """Whether a target, as TVM spells it, is the simulated GPU's."""
    return SIMULATED_MODEL in target


@dataclass(frozen=True)
class Checked:
    """What TVM warns of, a line each; `lack`: why its programs cannot be built or run here, None if they can;
    `block`: threads and bytes that a block may have at most on the GPU where they run here, None where nothing says."""

    notices: list[str]
    lack: str | None
    block: tuple[int, int] | None = None


def check_target(text: str, target: tvm.target.Target, measures: Measures, module: str) -> Checked:
    """Tries a target that TVM parses, by a module of the tuner's.

    Raises RequestError for processors, features and triples that LLVM does not know.
    """
    # Both are LLVM's own word; what is simulated is compiled by nobody.
    if text in ("native", "llvm") or (measures == "nowhere" and is_simulated(text)):
        return Checked([], None)
    for part in _llvm_parts(target):
        for feature in _features(part):
            if feature[0] not in "+-":
                raise RequestError(
                    f"The target {text} has the feature {feature} without a sign, which LLVM switches off. "
                    f"Expected -mattr=+{feature} or -{feature}."
                )
    tried = _try(module, text)
    _refuse_unknown(text, target, tried)
    reached = tried.stages
    if _COMPILED not in reached:
        raise RequestError(f"TVM cannot compile for the target {text}: {tried.last_words}. {_llvm_targets()}")
    here = measures == "here"
    lack = None if measures == "nowhere" else _lack(target, tried, here)
    return Checked(tried.notices, lack, tried.block if here else None)


def _lack(target: tvm.target.Target, tried: _Tried, here: bool) -> str | None:
    import tvm

    kind = target.kind.name
    if tvm.get_global_func(f"target.build.{kind}", allow_missing=True) is None:
        return f"this TVM was built without {kind}"
    if not here:
        return None
    if not on_cpu(target) and _DEVICE not in tried.stages:
        return f"there is no device of the kind {kind} that this TVM can use"
    if _RAN not in tried.stages:
        return f"a first program did not run: {tried.last_words}"
    return None


def _refuse_unknown(text: str, target: tvm.target.Target, tried: _Tried) -> None:
    processor = _PROCESSOR.search(tried.said)
    found = processor or _FEATURE.search(tried.said)
    if found is None:
        return
    name = next(filter(None, found.groups()))
    if name not in text:
        # TVM's own, for a triple that LLVM does not know.
        return
    what, option = ("processor", "-mcpu=") if processor else ("feature", "-mattr=+")
    known = tried.processors if processor else tried.features
    triples = {triple for triple in map(_triple, _llvm_parts(target)) if triple is not None}
    hint = did_you_mean(name, known, most=3, prefix=option)
    if name == "native":
        hint = " Did you mean the target native?"
    raise RequestError(
        f"LLVM knows no {what} {name} for {' or '.join(sorted(triples)) or 'this machine'} (target: {text}); TVM would "
        f"compile without it.{hint} Expected one of the {len(known)} that it lists: {_some(known)}."
    )


def _some(names: list[str]) -> str:
    return ", ".join(names[:12]) + (", ..." if len(names) > 12 else "") if names else "none"


def _llvm_targets() -> str:
    import tvm

    known = tvm.get_global_func("target.llvm_get_targets", allow_missing=True)
    return f"Its LLVM compiles for {', '.join(str(each) for each in known())}." if known else ""


def _llvm_parts(target: tvm.target.Target) -> list[tvm.target.Target]:
    """The target itself and its host, as far as LLVM compiles them."""
    host = getattr(target, "host", None)
    return [part for part in (target, host) if part is not None and part.kind.name == "llvm"]


def _features(target: tvm.target.Target) -> list[str]:
    return [feature for each in target.attrs.get("mattr") or [] for feature in str(each).split(",") if feature]


def _triple(target: tvm.target.Target) -> str | None:
    triple = target.attrs.get("mtriple")
    return None if triple is None else str(triple)


@dataclass(frozen=True)
class _Tried:
    """How far the process came, and what it wrote to its standard error between the stages."""

    stages: list[str]
    sections: list[str]
    how_it_ended: str

    @property
    def said(self) -> str:
        """All but LLVM's lists."""
        return "".join(section for stage, section in zip([*self.stages, ""], self.sections) if stage != _LISTED)

    @property
    def notices(self) -> list[str]:
        return [f"TVM warns: {line}" for line in dict.fromkeys(_WARNINGS.findall(self.said))]

    @property
    def block(self) -> tuple[int, int] | None:
        found = _BLOCK.search(self.said)
        return (int(found[1]), int(found[2])) if found else None

    @property
    def last_words(self) -> str:
        lines = [line.strip() for line in self.sections[-1].splitlines() if line.strip()]
        # Of a process that a signal ended, TVM tells where.
        lines = [line.strip("! ") for line in lines if not line.startswith('File "')]
        return lines[-1] if lines else self.how_it_ended

    @property
    def processors(self) -> list[str]:
        return _LISTED_NAME.findall(self._list.partition("Available features")[0])

    @property
    def features(self) -> list[str]:
        return _LISTED_NAME.findall(self._list.partition("Available features")[2])

    @property
    def _list(self) -> str:
        return "".join(section for stage, section in zip([*self.stages, ""], self.sections) if stage == _LISTED)


def _try(module: str, text: str) -> _Tried:
    code, words = _try_apart(module, text)
    sections = _STAGE.split(_HARMLESS.sub("", words))
    how = f"no end within {_SECONDS} s"
    if code is not None:
        how = f"it ended with {'signal' if code < 0 else 'code'} {abs(code)}"
    return _Tried(sections[1::2], sections[::2], how)


def _try_apart(module: str, text: str) -> tuple[int | None, str]:
    """How a process of its own ended, None: it did not, and all it wrote to its standard error."""
    try:
        ended = subprocess.run(
            command(module, text),
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
        )
        return ended.returncode, ended.stderr
    except subprocess.TimeoutExpired as late:
        return None, (late.stderr or b"").decode(errors="replace")


# ---- in the process of its own ----


def try_target(target: tvm.target.Target, build: Callable[[tvm.target.Target], Any], listing: Listing) -> None:
    """Lists what LLVM knows, compiles, looks for a device, runs what a CPU can; says each when it is done.

    `build` makes a module of one program, `square_and_add` of 64 floats. `listing` makes the target for a triple, None
    for this machine's, by whose building LLVM lists what it knows.
    """
    import tvm

    _say(_PARSED)
    parts = _llvm_parts(target)
    for part in parts:
        if part.attrs.get("mcpu") or part.attrs.get("mattr"):
            build(listing(_triple(part)))
    _say(_LISTED)
    modules = [build(part) for part in parts or ([target] if on_cpu(target) else [])]
    _say(_COMPILED)
    # Some drivers' loaders end the process where they find none.
    if not on_cpu(target) and (device := tvm.device(target.kind.name, 0)).exist:
        _say(f"a block has {device.max_threads_per_block} threads and {device.max_shared_memory_per_block} bytes")
        _say(_DEVICE)
    for module in modules:
        _run(module, linked=not parts)
    _say(_RAN)


def _run(module: Any, linked: bool) -> None:
    import numpy as np
    import tvm

    from . import tvm_names

    with tempfile.TemporaryDirectory(prefix="familyseer-") as folder:
        if linked:
            path = str(Path(folder, "program.so"))
            module.export_library(path)
            module = tvm.runtime.load_module(path)
        arrays = [tvm_names.array(np.ones(64, "float32"), tvm.device("cpu", 0)) for _ in range(2)]
        module(*arrays)


def _say(stage: str) -> None:
    os.write(2, f"familyseer: {stage}\n".encode())
