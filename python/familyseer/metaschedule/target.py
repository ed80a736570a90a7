"""Targets as users write them (`llvm -mcpu=znver4 -num-cores=2`), for a TVM that takes them as dictionaries alone.

`python -m familyseer.metaschedule.target TARGET` tries one (targets.py).
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import RequestError, last_line
from ..gpu_limits import GPU_LIMITS, SHARED_MEMORY
from ..near_misses import did_you_mean
from ..targets import KINDS, is_simulated, try_target

if TYPE_CHECKING:
    import tvm

_EXPECTED = (
    'Expected a target such as "native" for this machine\'s CPU, "llvm -mcpu=znver4 -num-cores=8", "cuda -arch=sm_90", '
    'a tag of TVM\'s such as "nvidia/nvidia-h100", or JSON such as {"kind": "cuda", "arch": "sm_90"}.'
)
# Of GPUs, what MetaSchedule's rules and postprocessors read, and TVM does not fill in for each kind.
_GPU_OPTIONS = {
    "max_threads_per_block": GPU_LIMITS["max_threads_per_block"],
    "thread_warp_size": GPU_LIMITS["warp_size"],
}
# Those of the kind c name no number of cores.
_KINDS = tuple(kind for kind in KINDS if kind != "c")
_TRUE, _FALSE = ("", "1", "true"), ("0", "false")


@dataclass(frozen=True)
class MetaTarget:
    """What programs are compiled for: as files name it (`llvm -mcpu=znver4 -num-cores=2`), and as TVM has it."""

    text: str
    tvm: tvm.target.Target

    def __str__(self) -> str:
        return self.text


def parse_target(text: str, threads: int | None = None) -> MetaTarget:
    """The target of a user's text: options, a tag, JSON, or `native`, which is this machine's CPU. That has as many
    cores as programs run on `threads`; None: as they run on where nobody says it.

    Raises RequestError for what TVM does not know, and for what MetaSchedule has no search for.
    """
    if is_simulated(text):
        raise RequestError(
            f"The target {text} is the simulated GPU, which runs programs of TVM's auto-scheduler alone. Expected a "
            "real target, or a Python with TVM 0.18 (--tuner ansor)."
        )
    wanted = _native(threads) if text == "native" else _dictionary_of(text)
    kind = wanted.get("kind")
    if kind == "llvm" and not _is_count(wanted.get("num-cores")):
        known = 'a "num-cores" such as 8' if text.lstrip().startswith("{") else "-num-cores=8"
        raise RequestError(
            f"The target {text} does not say how many cores a program runs on, which MetaSchedule needs to know. "
            f'Expected {known}, with the number of your machine, or "native" for this machine\'s CPU.'
        )
    target = _target(text, _filled(wanted))
    if kind not in _KINDS:
        raise RequestError(
            f"Targets of the kind {kind} cannot be tuned: MetaSchedule has no search for them. "
            f"Expected one of the kinds {', '.join(_KINDS)}."
        )
    if kind == "cuda":
        from .. import nvrtc

        nvrtc.register()
    return MetaTarget(text_of(target), target)


def text_of(target: tvm.target.Target) -> str:
    """A target of TVM's as files name it; equal targets have equal texts, from which `parse_target` makes them.

    It leaves out what is filled in anyway, so that it is the same for a target that lacks that. It is JSON where
    options cannot say it, as for a GPU with another host than this machine.
    """
    said = _untagged(target)
    kind = said.pop("kind")
    if said.get("mtriple") == _own_triple():
        del said["mtriple"]
    whole = _untagged(_target(kind, _filled({"kind": kind, **said})))
    # Without an arch or a processor TVM would look for a GPU to take its.
    for name in sorted(set(said) - {"arch", "mcpu", "mtriple"}):
        rest = {each: value for each, value in said.items() if each != name}
        if _untagged(_target(kind, _filled({"kind": kind, **rest}))) == whole:
            said = rest
    options = [_option(name, said[name]) for name in sorted(said)]
    if all(option is not None for option in options):
        return " ".join([kind, *filter(None, options)])
    return json.dumps({"kind": kind, **said}, sort_keys=True, separators=(",", ":"))


def _native(threads: int | None) -> dict[str, Any]:
    import tvm

    from ..measuring.cpus import find_threads

    cpu = str(tvm.get_global_func("target.llvm_get_system_cpu")())
    return {"kind": "llvm", "mcpu": cpu, "num-cores": threads or find_threads().count}


def _dictionary_of(text: str) -> dict[str, Any]:
    """A user's text as TVM takes targets."""
    import tvm

    if text.lstrip().startswith("{"):
        try:
            wanted = dict(json.loads(text))
        except ValueError as error:
            raise RequestError(f"Unknown target: {text} (it is no JSON: {error}). {_EXPECTED}") from None
        if not isinstance(wanted.get("kind", ""), str):
            raise RequestError(f"Unknown target: {text} (its kind is no name). {_EXPECTED}")
        # A tag may stand for all.
        return wanted if "kind" in wanted else _untagged(_target(text, wanted))
    kind, *options = text.split() or [""]
    tags = tvm.get_global_func("target.TargetTagListTags")()
    if kind in tags:
        if options:
            raise RequestError(f"The target {text} is a tag of TVM's with options. Expected {kind} alone, or JSON.")
        return _untagged(tvm.target.Target(kind))
    kinds = [str(each) for each in tvm.get_global_func("target.ListTargetKinds")()]
    if kind not in kinds:
        hint = did_you_mean(kind, [*_KINDS, "native", *map(str, tags)], most=2)
        raise RequestError(f"Unknown target: {text} (TVM has no kind {kind!r}).{hint} {_EXPECTED}")
    types = {str(name): str(type_) for name, type_ in _option_types(kind).items()}
    return {"kind": kind, **dict(_parsed(text, option, types) for option in options)}


