"""What stands in for the engine where programs are not measured but simulated (simulated_gpu.py)."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from tvm.auto_scheduler.measure import MeasureErrorNo

from ..measuring.engine import Measured
from ..measuring.run import FAILED_COST
from .gpu import DEVICE, InvalidProgramError, simulated_seconds

if TYPE_CHECKING:
    from tvm.auto_scheduler import MeasureInput

    from ..measuring.run import Timing


class SimulatedEngine:
    """Gives programs their simulated times, one after another, in the order they were given in; builds nothing."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, "familyseer simulating")

    def submit(self, one: MeasureInput, timing: Timing, built: None = None, hold: bool = False) -> Future[Measured]:
        """Simulates a program, held or not: that disturbs no timing. How it would be timed makes no difference."""
        return self._executor.submit(_simulated, one)

    def release(self, future: Future[Measured]) -> None:
        pass

    def notices(self) -> list[str]:
        return []

    def close(self) -> None:
        self._executor.shutdown(cancel_futures=True)


def _simulated(one: MeasureInput) -> Measured:
    begun = time.monotonic()
    cost, error_no, error_msg = FAILED_COST, MeasureErrorNo.NO_ERROR, None
    try:
        cost = simulated_seconds(one.task, one.state)
    except InvalidProgramError as error:
        # CUDA's compiler finds too much shared memory; the driver, which nothing gets to here, too many threads.
        error_no, error_msg = MeasureErrorNo.COMPILE_DEVICE, str(error)
    except Exception as error:
        error_no, error_msg = MeasureErrorNo.INSTANTIATION_ERROR, str(error)
    return Measured((cost,), error_no, error_msg, time.monotonic() - begun, time.time(), DEVICE, 0.0, 0.0)
