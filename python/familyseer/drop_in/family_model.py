"""A cost model for MetaSchedule that is a model for each family."""

from __future__ import annotations

import json
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

from tvm.ir.utils import derived_object
from tvm.s_tir import meta_schedule as ms
from tvm_ffi import structural_hash

from ..errors import RequestError
from ..metaschedule.tasks import ExtractedTask, describe

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_FAMILIES = "families.json"


@derived_object
class CostModel(ms.cost_model.PyCostModel):
    """Each family's tasks have a model of their own, which learns from all of them.

    `make` makes a family's model, by default TVM's XGBModel. Families are those of our TaskScheduler, or without one
    formed by core operation. `models` has them by family.
    """

    def __init__(self, make: Callable[[], ms.CostModel] | None = None) -> None:
        super().__init__()
        self.models: dict[str, ms.CostModel] = {}
        self._make = make or ms.cost_model.XGBModel
        self._family_of: dict[int, str] = {}

    def form(self, families: dict[int, str]) -> None:
        """From now on tasks are of these families, by the structural hashes of what they compute."""
        self._family_of = dict(families)

    def update(self, context: ms.TuneContext, candidates: list[Any], results: list[Any]) -> None:
        if candidates:
            self._of(context).update(context, candidates, results)

    def predict(self, context: ms.TuneContext, candidates: list[Any]) -> NDArray[np.float64]:
        scores: NDArray[np.float64] = self._of(context).predict(context, candidates)
        return scores

    def save(self, path: str) -> None:
        """A zip archive with the file of each family's model, as that saves it."""
        # TVM's XGBModel saves one that has learnt nothing as a file that it cannot load.
        learnt = {family: model for family, model in self.models.items() if getattr(model, "booster", ...) is not None}
        with tempfile.TemporaryDirectory(prefix="familyseer-") as folder, zipfile.ZipFile(path, "w") as archive:
            archive.writestr(_FAMILIES, json.dumps(list(learnt)))
            for index, model in enumerate(learnt.values()):
                file = Path(folder, str(index))
                model.save(str(file))
                archive.write(file, str(index))

    def load(self, path: str) -> None:
        """Takes the models that `save` wrote. Raises RequestError for another file.

        A model's own file is TVM's XGBModel's by default, with pickles in it: what a stranger wrote may do anything.
        """
        try:
            with tempfile.TemporaryDirectory(prefix="familyseer-") as folder, zipfile.ZipFile(path) as archive:
                loaded = {}
                for index, family in enumerate(json.loads(archive.read(_FAMILIES))):
                    loaded[str(family)] = self._make()
                    loaded[str(family)].load(archive.extract(str(index), folder))
        except (zipfile.BadZipFile, KeyError, ValueError) as error:
            raise RequestError(
                f"{path} has no models of families: {error}. Expected what familyseer.metaschedule.CostModel saved."
            ) from error
        self.models = loaded

    def _of(self, context: ms.TuneContext) -> ms.CostModel:
        key = structural_hash(context.mod)
        if key not in self._family_of:
            found = describe(ExtractedTask(context.task_name, context.mod))
            self._family_of[key] = found.core_operation or found.workload_key
        family = self._family_of[key]
        if family not in self.models:
            self.models[family] = self._make()
        return self.models[family]


def of_policy(given: ms.CostModel | None, kind: str, families: dict[int, str]) -> ms.CostModel | None:
    """The model for a policy's tasks where `ms.tune_tasks` was given `given`.

    The XGBModel that it makes by default gives way to one for each family, or to random numbers. Any other model, and
    one that learnt before, is used as it is.
    """
    if isinstance(given, CostModel):
        if families:
            given.form(families)
        return given
    if not isinstance(given, ms.cost_model.XGBModel) or given.data_size > 0:
        return given
    if kind == "random":
        return ms.cost_model.RandomModel()
    if not families:
        return given
    model = CostModel(lambda: _alike(given))
    model.form(families)
    return model


def _alike(model: ms.cost_model.XGBModel) -> ms.cost_model.XGBModel:
    """An XGBModel that has learnt nothing, with the settings of another."""
    names = [
        "config",
        "num_warmup_samples",
        "early_stopping_rounds",
        "verbose_eval",
        "average_peak_n",
        "adaptive_training",
    ]
    return ms.cost_model.XGBModel(extractor=model.extractor, **{name: getattr(model, name) for name in names})