def _untagged(target: tvm.target.Target) -> dict[str, Any]:
    from .traces import plain

    return {name: value for name, value in plain(target.export()).items() if name != "tag"}


def _option_types(kind: str) -> dict[str, str]:
    import tvm

    found: dict[str, str] = tvm.get_global_func("target.ListTargetKindOptionsFromName")(kind)
    return found


def _parsed(text: str, option: str, types: dict[str, str]) -> tuple[str, Any]:
    """An option `-NAME=VALUE`, by the type that TVM gives it."""
    name, _, value = option[1:].partition("=")
    if not option.startswith("-") or name not in types:
        names = [each for each in types if each not in ("kind", "tag")]
        hint = did_you_mean(name, names, most=2, prefix="-")
        raise RequestError(f"The target {text} has the option {option}, which TVM does not know.{hint} {_EXPECTED}")
    kind = types[name]
    if kind == "Array<str>":
        return name, value.split(",")
    if kind == "bool" and value in (*_TRUE, *_FALSE):
        return name, value in _TRUE
    if kind == "int" and value.lstrip("-").isdecimal():
        return name, int(value)
    if kind == "str" and value:
        return name, value
    expected = {"int": "a whole number", "bool": "0 or 1"}.get(kind, "a value")
    raise RequestError(f"The target {text} has the option {option}. Expected {expected}: -{name}=VALUE.")


def _filled(wanted: dict[str, Any]) -> dict[str, Any]:
    """With what MetaSchedule needs to know of a GPU; GPUs of a kind all have what is filled in."""
    kind = wanted.get("kind")
    if kind not in SHARED_MEMORY:
        return wanted
    # TVM's code for GPUs needs one for the CPU beside them.
    common: dict[str, Any] = {"host": {"kind": "llvm"}, "max_shared_memory_per_block": SHARED_MEMORY[kind]}
    return {**common, **(_GPU_OPTIONS if kind == "cuda" else {}), **wanted}


def _target(text: str, wanted: dict[str, Any]) -> tvm.target.Target:
    import tvm

    try:
        return tvm.target.Target(wanted)
    except Exception as error:
        raise RequestError(f"Unknown target: {text} ({last_line(error)}). {_EXPECTED}") from None


def _option(name: str, value: Any) -> str | None:
    """None for what no option can say."""
    if isinstance(value, list):
        value = ",".join(map(str, value))
    elif isinstance(value, bool):
        value = int(value)
    fits = isinstance(value, int) or (isinstance(value, str) and value and not any(map(str.isspace, value)))
    return f"-{name}={value}" if fits else None


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and value > 0


def _own_triple() -> str:
    import tvm

    return str(tvm.get_global_func("target.llvm_get_system_triple")())


# ---- where a target is tried ----


def main(text: str) -> None:
    try_target(parse_target(text).tvm, _build, _listing)


def _listing(triple: str | None) -> tvm.target.Target:
    import tvm

    # LLVM's own lists.
    return tvm.target.Target({"kind": "llvm", "mattr": ["+help"], **({"mtriple": triple} if triple else {})})


def _build(target: tvm.target.Target) -> Any:
    import tvm
    from tvm import s_tir, te

    given = te.placeholder((64,), name="given")
    result = te.compute((64,), lambda i: given[i] * given[i] + given[i], name="result")
    schedule = s_tir.Schedule(te.create_prim_func([given, result]))
    if target.kind.name == "llvm":
        # As wide as the processor that is asked for.
        (loop,) = schedule.get_loops("result")
        schedule.vectorize(schedule.split(loop, [None, 16])[1])
    return tvm.compile(schedule.mod, target)


if __name__ == "__main__":
    main(sys.argv[1])
