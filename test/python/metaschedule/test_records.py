"""Databases that anyone may have written: what can be used is taken, the rest is told; and TVM reads what we write."""

from __future__ import annotations

import json
import random
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import tvm
import tvm_ffi
from familyseer.errors import RequestError
from familyseer.measuring.failures import BUILD_TIMEOUT
from familyseer.measuring.program import Measured
from familyseer.metaschedule import intrinsics
from familyseer.metaschedule.database import RECORDS, WORKLOADS, workload_key, workload_line, workloads_for
from familyseer.metaschedule.records import Record, read_records, record_of
from familyseer.metaschedule.target import MetaTarget, text_of
from familyseer.metaschedule.task import MetaTask
from familyseer.metaschedule.tasks import ExtractedTask
from tvm import te
from tvm.s_tir import Schedule
from tvm.s_tir import meta_schedule as ms


def target_of(**attributes: Any) -> MetaTarget:
    target = tvm.target.Target(attributes)
    return MetaTarget(text_of(target), target)


TARGET = target_of(kind="llvm", **{"num-cores": 2})
OTHER = target_of(kind="llvm", **{"num-cores": 64})
PROGRAMS = 8


def matmul(size: int) -> tvm.IRModule:
    a, b = te.placeholder((size, size), name="a"), te.placeholder((size, size), name="b")
    k = te.reduce_axis((0, size), name="k")
    product = te.compute((size, size), lambda i, j: te.sum(a[i, k] * b[k, j], axis=k), name="c")
    return ms.tune_context._normalize_mod(te.create_prim_func([a, b, product]))


def tasks_of(*sizes: int, target: MetaTarget = TARGET) -> list[MetaTask]:
    return [MetaTask(number, ExtractedTask(f"matmul{size}", matmul(size)), target) for number, size in enumerate(sizes)]


def program(task: MetaTask, tile: int) -> Schedule:
    """As MetaSchedule's are: with a trace of all that was done."""
    made = Schedule(task.module, seed=1)
    loops = made.get_loops(made.get_sblock("c"))
    made.split(loops[0], [None, tile])
    return made


def ran(task: MetaTask, tile: int, *seconds: float) -> Record:
    return record_of(task, program(task, tile), Measured(seconds, None, 1.0, time.time(), "local", 0.0, 0.0))


def failed(task: MetaTask, tile: int) -> Record:
    return record_of(task, program(task, tile), Measured((), BUILD_TIMEOUT, 1.0, time.time(), None, 0.0, 0.0))


