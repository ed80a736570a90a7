"""The engine as a builder and a runner for TVM's own `TuningOptions`.

TVM builds a batch, waits, and runs it. To have programs flow, our builder builds nothing, and our runner does both.
"""

from __future__ import annotations

import functools
import itertools
import threading
import weakref
from pathlib import Path
from typing import Any

import tvm
from tvm import auto_scheduler
from tvm.auto_scheduler.measure import BuildResult, MeasureErrorNo, MeasureInput, MeasureResult

from ..measuring.build import Built, not_built
from ..measuring.device import Devices
from ..measuring.engine import Engine, EngineSettings
from ..measuring.run import Timing
from ..simulated.engine import SimulatedEngine
from . import programs
from .programs import AnsorProgram, arguments_of
from .results import failure_of, measure_result

_RUN, _BUILD = "auto_scheduler.rpc_runner.run", "auto_scheduler.local_builder.build"
_PREFIX = "familyseer:"
_NOT_BUILT = (
    "familyseer's builder leaves building to familyseer's runner. "
    "Give TuningOptions both, builder=streaming.builder and runner=streaming.runner."
)

_engines: weakref.WeakValueDictionary[str, Engine | SimulatedEngine] = weakref.WeakValueDictionary()
_numbers = itertools.count()
_taking_place = threading.Lock()


class Streaming:
    """Measures for any TVM script: `TuningOptions(builder=streaming.builder, runner=streaming.runner)`.

    The runner works with TVM's own builders too; then only running is ours. `batch` programs are handed out at a time:
    a larger one keeps everything busier, and loses more if the process is killed. Close it, or leave it to the end of
    the process.
    """

    def __init__(
        self,
        engine: EngineSettings | SimulatedEngine | None = None,
        timing: Timing | None = None,
        devices: Devices | None = None,
        batch: int = 64,
    ) -> None:
        """A SimulatedEngine takes the engine's place. Raises InstallationError if no builder can be started."""
        self._engine = (
            engine
            if isinstance(engine, SimulatedEngine)
            else Engine(engine or EngineSettings(), devices, programs.PRELOAD)
        )
        with _taking_place:
            _tvms_own(_BUILD), _tvms_own(_RUN)
        key = f"{_PREFIX}{next(_numbers)}"
        _engines[key] = self._engine
        # TVM hands a builder twice as many programs as it says to build at once.
        self.builder = _StreamingBuilder(key, max(1, batch // 2))
        self.runner = _StreamingRunner(key, timing or Timing())

    def close(self) -> None:
        """Ends all processes."""
        self._engine.close()


class _StreamingBuilder(auto_scheduler.LocalBuilder):
    def __init__(self, key: str, n_parallel: int) -> None:
        self.__init_handle_by_constructor__(auto_scheduler._ffi_api.LocalBuilder, 0, n_parallel, key)


class _StreamingRunner(auto_scheduler.RPCRunner):
    def __init__(self, key: str, timing: Timing) -> None:
        settings = [
            timing.number,
            timing.repeat,
            timing.min_repeat_ms,
            timing.cooldown_interval,
            timing.enable_cpu_cache_flush,
        ]
        make, place = auto_scheduler._ffi_api.RPCRunner, [key, "", 0, 1, 1, int(timing.timeout)]
        try:
            self.__init_handle_by_constructor__(make, *place, *settings, timing.device)
        except Exception:
            # TVM 0.8 knows no device.
            self.__init_handle_by_constructor__(make, *place, *settings)


def _build(inputs: Any, timeout: int, n_parallel: int, build_func: str = "default", verbose: int = 1) -> Any:
    if build_func not in _engines:
        return _tvms_own(_BUILD)(inputs, timeout, n_parallel, build_func, verbose)
    return [BuildResult("", [], MeasureErrorNo.UNKNOWN_ERROR, _NOT_BUILT, 0.0) for _ in inputs]


def _run(inputs: list[MeasureInput], builds: list[BuildResult], key: str, *settings: Any) -> list[MeasureResult]:
    engine = _engines.get(str(key))
    if engine is None:
        results: list[MeasureResult] = _tvms_own(_RUN)(inputs, builds, key, *settings)
        return results
    _host, _port, _priority, _parallel, timeout, number, repeat, min_ms, cooldown, flush, verbose = settings[:11]
    device = (int(each) for each in settings[11:])
    timing = Timing(timeout, number, repeat, min_ms, cooldown, bool(flush), *device)
    futures = [engine.submit(AnsorProgram(one), timing, _built(build)) for one, build in zip(inputs, builds)]
    results = []
    try:
        for future in futures:
            measured = future.result()
            results.append(measure_result(measured))
            if verbose >= 1:
                print("*" if measured.failure is None else "*E", end="", flush=True)
    except BaseException:
        # An interrupted job leaves nothing to measure.
        for future in futures:
            future.cancel()
        raise
    if verbose >= 1:
        print(flush=True)
    return results


def _built(build: BuildResult) -> Built | None:
    """What another builder built; None if it is still to be built."""
    if build.error_no == MeasureErrorNo.UNKNOWN_ERROR and build.error_msg == _NOT_BUILT:
        return None
    failure, seconds = failure_of(build), float(build.time_cost)
    if failure is not None:
        return not_built(failure, seconds)
    path = Path(str(build.filename))
    return Built(str(path.parent), path.name, arguments_of(build.args), None, seconds, 0.0)


@functools.cache
def _tvms_own(name: str) -> Any:
    """TVM's function of a name, in whose place ours is from the first time on that this is asked for."""
    function = tvm.get_global_func(name)
    tvm.register_func(name, {_BUILD: _build, _RUN: _run}[name], override=True)
    return function
