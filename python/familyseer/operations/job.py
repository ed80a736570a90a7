"""What a worker holds between requests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable, cast

from ..errors import RequestError
from ..measuring.turns import Turns
from ..rivals.rival import Rival

if TYPE_CHECKING:
    from ..backend import Backend, Compiled, Network, Record, Runnable, Target
    from ..measuring.engine import Engine
    from ..search.earlier_jobs import Recalled
    from ..search.search import Search
    from ..simulated.engine import SimulatedEngine
    from ..targets import Checked


@dataclass
class Job:
    """One network that is tuned by one tuner, as far as that was asked for. None: not yet."""

    backend: Backend
    threads: int | None = None
    """Threads that a program runs on, as `threads` found them; None: as many as TVM chooses."""
    tried: dict[str, Checked] = field(default_factory=dict)
    target: Target | None = None
    network: Network | None = None
    records: list[Record] = field(default_factory=list)
    recalled: dict[str, Recalled] = field(default_factory=dict)
    """Of earlier jobs, by family."""
    search: Search | None = None
    engine: Engine | SimulatedEngine | None = None
    modules: list[Runnable] = field(default_factory=list)
    turns: Turns = field(default_factory=Turns)

    def extracted(self, wanted: str, what: str = "are no tasks") -> Network:
        """The network; raises RequestError where `wanted`, an operation, comes before `extract`."""
        if self.network is None:
            raise RequestError(f"There {what} yet. Expected extract before {wanted}.")
        return self.network

    def searching(self, *tasks: int) -> Search:
        """The search; raises RequestError where it has none of these tasks."""
        if self.search is None:
            raise RequestError("There are no searches yet. Expected register before propose, measure and learn.")
        for task in tasks:
            if task not in self.search.searches:
                known = ", ".join(map(str, sorted(self.search.searches)))
                raise RequestError(f"There is no task {task}. Expected one that register gave a cost model: {known}.")
        return self.search

    def module(self, module: int) -> Runnable:
        if module >= len(self.modules):
            raise RequestError(f"There is no module {module}. Expected a number that compile or against returned.")
        return self.modules[module]

    def compiled(self, module: int) -> Compiled:
        compiled = self.module(module)
        if isinstance(compiled, Rival):
            raise RequestError(f"Module {module} is another runtime's. Expected a number that compile returned.")
        return cast("Compiled", compiled)

    def on_threads(self, run: Callable[..., Any], *arguments: Any) -> Any:
        """Runs programs on the threads that were asked for; where none were, on as many as TVM chooses."""
        from ..measuring.cpus import cpus_for, run_on

        return run(*arguments) if self.threads is None else run_on(cpus_for(self.threads), run, *arguments)

    def close(self) -> None:
        for module in self.modules:
            if isinstance(module, Rival):
                module.close()
        self.turns.close()
        if self.search is not None:
            self.search.close()
