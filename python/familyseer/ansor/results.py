"""What came of a program, as TVM's records have it (TVM: auto_scheduler/measure.py, MeasureErrorNo)."""

from __future__ import annotations

from tvm.auto_scheduler.measure import BuildResult, MeasureErrorNo, MeasureResult

from ..measuring.failures import Failure
from ..measuring.program import Measured
from ..wire.messages import FailureKind

# What TVM writes as the cost of a program that failed, and holds for that of a task of which none ran; in seconds.
FAILED_COST = 1e10
_ERROR_NUMBERS: dict[FailureKind, int] = {
    "instantiation": MeasureErrorNo.INSTANTIATION_ERROR,
    "compile-host": MeasureErrorNo.COMPILE_HOST,
    "compile-device": MeasureErrorNo.COMPILE_DEVICE,
    "runtime": MeasureErrorNo.RUNTIME_DEVICE,
    "wrong-answer": MeasureErrorNo.WRONG_ANSWER,
    "build-timeout": MeasureErrorNo.BUILD_TIMEOUT,
    "run-timeout": MeasureErrorNo.RUN_TIMEOUT,
    "unknown": MeasureErrorNo.UNKNOWN_ERROR,
}
_KINDS = {number: kind for kind, number in _ERROR_NUMBERS.items()}


def error_number(failure: Failure | None) -> int:
    """TVM's MeasureErrorNo."""
    return int(MeasureErrorNo.NO_ERROR) if failure is None else _ERROR_NUMBERS[failure.kind]


def measure_result(measured: Measured) -> MeasureResult:
    """As TVM records it."""
    failure = measured.failure
    costs = list(measured.costs) if failure is None else [FAILED_COST]
    message = failure.message if failure else None
    return MeasureResult(costs, error_number(failure), message, measured.all_seconds, measured.timestamp)


def failure_of(result: BuildResult | MeasureResult) -> Failure | None:
    """What went wrong with a program that TVM's own builder built, or its own runner ran."""
    number = int(result.error_no)
    if number == MeasureErrorNo.NO_ERROR:
        return None
    return Failure(_KINDS.get(number, "unknown"), str(result.error_msg) if result.error_msg else None)
