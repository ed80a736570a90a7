"""What a worker can be asked to do (docs/protocol.md), and the TVM objects it holds between requests."""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

from . import descriptions
from .ansor.networks import AskedInput, Network, asked_inputs, build_network, check_network
from .ansor.tasks import SIMULATED_MODEL, TaskList, describe_tasks, extract, is_simulated, parse_target
from .errors import RequestError
from .targets import Checked, check_target

if TYPE_CHECKING:
    import tvm

    from .ansor.latency import CompiledNetwork
    from .ansor.records import Record
    from .ansor.search import Search
    from .measuring.engine import Engine
    from .simulated.engine import SimulatedEngine


SCHEDULES = "schedules.json"


class Operations:
    """One method per operation; parameters and results are those of the protocol."""

    # The next search may go on while devices measure.
    beside = frozenset({"measure"})

    def __init__(self) -> None:
        self._target: tvm.target.Target | None = None
        self._tried: dict[str, Checked] = {}
        self._threads: int | None = None
        self._network: tuple[str, int, str, tuple[AskedInput, ...]] | None = None
        self._tasks: TaskList | None = None
        self._records: list[Record] = []
        self._search: Search | None = None
        self._engine: Engine | SimulatedEngine | None = None
        self._modules: list[CompiledNetwork] = []

    def perform(
        self,
        operation: str,
        params: dict[str, Any],
        report: Callable[[dict[str, Any]], None],
        cancelled: Callable[[], bool],
    ) -> dict[str, Any]:
        """Does one operation; raises RequestError if it cannot be done as asked."""
        if operation == "measure":
            return self.measure(**params, report=report, cancelled=cancelled)
        return getattr(self, operation)(**params)

    def ping(self) -> dict[str, Any]:
        return {}

    def gpus(self) -> dict[str, Any]:
        from .nvrtc import gpu_count

        return {"gpus": gpu_count()}

    def threads(self, asked: int | None) -> dict[str, Any]:
        from .measuring.cpus import find_threads

        found = find_threads(asked)
        self._threads = found.count
        return asdict(found)

    def target(self, target: str, measures: str) -> dict[str, Any]:
        checked = self._tried[target] = check_target(target, parse_target(target), measures)
        return {"notices": checked.notices, "lack": checked.lack}

    def check(self, model: str, batch: int, layout: str, library: str | None) -> dict[str, Any]:
        from .ansor.library import check_library

        check_network(model, batch, layout)
        if library is not None:
            check_library(library)
        return {}

    def extract(
        self, model: str, batch: int, layout: str, inputs: list[dict[str, Any]], target: str, cache: str | None
    ) -> dict[str, Any]:
        self._target = parse_target(target)
        asked = asked_inputs(inputs)
        self._network = (model, batch, layout, asked)
        folder = Path(cache) if cache else None
        tried = self._tried.get(target, Checked([], None))
        self._tasks = extract(model, batch, layout, self._target, folder, asked, self._threads, tried.block)
        description = {
            "target": str(self._target),
            "from_cache": self._tasks.from_cache,
            "notices": tried.notices,
            "inputs": self._tasks.inputs,
            "tasks": describe_tasks(self._tasks),
        }
        if folder:
            descriptions.keep(folder, model, batch, layout, inputs, target, description)
        return description

    def bounds(self) -> dict[str, Any]:
        from .ansor.roofline import least_seconds, measure_machine

        if self._tasks is None or self._target is None:
            raise RequestError("There are no tasks yet. Expected extract before bounds.")
        machine = self._on_threads(measure_machine, self._target, self._threads)
        if machine is None:
            return {"least_costs": None}
        peak, bandwidth = machine.flops_per_second, machine.bytes_per_second
        return {"least_costs": [least_seconds(task.compute_dag, peak, bandwidth) for task in self._tasks.tasks]}

    def load(
        self, log: str, to: int | None, other_targets: bool, only: list[int] | None, **rest: int
    ) -> dict[str, Any]:
        from .ansor.records import read_records

        if self._tasks is None:
            raise RequestError("There are no tasks yet. Expected extract before load.")
        # `from` is no name in Python.
        part = read_records(log, self._tasks.tasks, rest["from"], to, other_targets, only=only)
        self._records += part.records
        return {
            "tasks": [record.task for record in part.records],
            "costs": [record.cost for record in part.records],
            "skipped": part.skipped.described(),
            "matched": part.matched,
        }

    def register(
        self,
        cost_models: list[dict[str, Any]],
        schedules: str | None,
        search: dict[str, Any],
        training: dict[str, Any],
        measure: dict[str, Any],
    ) -> dict[str, Any]:
        from .ansor.carried import load_schedules, refuse_simulated
        from .ansor.cost_model import CostModel
        from .ansor.search import Search, SearchSettings
        from .learning.cost_model import TrainingSettings
        from .measuring.run import Timing

        if self._tasks is None:
            raise RequestError("There are no tasks yet. Expected extract before register.")
        settings = SearchSettings(**search)
        models = []
        for plan in cost_models:
            model = CostModel(
                plan["name"],
                plan["kind"],
                plan["tasks"],
                plan["warm_up_records"],
                settings.seed,
                TrainingSettings(**training),
            )
            if plan["model_file"] is not None:
                refuse_simulated(Path(plan["model_file"]).parent / SCHEDULES, str(self._target))
                model.load(plan["model_file"])
            models.append(model)
        carried = load_schedules(Path(schedules), str(self._target)) if schedules is not None else []
        self._engine = engine = self._make_engine(measure)
        timing = Timing(**measure["timing"])
        self._search = Search(self._tasks.tasks, models, settings, engine, timing, carried)
        self._search.take_over(self._records)
        return {"notices": sorted({model.notice for model in models if model.notice})}

    def propose(self, task: int, programs: int, recipe: dict[str, Any] | None) -> dict[str, Any]:
        from .ansor.candidates import Recipe

        made = Recipe(**recipe) if recipe is not None else None
        candidates, refusal = self._searching(task).propose(task, programs, made)
        return {"candidates": candidates, "refusal": refusal}

    def foresee(self, task: int, siblings: list[int]) -> dict[str, Any]:
        return {"gains": self._searching(task, *siblings).foresee(task, siblings)}

    def prepare(self, task: int, candidates: list[int]) -> dict[str, Any]:
        self._searching(task).prepare(task, candidates)
        return {}

    def measure(
        self, task: int, candidates: list[int], report: Callable[[dict[str, Any]], None], cancelled: Callable[[], bool]
    ) -> dict[str, Any]:
        measured = self._searching(task).measure(task, candidates, report, cancelled)
        return {"measured": measured, "notices": self._engine.notices() if self._engine else []}

    def review(self, task: int) -> dict[str, Any]:
        return {"accuracy": self._searching(task).review(task)}

    def learn(self, task: int) -> dict[str, Any]:
        return {"records": self._searching(task).learn(task)}

    def save(self, folder: str, add: bool) -> dict[str, Any]:
        """Writes `<family>.xgb` for each model, `models.json` with what each was trained on, and the best schedules."""
        from .ansor.carried import save_schedules

        if self._search is None:
            raise RequestError("There are no cost models yet. Expected register before save.")
        Path(folder).mkdir(parents=True, exist_ok=True)
        saved = []
        for model in self._search.models:
            name = re.sub(r"[^\w.-]", "_", model.name) + ".xgb"
            written = model.save(Path(folder) / name)
            saved.append(
                {
                    "name": model.name,
                    "file": name if written else None,
                    "records": model.records,
                    "tasks": model.tasks,
                    "sources": model.sources,
                }
            )
        save_schedules(Path(folder) / SCHEDULES, str(self._target), self._search.searches.values(), add)
        index = Path(folder) / "models.json"
        others = json.loads(index.read_text()) if add else []
        index.write_text(json.dumps([*others, *saved], indent=2) + "\n")
        return {"models": saved}

    def devices(self, tracker: dict[str, Any] | None) -> dict[str, Any]:
        from .measuring.devices import list_gpus, list_servers

        return {"devices": list_gpus() if tracker is None else list_servers(**tracker)}

    def compile(self, tuned: bool) -> dict[str, Any]:
        from .ansor.latency import compile_network

        if self._target is None:
            raise RequestError("There is no network yet. Expected extract before compile.")
        compiled = compile_network(self._built_network(), self._target, self._records if tuned else None)
        self._modules.append(compiled)
        return {"module": len(self._modules) - 1, "executor": compiled.executor}

    def export(self, module: int, library: str) -> dict[str, Any]:
        from .ansor.library import export_library

        export_library(self._compiled(module).library, library, str(self._target))
        return {}

    def evaluate(self, module: int, repeat: int, min_repeat_ms: int) -> dict[str, Any]:
        from .ansor.latency import time_network

        return {"seconds": self._on_threads(time_network, self._compiled(module), repeat, min_repeat_ms)}

    def _compiled(self, module: int) -> CompiledNetwork:
        if module >= len(self._modules):
            raise RequestError(f"There is no module {module}. Expected a number that compile returned.")
        return self._modules[module]

    def _make_engine(self, measure: dict[str, Any]) -> Engine | SimulatedEngine:
        """What measures, or simulates: a simulated target's programs, and no others, are simulated."""
        from .ansor.programs import PRELOAD
        from .measuring.cpus import allowed_cpus
        from .measuring.devices import make_devices
        from .measuring.engine import Engine, EngineSettings
        from .simulated.engine import SimulatedEngine

        simulated = measure["devices"]["type"] == "simulated"
        if simulated != is_simulated(str(self._target)):
            raise RequestError(
                f"Programs for {self._target} are not {'simulated' if simulated else 'measured'}. "
                f"Expected a target {'with' if simulated else 'without'} -model={SIMULATED_MODEL}."
            )
        if simulated:
            return SimulatedEngine()
        # TVM may have bound this thread to some, and what is started here would inherit that.
        os.sched_setaffinity(0, allowed_cpus())
        settings = EngineSettings(**measure["building"], threads=self._threads)
        return Engine(settings, make_devices(measure["devices"], str(self._target), self._threads), PRELOAD)

    def _on_threads(self, run: Callable[..., Any], *arguments: Any) -> Any:
        """Runs programs on the threads that were asked for; where none were, on as many as TVM chooses."""
        from .measuring.cpus import cpus_for, run_on

        return run(*arguments) if self._threads is None else run_on(cpus_for(self._threads), run, *arguments)

    def close(self) -> None:
        if self._search is not None:
            self._search.close()

    def _built_network(self) -> Network:
        assert self._network is not None
        model, batch, layout, inputs = self._network
        return build_network(model, batch, layout, inputs)

    def _searching(self, *tasks: int) -> Search:
        if self._search is None:
            raise RequestError("There are no searches yet. Expected register before propose, measure and learn.")
        for task in tasks:
            if task not in self._search.searches:
                known = ", ".join(map(str, sorted(self._search.searches)))
                raise RequestError(f"There is no task {task}. Expected one that register gave a cost model: {known}.")
        return self._search
