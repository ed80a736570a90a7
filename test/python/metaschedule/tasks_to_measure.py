"""A small task, and programs of it, made by TVM itself."""

from __future__ import annotations

import functools
from typing import Any

from familyseer.metaschedule import intrinsics
from familyseer.metaschedule.target import MetaTarget, parse_target
from tvm import te
from tvm.s_tir import meta_schedule as ms


@functools.cache
def target() -> MetaTarget:
    return parse_target("native")


def context(size: int = 64) -> ms.TuneContext:
    """Of a matrix product, with a small search."""
    intrinsics.load(target().tvm)
    left, right = (te.placeholder((size, size), name=name) for name in ("left", "right"))
    k = te.reduce_axis((0, size), name="k")
    product = te.compute((size, size), lambda i, j: te.sum(left[i, k] * right[k, j], axis=k), name="product")
    return ms.TuneContext(
        mod=te.create_prim_func([left, right, product]),
        target=target().tvm,
        space_generator="post-order-apply",
        search_strategy=ms.search_strategy.EvolutionarySearch(population_size=16, genetic_num_iters=1),
        task_name="product",
        rand_state=1,
        num_threads=1,
    )


def candidates(count: int, size: int = 64) -> list[Any]:
    """TVM's measure candidates."""
    searching = context(size)
    spaces = searching.generate_design_space()
    searching.pre_tuning(count, count, spaces, ms.database.MemoryDatabase(), ms.cost_model.RandomModel())
    return list(searching.generate_measure_candidates())
