"""Which targets TVM can compile for, and whether their programs run here: found out by compiling and running one.

TVM puts another processor in place of one that LLVM does not know, says so on its standard error alone, and where the
triple does not fit, ends (0.8 to 0.18, each in its own way). So this is tried in a process of its own,
`python -m familyseer.targets TARGET`, and what that says decides.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import RequestError
from .interpreter import command, environment
from .near_misses import did_you_mean

if TYPE_CHECKING:
    import tvm

CPU_KINDS = ("llvm", "c")
# The kinds that TVM's tuners search programs for, and that we can measure them on.
KINDS = (*CPU_KINDS, "cuda", "rocm", "metal", "opencl", "vulkan")

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
    """The kind of a target, as TVM spells targets; of an empty text, an empty one."""
    return next(iter(str(target).split()), "")


def is_simulated(target: str) -> bool:
    """Whether a target, as TVM spells it, is the simulated GPU's."""
    return SIMULATED_MODEL in target


def parse_target(text: str) -> tvm.target.Target:
    """A TVM target; `native` is this machine's CPU. Raises RequestError if TVM does not know it."""
    import tvm

    if text == "native":
        cpu = tvm.get_global_func("target.llvm_get_system_cpu", allow_missing=True)
        if cpu is None:
            raise RequestError(
                f"TVM {tvm.__version__} does not tell this machine's CPU. Expected a target that names it, such as "
                '"llvm -mcpu=core-avx2", or "llvm".'
            )
        text = f"llvm -mcpu={cpu()}"
    try:
        target = tvm.target.Target(text)
    except Exception as error:
        reason = str(error).strip().splitlines()[-1]
        tags = tvm.get_global_func("target.TargetTagListTags", allow_missing=True)
        known = [*KINDS, "native", *(str(tag) for tag in (tags() if tags else {}))]
        hint = did_you_mean(kind_of(text), known, most=2)
        raise RequestError(
            f'Unknown target: {text} ({reason}).{hint} Expected a TVM target such as "llvm", "llvm -mcpu=core-avx2", '
            '"cuda -arch=sm_70", or "native" for this machine\'s CPU.'
        ) from None
    if target.kind.name == "cuda":
        from . import nvrtc

        nvrtc.register()
    return target


@dataclass(frozen=True)
class Checked:
    """What TVM warns of, a line each; `lack`: why its programs cannot be built or run here, None if they can;
    `block`: threads and bytes that a block may have at most on the GPU where they run here, None where nothing says."""

    notices: list[str]
    lack: str | None
    block: tuple[int, int] | None = None


def check_target(text: str, target: tvm.target.Target, measures: str) -> Checked:
    """Tries a target that TVM parses. `measures`: whether programs are to run `here`, `elsewhere` or `nowhere`.

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
    tried = _try(text)
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


def _try(text: str) -> _Tried:
    code, words = _try_apart(text)
    sections = _STAGE.split(_HARMLESS.sub("", words))
    how = f"no end within {_SECONDS} s"
    if code is not None:
        how = f"it ended with {'signal' if code < 0 else 'code'} {abs(code)}"
    return _Tried(sections[1::2], sections[::2], how)


def _try_apart(text: str) -> tuple[int | None, str]:
    """How a process of its own ended, None: it did not, and all it wrote to its standard error."""
    try:
        ended = subprocess.run(
            command("familyseer.targets", text),
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


def main(text: str) -> None:
    """Parses, lists what LLVM knows, compiles, looks for a device, runs what a CPU can; says each when it is done."""
    import tvm

    target = tvm.target.Target(text)
    _say(_PARSED)
    parts = _llvm_parts(target)
    for part in parts:
        if part.attrs.get("mcpu") or part.attrs.get("mattr"):
            triple = _triple(part)
            # LLVM's own lists, in every version of TVM.
            _build(tvm.target.Target(f"llvm{f' -mtriple={triple}' if triple else ''} -mattr=+help"))
    _say(_LISTED)
    modules = [_build(part) for part in parts or ([target] if on_cpu(target) else [])]
    _say(_COMPILED)
    # Some drivers' loaders end the process where they find none.
    if not on_cpu(target) and (device := tvm.device(target.kind.name, 0)).exist:
        _say(f"a block has {device.max_threads_per_block} threads and {device.max_shared_memory_per_block} bytes")
        _say(_DEVICE)
    for module in modules:
        _run(module, linked=not parts)
    _say(_RAN)


def _build(target: tvm.target.Target) -> Any:
    import tvm
    from tvm import te

    given = te.placeholder((64,), name="given")
    result = te.compute((64,), lambda i: given[i] * given[i] + given[i], name="result")
    schedule = te.create_schedule(result.op)
    if target.kind.name == "llvm":
        # As wide as the processor that is asked for.
        schedule[result].vectorize(schedule[result].split(result.op.axis[0], 16)[1])
    return tvm.build(schedule, [given, result], target)


def _run(module: Any, linked: bool) -> None:
    import numpy as np
    import tvm

    with tempfile.TemporaryDirectory(prefix="familyseer-") as folder:
        if linked:
            path = str(Path(folder, "program.so"))
            module.export_library(path)
            module = tvm.runtime.load_module(path)
        arrays = [tvm.nd.array(np.ones(64, "float32")) for _ in range(2)]
        module(*arrays)


def _say(stage: str) -> None:
    os.write(2, f"familyseer: {stage}\n".encode())


if __name__ == "__main__":
    main(sys.argv[1])
