"""The search, from its cost models and devices to what it leaves for later jobs."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

from ..backend import ModelPlan
from ..errors import RequestError
from ..targets import SIMULATED_MODEL, is_simulated

if TYPE_CHECKING:
    from ..backend import CostModel
    from ..learning.cost_model import TrainingSettings
    from ..measuring.engine import Engine
    from ..simulated.engine import SimulatedEngine
    from ..wire import messages
    from .job import Job

SCHEDULES = "schedules.json"


def recall(
    job: Job,
    folder: str,
    made_for: str,
    families: list[messages.WantedFamily],
    jobs: list[str] | None,
    schedules: bool,
) -> messages.RecallResult:
    from ..search.earlier_jobs import EarlierJobs

    tasks = job.extracted("recall").tasks
    earlier = EarlierJobs(Path(folder), made_for)
    for each in families:
        wanted = [tasks[task].describe() for task in each["tasks"]]
        recalled = earlier.recall(each["name"], wanted, job.backend, jobs)
        if recalled.tasks:
            job.recalled[each["name"]] = recalled if schedules else replace(recalled, tasks=[])
    return {
        "families": [
            {"name": name, "schedules": found.schedules, "records": found.programs, "jobs": found.jobs}
            for name, found in job.recalled.items()
        ],
        "notices": earlier.notices,
    }


def keep(job: Job, folder: str, made_for: str, name: str) -> messages.KeepResult:
    from ..search.earlier_jobs import EarlierJobs

    if job.search is None:
        raise RequestError("There is nothing to keep yet. Expected register before keep.")
    earlier = EarlierJobs(Path(folder), made_for)
    try:
        earlier.keep(name, job.search.searches.values(), job.backend)
    except OSError as error:
        return {"notices": [*earlier.notices, f"what was found is not kept for later jobs: {error}"]}
    return {"notices": earlier.notices}


def register(
    job: Job,
    cost_models: list[messages.CostModelPlan],
    schedules: str | None,
    search: messages.SearchSettings,
    training: messages.TrainingSettings,
    measure: messages.MeasureSettings,
) -> messages.RegisterResult:
    from ..learning.cost_model import TrainingSettings
    from ..measuring.run import Timing
    from ..search.carried import load_schedules
    from ..search.search import Search
    from ..search.task_search import SearchSettings

    network = job.extracted("register")
    settings = SearchSettings(**search)
    trained = TrainingSettings(**training)
    models = [_cost_model(job, plan, settings.seed, trained) for plan in cost_models]
    carried = [task for recalled in job.recalled.values() for task in recalled.tasks]
    if schedules is not None:
        carried += load_schedules(Path(schedules), str(job.target), job.backend)
    job.engine = engine = make_engine(job, measure)
    retime = measure["building"]["retime"]
    job.search = Search(network.tasks, models, settings, engine, Timing(**measure["timing"]), carried, retime)
    job.search.take_over(job.records)
    return {"notices": sorted({model.notice for model in models if model.notice})}


def propose(job: Job, task: int, programs: int, recipe: dict[str, Any] | None) -> messages.ProposeResult:
    from ..search.recipes import Recipe

    made = Recipe(**recipe) if recipe is not None else None
    candidates, refusal = job.searching(task).propose(task, programs, made)
    return {"candidates": candidates, "refusal": refusal}


def foresee(job: Job, task: int, siblings: list[int]) -> messages.ForeseeResult:
    return {"gains": job.searching(task, *siblings).foresee(task, siblings)}


def prepare(job: Job, task: int, candidates: list[int]) -> messages.PrepareResult:
    job.searching(task).prepare(task, candidates)
    return {}


def measure(
    job: Job,
    task: int,
    candidates: list[int],
    report: Callable[[messages.MeasuredEvent], None],
    cancelled: Callable[[], bool],
) -> messages.MeasureResult:
    measured = job.searching(task).measure(task, candidates, report, cancelled)
    return {"measured": measured, "notices": job.engine.notices() if job.engine else []}


def review(job: Job, task: int, against: messages.PairsOf) -> messages.ReviewResult:
    accuracy, of = job.searching(task).review(task, against)
    return {"accuracy": accuracy, "of": of}


def learn(job: Job, task: int) -> messages.LearnResult:
    return {"records": job.searching(task).learn(task)}


def save(job: Job, folder: str, add: bool) -> messages.SaveResult:
    """Writes `<family>.xgb` for each model, `models.json` with what each was trained on, and the best schedules."""
    from ..search.carried import save_schedules

    if job.search is None:
        raise RequestError("There are no cost models yet. Expected register before save.")
    Path(folder).mkdir(parents=True, exist_ok=True)
    saved: list[messages.SavedModel] = []
    for model in job.search.models:
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
    save_schedules(Path(folder) / SCHEDULES, str(job.target), job.search.searches.values(), job.backend, add)
    index = Path(folder) / "models.json"
    others = json.loads(index.read_text()) if add else []
    index.write_text(json.dumps([*others, *saved], indent=2) + "\n")
    return {"models": saved}


def _cost_model(job: Job, plan: messages.CostModelPlan, seed: int, training: TrainingSettings) -> CostModel:
    from ..search.carried import refuse_simulated

    asked = ModelPlan(plan["name"], plan["kind"], plan["tasks"], plan["warm_up_records"])
    model = job.backend.cost_model(asked, seed, training)
    if plan["model_file"] is not None:
        refuse_simulated(Path(plan["model_file"]).parent / SCHEDULES, str(job.target))
        model.load(plan["model_file"])
    elif plan["name"] in job.recalled:
        model.begin_with(job.recalled[plan["name"]].records)
    return model


def make_engine(job: Job, measure: messages.MeasureSettings) -> Engine | SimulatedEngine:
    """What measures, or simulates: a simulated target's programs, and no others, are simulated."""
    from ..measuring.cpus import allowed_cpus
    from ..measuring.devices import make_devices
    from ..measuring.engine import Engine, EngineSettings
    from ..simulated.engine import SimulatedEngine

    simulated = measure["devices"]["type"] == "simulated"
    if simulated != is_simulated(str(job.target)):
        raise RequestError(
            f"Programs for {job.target} are not {'simulated' if simulated else 'measured'}. "
            f"Expected a target {'with' if simulated else 'without'} -model={SIMULATED_MODEL}."
        )
    if simulated:
        return SimulatedEngine()
    # TVM may have bound this thread to some, and what is started here would inherit that.
    os.sched_setaffinity(0, allowed_cpus())
    settings = EngineSettings(**measure["building"], threads=job.threads)
    devices = make_devices(measure["devices"], str(job.target), job.threads)
    return Engine(settings, devices, job.backend.preload(job.target))
