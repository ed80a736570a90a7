"""What stands in for the engine where programs are not measured but simulated (gpu.py)."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from ..measuring.failures import WHILE_INSTANTIATING, WHILE_LOADING, Failure
from ..measuring.program import Measured, failed
from .gpu import DEVICE, InvalidProgramError, simulated_seconds

if TYPE_CHECKING:
    from ..measuring.run import Timing
    from .gpu import SimulatedProgram


class SimulatedEngine:
    """Gives programs their simulated times, one after another, in the order they were given in; builds nothing."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, "familyseer simulating")

    def submit(
        self, program: SimulatedProgram, timing: Timing, built: object = None, hold: bool = False
    ) -> Future[Measured]:
        """Simulates a program, held or not: that disturbs no timing. What was built, and how it would be timed, make no
        difference."""
        return self._executor.submit(_simulated, program)

    def release(self, future: Future[Measured]) -> None:
        pass

    def notices(self) -> list[str]:
        return []

    def close(self) -> None:
        self._executor.shutdown(cancel_futures=True)


def _simulated(program: SimulatedProgram) -> Measured:
    begun = time.monotonic()
    try:
        cost = simulated_seconds(program)
    except InvalidProgramError as error:
        # CUDA's compiler finds too much shared memory; the driver, which nothing gets to here, too many threads.
        return failed(Failure(WHILE_LOADING, str(error)), time.monotonic() - begun, DEVICE)
    except Exception as error:
        return failed(Failure(WHILE_INSTANTIATING, str(error)), time.monotonic() - begun, DEVICE)
    return Measured((cost,), None, time.monotonic() - begun, time.time(), DEVICE, 0.0, 0.0)