def write(folder: Path, tasks: Sequence[MetaTask], records: Sequence[Record]) -> str:
    """Adds records to a database, as a job does; its log."""
    folder.mkdir(exist_ok=True)
    log = folder / RECORDS
    named = workloads_for(str(log), [task.module for task in tasks], tasks[0].target)
    for task, number in zip(tasks, named.numbers):
        task.workload = number
    with (folder / WORKLOADS).open("a") as workloads, log.open("a") as lines:
        workloads.writelines(f"{line}\n" for line in named.lines)
        lines.writelines(f"{record.line()}\n" for record in records)
    return str(log)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of a tuning by TVM alone."""
    folder = tmp_path_factory.mktemp("plain")
    intrinsics.load(TARGET.tvm)
    ms.tir_integration.tune_tir(
        matmul(32),
        TARGET.tvm,
        work_dir=str(folder),
        max_trials_global=PROGRAMS,
        num_trials_per_iter=PROGRAMS,
        builder=ms.builder.LocalBuilder(max_workers=2, initializer=intrinsics.stand_in),
        cost_model="random",
        num_tuning_cores=2,
    )
    return folder


@pytest.fixture
def database(plain: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(plain, tmp_path / "database"))


def costs(records: Sequence[Record]) -> list[float | None]:
    return [record.cost for record in records]


def test_tvm_reads_what_we_write_and_finds_our_best_program(tmp_path: Path) -> None:
    tasks = tasks_of(32, 48)
    records = [ran(tasks[0], 2, 3e-3, 1e-3), ran(tasks[1], 4, 5e-3), failed(tasks[0], 8), ran(tasks[0], 1, 1e-3)]
    write(tmp_path, tasks, records)
    theirs = ms.database.JSONDatabase(work_dir=str(tmp_path), allow_missing=False)
    assert len(theirs) == 4
    top = theirs.get_top_k(theirs.commit_workload(tasks[0].module), 3)
    assert [[float(each) for each in record.run_secs] for record in top] == [[1e-3], [3e-3, 1e-3]]
    assert top[0].as_measure_candidate().args_info[0].as_json() == ["TENSOR", "float32", [32, 32]]
    best = theirs.query_ir_module(tasks[0].module, TARGET.tvm, "main")
    assert tvm_ffi.structural_equal(best, records[3].program.mod)


def test_lines_are_those_that_tvm_itself_writes(tmp_path: Path) -> None:
    tasks = tasks_of(32, 48)
    records = [ran(tasks[1], 4, 1.25e-7), failed(tasks[0], 2)]
    write(tmp_path, tasks, records)
    (tmp_path / "theirs").mkdir()
    theirs = ms.database.JSONDatabase(work_dir=str(tmp_path / "theirs"))
    for task in tasks:
        theirs.commit_workload(task.module)
    for record in records:
        theirs.commit_tuning_record(record.tuning_record())
    for name in RECORDS, WORKLOADS:
        assert (tmp_path / name).read_text() == (tmp_path / "theirs" / name).read_text()
    assert ",[10000000000]," in records[1].line()


def test_what_tvm_wrote_is_read_gone_on_with_and_still_read_by_tvm(database: Path) -> None:
    before = (database / WORKLOADS).read_text()
    # In another order, and one that the database has not.
    tasks = tasks_of(48, 32)
    part = read_records(str(database / RECORDS), tasks, TARGET)
    assert len(part.records) == PROGRAMS and part.skipped.count == 0
    assert {record.task for record in part.records} == {1}
    theirs = ms.database.JSONDatabase(work_dir=str(database))
    expected = [record.trace.as_json() for record in theirs.get_all_tuning_records()]
    assert sorted(map(str, expected)) == sorted(str(record.program.trace.as_json()) for record in part.records)
    write(database, tasks, [ran(tasks[0], 2, 1e-3), ran(tasks[1], 2, 1e-9)])
    assert [task.workload for task in tasks] == [1, 0]
    assert (database / WORKLOADS).read_text().startswith(before)
    assert len((database / WORKLOADS).read_text().splitlines()) == 2
    theirs = ms.database.JSONDatabase(work_dir=str(database))
    assert len(theirs) == PROGRAMS + 2
    assert [float(each) for each in theirs.query_tuning_record(tasks[1].module, TARGET.tvm, "main").run_secs] == [1e-9]
    again = read_records(str(database / RECORDS), tasks, TARGET)
    assert costs(again.records)[-2:] == [1e-3, 1e-9]
    # TVM goes on, too: its workloads are numbered as ours.
    theirs.commit_workload(tasks_of(64)[0].module)
    assert workloads_for(str(database / RECORDS), [tasks_of(64)[0].module], TARGET).numbers == [2]


def test_records_come_back_as_they_were_measured(tmp_path: Path) -> None:
    tasks = tasks_of(32, 48)
    records = [ran(tasks[0], 2, 1e-3, 2e-3), failed(tasks[1], 4), ran(tasks[1], 8, 7.1e-6)]
    log = write(tmp_path, tasks, records)
    read = read_records(log, tasks, TARGET).records
    assert [(record.task, record.run_seconds) for record in read] == [
        (0, (1e-3, 2e-3)),
        (1, ()),
        (1, (7.1e-6,)),
    ]
    assert costs(read) == [pytest.approx(1.5e-3), None, 7.1e-6]
    for before, after in zip(records, read):
        assert tvm_ffi.structural_equal(before.program.mod, after.program.mod)
        assert before.line() == after.line()
    lines = Path(log).read_bytes().splitlines(keepends=True)
    assert len(read_records(log, tasks, TARGET, start=len(lines[0])).records) == 2
    assert len(read_records(log, tasks, TARGET, stop=len(lines[0]) + 1).records) == 2
    only = read_records(log, tasks, TARGET, only=[1])
    assert [record.task for record in only.records] == [1, 1]
    assert only.skipped.lines == {("other-task", None): [1]}


def changed(line: str, change: Any) -> str:
    record = json.loads(line)
    change(record)
    return json.dumps(record)


def costing(line: str, times: Any) -> str:
    return changed(line, lambda record: record[1].__setitem__(1, times))


def for_target(line: str, target: Any) -> str:
    return changed(line, lambda record: record[1].__setitem__(2, target))


CUDA = {"kind": "cuda", "arch": "sm_90", "host": {"kind": "llvm"}}


def test_takes_the_good_and_tells_reason_and_line_of_the_rest(tmp_path: Path) -> None:
    tasks = tasks_of(32)
    log = Path(write(tmp_path, tasks_of(48, 32), []))
    task, other = tasks_of(48, 32)[1], tasks_of(48, 32)[0]
    task.workload = 1
    good, elsewhere = ran(task, 2, 1e-3).line(), ran(other, 2, 1e-3).line()
    cuda = text_of(tvm.target.Target(CUDA))
    bad = {
        ("no-record", None): [
            "\x00\x07",
            '{"i": [], "r": []}',
            good[:-9],
            "[0, [1, 2, 3, 4]]",
            "[" * 5000,
            "[true,[]]",
            changed(good, lambda record: record.__setitem__(0, 1.0)),
        ],
        ("impossible-time", None): [costing(good, times) for times in ([-1.0], [0], [float("nan")], [1e-3, 1e10])],
        ("other-target", OTHER.text): [for_target(good, json.loads(str(OTHER.tvm)))],
        ("other-target", "null"): [for_target(good, None)],
        ("other-target", '{"kind": "abacus"}'): [for_target(good, {"kind": "abacus"})],
        ("other-device", cuda): [for_target(good, CUDA)],
        ("no-workload", None): [changed(good, lambda record: record.__setitem__(0, 2))],
        ("other-task", None): [elsewhere],
        ("cannot-replay", None): [
            changed(good, lambda record: record[1][0][0].append(["Dance", [], [], []])),
            changed(good, lambda record: record[1][0][0].pop(0)),
            changed(good, lambda record: record[1][0][1].append([0.0, 1])),
            changed(good, lambda record: record[1][0][0][0].__setitem__(2, json.loads("[" * 700 + "]" * 700))),
        ],
    }
    lines = [good, *(line for of_reason in bad.values() for line in of_reason), costing(good, [2e-3])]
    # The last line is whole but for its break.
    log.write_text("\n".join(lines))
    part = read_records(str(log), tasks, TARGET)
    assert costs(part.records) == [1e-3, 2e-3]
    assert {reason: len(found) for reason, found in part.skipped.lines.items()} == {
        reason: len(of_reason) for reason, of_reason in bad.items()
    }
    assert part.skipped.lines["no-record", None] == [2, 3, 4, 5, 6, 7, 8]
    assert log.read_text() == "\n".join(lines)
    accepted = read_records(str(log), tasks, TARGET, other_targets=True)
    assert len(accepted.records) == 3
    assert ("other-target", OTHER.text) not in accepted.skipped.lines
    assert ("other-device", cuda) in accepted.skipped.lines


def test_a_database_of_two_targets_gives_each_its_own(tmp_path: Path) -> None:
    here, there = tasks_of(32), tasks_of(32, target=OTHER)
    log = write(tmp_path, here, [ran(here[0], 2, 1e-3)])
    write(tmp_path, there, [ran(there[0], 4, 1e-6)])
    assert costs(read_records(log, here, TARGET).records) == [1e-3]
    assert costs(read_records(log, there, OTHER).records) == [1e-6]
    assert costs(read_records(log, here, TARGET, other_targets=True).records) == [1e-3, 1e-6]
    assert len(ms.database.JSONDatabase(work_dir=str(tmp_path))) == 2


def test_a_last_line_that_was_cut_is_no_record_and_a_cut_workload_no_workload(database: Path) -> None:
    log, workloads, tasks = database / RECORDS, database / WORKLOADS, tasks_of(32)
    whole = log.read_bytes()
    log.write_bytes(whole[:-200])
    part = read_records(str(log), tasks, TARGET)
    assert (len(part.records), part.skipped.lines) == (PROGRAMS - 1, {("no-record", None): [PROGRAMS]})
    with pytest.raises(RuntimeError, match=r"Unexpected end of string|parallel_for"):
        ms.database.JSONDatabase(work_dir=str(database))
    log.write_bytes(whole)
    # As a kill leaves it: no record is of it yet.
    workloads.write_text(workloads.read_text() + workload_line(matmul(48))[:5000])
    assert len(read_records(str(log), tasks, TARGET).records) == PROGRAMS
    named = workloads_for(str(log), [matmul(48), matmul(32)], TARGET)
    assert (named.numbers, named.lines) == ([1, 0], [workload_line(matmul(48))])


def test_nothing_is_added_to_workloads_that_tvm_cannot_read_or_of_which_lines_are_missing(database: Path) -> None:
    log, workloads = database / RECORDS, database / WORKLOADS
    whole = workloads.read_text()
    workloads.write_text("nonsense\n" + whole)
    with pytest.raises(RequestError, match=r"Line 1 of .*database_workload.json is no workload"):
        workloads_for(str(log), [matmul(32)], TARGET)
    workloads.write_text(whole[:400])
    assert read_records(str(log), tasks_of(32), TARGET).skipped.lines.keys() == {("no-workload", None)}
    with pytest.raises(RequestError, match=r"Line 1 of .* is of workload 0, but .* has 0"):
        workloads_for(str(log), [matmul(48)], TARGET)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    ansors = tmp_path / "mobilenet.log"
    ansors.write_text("{}\n")
    for ask in (lambda log: read_records(log, tasks_of(32), TARGET), lambda log: workloads_for(log, [], TARGET)):
        with pytest.raises(RequestError, match="none of MetaSchedule's"):
            ask(str(ansors))
    (tmp_path / RECORDS).write_text("")
    with pytest.raises(RequestError, match=rf"{WORKLOADS} cannot be read .* both files"):
        read_records(str(tmp_path / RECORDS), tasks_of(32), TARGET)


def test_a_workload_key_is_the_databases_hash_and_the_shapes(database: Path) -> None:
    (hash_, *shapes) = json.loads(workload_key(matmul(32)))
    assert shapes == [[32, 32]] * 3
    assert json.loads((database / WORKLOADS).read_text())[0] == hash_
    assert workload_key(matmul(48)) != workload_key(matmul(32))


ODD: list[Any] = [
    None,
    True,
    -1,
    0,
    2**31 - 1,
    -(2**31),
    2**40,
    1.5,
    10**400,
    float("nan"),
    "",
    "zz",
    '"x"',
    "l2",
    "b0",
]
ODD += [[], [99], [[]], [[-1, 3]], {}, {"a": [1]}, "{}", '{"root_index": 0, "nodes": []}']


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where in a record something can be another thing."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, each in inner for place in places(each, (*path, key)))]


def test_no_mutation_of_a_line_ends_the_process(database: Path) -> None:
    draw = random.Random(0)
    log = database / RECORDS
    lines = log.read_text().splitlines()
    odd = []
    for _ in range(600):
        record = json.loads(draw.choice(lines))
        *way, last = draw.choice([place for place in places(record) if place])
        holder: Any = record
        for key in way:
            holder = holder[key]
        if draw.random() < 0.1:
            holder.pop(last)
        else:
            holder[last] = draw.choice(ODD)
        odd.append(json.dumps(record))
    log.write_text("\n".join(odd) + "\n")
    part = read_records(str(log), tasks_of(32), TARGET)
    assert len(part.records) + part.skipped.count == len(odd)
    assert part.skipped.count > 400
    for told in part.skipped.described():
        assert len(told["of"] or "") < 250 and (told["of"] or "").isprintable()
