"""The columns of TVM's features of a store, by its auto-scheduler's names.

MetaSchedule writes the same in the same order, and names none (TVM: src/auto_scheduler/feature.cc,
src/s_tir/meta_schedule/feature_extractor/per_store_feature.cc).
"""

from __future__ import annotations

from itertools import chain, product

BUFFERS = 5
_SAMPLES = 10
_OPERATIONS = ("mad", "addsub", "mul", "divmod", "cmp", "mathfunc", "otherfunc")
_POSITIONS = (
    "kPosNone",
    "kPosInnerSpatial",
    "kPosMiddleSpatial",
    "kPosOuterSpatial",
    "kPosInnerReduce",
    "kPosMiddleReduce",
    "kPosOuterReduce",
    "kPosMixed",
)
_LOOPS = ("num", "prod", "len", *(f"type.{each}" for each in _POSITIONS))
_OF_BUFFER = (
    *(f"acc_type.{each}" for each in ("kRead", "kWrite", "kReadWrite")),
    *("bytes", "unique_bytes", "lines", "unique_lines"),
    *(f"reuse_type.{each}" for each in ("kLoopMultipleRead", "kSerialMultipleReadWrite", "kNoReuse")),
    *("reuse_dis_iter", "reuse_dis_bytes", "reuse_ct"),
    *("bytes_d_reuse_ct", "unique_bytes_d_reuse_ct", "lines_d_reuse_ct", "unique_lines_d_reuse_ct", "stride"),
)
NAMES = tuple(
    chain(
        (f"{kind}_{each}" for kind, each in product(("float", "int"), _OPERATIONS)),
        ("bool_op", "select_op"),
        (f"{kind}_{each}" for kind, each in product(("vec", "unroll", "parallel"), _LOOPS)),
        ("is_gpu", *(f"{kind}_{axis}_len" for kind, axis in product(("blockIdx", "threadIdx"), "xyz")), "vthread_len"),
        (f"B{buffer}.{each}" for buffer, each in product(range(BUFFERS), _OF_BUFFER)),
        (f"arith_intensity_curve_{each}" for each in range(_SAMPLES)),
        ("alloc_size", "alloc_prod", "alloc_outer_prod", "alloc_inner_prod"),
        ("outer_prod", "num_loops", "auto_unroll_max_step"),
    )
)
COLUMNS = {name: column for column, name in enumerate(NAMES)}
