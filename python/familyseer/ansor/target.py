"""Targets as TVM takes them up to 0.18. `python -m familyseer.ansor.target TARGET` tries one (targets.py)."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from ..errors import RequestError
from ..near_misses import did_you_mean
from ..targets import KINDS, kind_of, try_target

if TYPE_CHECKING:
    import tvm


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
        from .. import nvrtc

        nvrtc.register()
    return target


def main(text: str) -> None:
    import tvm

    try_target(tvm.target.Target(text), _build, _listing)


def _listing(triple: str | None) -> tvm.target.Target:
    import tvm

    # LLVM's own lists, in every version of TVM.
    return tvm.target.Target(f"llvm{f' -mtriple={triple}' if triple else ''} -mattr=+help")


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


if __name__ == "__main__":
    main(sys.argv[1])
