"""What a worker can be asked to do (docs/protocol.md): a function for each operation, in the file of its kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable

from . import compiled, machine, network, search
from .job import Job

if TYPE_CHECKING:
    from ..backend import Backend
    from ..wire import messages

# Parameters and results are those of the protocol; the first parameter is the job.
OPERATIONS: dict[str, Callable[..., Any]] = {
    "ping": machine.ping,
    "gpus": machine.gpus,
    "devices": machine.devices,
    "capacity": machine.capacity,
    "threads": machine.threads,
    "target": machine.target,
    "check": network.check,
    "extract": network.extract,
    "bounds": network.bounds,
    "load": network.load,
    "recall": search.recall,
    "register": search.register,
    "workloads": network.workloads,
    "propose": search.propose,
    "foresee": search.foresee,
    "prepare": search.prepare,
    "measure": search.measure,
    "review": search.review,
    "learn": search.learn,
    "save": search.save,
    "keep": search.keep,
    "compile": compiled.compile_network,
    "against": compiled.against,
    "compare": compiled.compare,
    "export": compiled.export,
    "evaluate": compiled.evaluate,
}


class Operations:
    """Does what is asked of a worker, for a tuner."""

    # The next search may go on while devices measure. It reports each program, and may be ended early.
    beside = frozenset({"measure"})

    def __init__(self, backend: Backend) -> None:
        self.job = Job(backend)
        self.tuner = backend.name

    def perform(
        self,
        operation: str,
        params: dict[str, Any],
        report: Callable[[messages.MeasuredEvent], None],
        cancelled: Callable[[], bool],
    ) -> Any:
        """Does one operation; raises RequestError if it cannot be done as asked."""
        if operation in self.beside:
            return OPERATIONS[operation](self.job, **params, report=report, cancelled=cancelled)
        return OPERATIONS[operation](self.job, **params)

    def close(self) -> None:
        self.job.close()
