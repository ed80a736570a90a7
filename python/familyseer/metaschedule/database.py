"""MetaSchedule's database as its files have it: `database_workload.json`, a line for each workload, and
`database_tuning_record.json`, a line for each record, which names its workload by the number of that line, from 0
(TVM: src/s_tir/meta_schedule/database/json_database.cc). TVM reads both or neither: one bad line is the end of it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import tvm_ffi
from tvm.s_tir.meta_schedule.database import JSONDatabase, Workload

from ..backend import Workloads
from ..errors import RequestError
from ..log_lines import lines_of

if TYPE_CHECKING:
    import tvm
    from tvm.s_tir.meta_schedule.database import TuningRecord

    from .target import MetaTarget

RECORDS = "database_tuning_record.json"
WORKLOADS = "database_workload.json"
# What TVM writes as the time of a program that failed (TVM: measure_callback/add_to_database.cc).
FAILED_SECONDS = 1e10

_NUMBER = re.compile(rb"\s*\[\s*(\d+)\s*,")


def workload_key(module: tvm.IRModule) -> str:
    """What a workload is known by: the hash of its structure, as TVM's database has it, and its parameters' shapes. Of
    the same form as a key of TVM's auto-scheduler."""
    shapes = [[int(extent) for extent in parameter.shape] for parameter in module["main"].params]
    return json.dumps([Workload(module).as_json()[0], *shapes])


def workload_line(module: tvm.IRModule) -> str:
    """A workload as TVM's database has it, without the line's end."""
    return json.dumps(Workload(module).as_json(), separators=(",", ":"))


def record_line(record: TuningRecord, workload: int) -> str:
    """A record as TVM's database has it, without the line's end: TVM writes it, to a file in memory."""
    file = os.memfd_create("record")
    try:
        # Its only workload is the first.
        database = JSONDatabase(os.devnull, f"/proc/self/fd/{file}")
        database.commit_workload(record.workload.mod)
        database.commit_tuning_record(record)
        with os.fdopen(os.dup(file), "rb") as written:
            written.seek(0)
            line = written.read().decode().rstrip("\n")
    finally:
        os.close(file)
    return f"[{workload}{line[2:]}"


def workloads_beside(log: str) -> Path:
    """The file of the workloads that a log's records name. Raises RequestError for what is no database."""
    path = Path(log)
    if path.name != RECORDS:
        raise RequestError(
            f"The log {log} is none of MetaSchedule's, whose records are in a database: a folder with {WORKLOADS} and "
            f"{RECORDS}. Expected that folder, or a Python with TVM's auto-scheduler for a log of its own."
        )
    return path.with_name(WORKLOADS)


def find_workloads(log: str, modules: Sequence[tvm.IRModule]) -> list[int | None]:
    """Of each workload of a database which of the modules it is, None: another, or one that TVM cannot read.

    A last line that its writer did not finish is none. Raises RequestError for what is no database.
    """
    path = workloads_beside(log)
    own = {workload_line(module): index for index, module in enumerate(modules)}
    by_hash: dict[int, list[int]] = {}
    for index, module in enumerate(modules):
        by_hash.setdefault(tvm_ffi.structural_hash(module), []).append(index)
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except OSError as error:
        raise RequestError(
            f"{path} cannot be read ({error.strerror}). Expected it beside {RECORDS}: a database is both files."
        ) from None
    found: list[int | None] = []
    for line in lines:
        text = line.decode(errors="replace").rstrip("\n")
        if text in own:
            found.append(own[text])
            continue
        module = _module_of(text)
        if module is None and not line.endswith(b"\n"):
            break
        alike = [] if module is None else by_hash.get(tvm_ffi.structural_hash(module), [])
        found.append(next((each for each in alike if tvm_ffi.structural_equal(module, modules[each])), None))
    return found


def workloads_for(log: str, modules: Sequence[tvm.IRModule], target: MetaTarget) -> Workloads:
    """How records of the modules name them in a database, new or not.

    Raises RequestError for one to which nothing can be added: TVM cannot read its workloads, or lines of them are gone.
    """
    path = workloads_beside(log)
    found: list[int | None] = []
    if path.exists():
        found = find_workloads(log, modules)
        _require_readable(path)
    if Path(log).exists():
        _require_workloads(log, len(found))
    lacking = [index for index in range(len(modules)) if index not in found]
    places = [*found, *lacking]
    return Workloads(
        [workload_line(modules[index]) for index in lacking],
        len(places),
        [places.index(index) for index in range(len(modules))],
        str(target.tvm),
    )


def _module_of(line: str) -> tvm.IRModule | None:
    try:
        return Workload.from_json(json.loads(line)).mod
    except Exception:
        return None


def _require_readable(path: Path) -> None:
    for number, line in enumerate(path.read_bytes().splitlines(keepends=True), 1):
        if line.endswith(b"\n") and _module_of(line.decode(errors="replace")) is None:
            raise RequestError(
                f"Line {number} of {path} is no workload that this TVM can read, so that it cannot read any of the "
                "database. Expected what ms.tune_tasks or familyseer wrote with it: choose another folder."
            )


def _require_workloads(log: str, count: int) -> None:
    """A workload that is added would take the place of the one that a record means."""
    for number, line in lines_of(log):
        named = _NUMBER.match(line)
        if named is not None and int(named[1]) >= count:
            raise RequestError(
                f"Line {number} of {log} is of workload {int(named[1])}, but {WORKLOADS} has {count}: lines are "
                "missing there. Put the file back, or choose another folder."
            )
