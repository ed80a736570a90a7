"""Measuring programs as a stream: builders and runners stay up, and programs flow from one to the other.

A tuner brings how to build and to run one program (`program`). `engine` moves programs from `waiting` to `builders` and
`runners`; `giving_way` keeps builders from what is timed, `disturbance` notices other work meanwhile, `early_ending`
ends what is slow, `failures` says why a program failed. `fork_server` starts the processes, and `build`, `run` and
`run_remote` are what those do. `device` is this machine, `devices` are those behind a TVM RPC tracker (`tracker`),
`servers` the tracker and servers that we start, `speeds` keeps devices of unlike speed apart, and `turns` keeps jobs
apart.

`from familyseer.measuring import Streaming, EngineSettings, Timing` is for scripts of TVM's auto_scheduler.
"""

from __future__ import annotations

import importlib
from typing import Any

# Loaded when asked for: the first with TVM's auto_scheduler, which nothing else here knows.
_HOMES = {
    "Streaming": "familyseer.ansor.streaming",
    "EngineSettings": "familyseer.measuring.engine",
    "Timing": "familyseer.measuring.run",
    "make_devices": "familyseer.measuring.devices",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
