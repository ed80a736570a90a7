"""Logs that anyone may have written: what can be used is taken, the rest is told, and nothing ends the process."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from familyseer.ansor.records import read_records, same_device, usable_copy
from familyseer.errors import RequestError
from tvm import auto_scheduler, te, topi
from tvm.auto_scheduler import MeasureInput, MeasureResult
from tvm.auto_scheduler.measure_record import dump_record_to_string


@auto_scheduler.register_workload
def records_matmul(size: int, then: str) -> list[te.Tensor]:
    a, b = te.placeholder((size, 24), name="a"), te.placeholder((24, size), name="b")
    k = te.reduce_axis((0, 24), name="k")
    product = te.compute((size, size), lambda i, j: te.sum(a[i, k] * b[k, j], axis=k), name="c")
    return [a, b, topi.nn.relu(product) if then == "relu" else topi.tanh(product)]


def dag_task(size: int, then: str) -> auto_scheduler.SearchTask:
    """A task named as those of a network are: by its DAG's hash and shapes."""
    dag = auto_scheduler.ComputeDAG(records_matmul(size, then))
    key = dag.workload_key()
    auto_scheduler.workload_registry.register_workload_tensors(key, list(dag.tensors))
    return auto_scheduler.SearchTask(workload_key=key, compute_dag=dag, target="llvm")


@pytest.fixture(scope="module")
def tasks() -> list[auto_scheduler.SearchTask]:
    return [dag_task(32, "relu"), dag_task(48, "relu")]


@pytest.fixture(scope="module")
def lines(tasks: list[auto_scheduler.SearchTask]) -> list[str]:
    """Three records of each task."""
    made = []
    for task in tasks:
        policy = auto_scheduler.SketchPolicy(
            task, auto_scheduler.RandomModel(), params={"evolutionary_search_population": 8}, verbose=0, seed=0
        )
        for index, state in enumerate(list(policy.sample_initial_population())[:3]):
            result = MeasureResult([1e-3 * (index + 1)], 0, "", 0.1, 1234)
            made.append(dump_record_to_string(MeasureInput(task, state), result).strip())
    return made


def changed(line: str, change: Any) -> str:
    record = json.loads(line)
    change(record)
    return json.dumps(record)


def renamed(line: str, flat: bool = False) -> str:
    """The record as another TVM version would have named its task."""

    def rename(record: Any) -> None:
        _hash, *shapes = json.loads(record["i"][0][0])
        shapes = [extent for shape in shapes for extent in shape] if flat else shapes
        record["i"][0][0] = json.dumps(["0123456789abcdef0123456789abcdef", *shapes])

    return changed(line, rename)


def costing(line: str, cost: float) -> str:
    return changed(line, lambda record: record.update(r=[[cost], 0, 0.1, 1]))


def test_takes_the_good_and_tells_reason_and_line_of_the_rest(
    tasks: list[Any], lines: list[str], tmp_path: Path
) -> None:
    log = tmp_path / "t.log"
    bad = {
        ("no-record", None): [
            b"\x00\xff\xfe\x07",
            b"[1, 2]",
            lines[0][:40].encode(),
            b'{"i": [[1, 2], []]}',
            b"[" * 5000,
        ],
        ("impossible-time", None): [costing(lines[0], cost).encode() for cost in (-1.0, 0.0, float("nan"))],
        ("record-version", "v9"): [changed(lines[0], lambda record: record.update(v="v9")).encode()],
        ("other-device", "cuda -arch=sm_70"): [
            changed(lines[0], lambda record: record["i"][0].__setitem__(1, "cuda -arch=sm_70")).encode()
        ],
        ("other-task", None): [changed(lines[0], lambda record: record["i"][0].__setitem__(0, '["x", 1]')).encode()],
        ("cannot-replay", None): [
            changed(lines[0], lambda record: record["i"][1][1].append(["XX", 1])).encode(),
            changed(lines[0], lambda record: record["i"][1][1].append(["CI", 99])).encode(),
        ],
    }
    content = [lines[0].encode()] + [line for of_reason in bad.values() for line in of_reason] + [lines[1].encode()]
    # The last line is whole but for its break.
    log.write_bytes(b"\n".join(content))
    part = read_records(str(log), tasks)
    assert [record.cost for record in part.records] == pytest.approx([1e-3, 2e-3])
    assert {reason: len(found) for reason, found in part.skipped.lines.items()} == {
        reason: len(of_reason) for reason, of_reason in bad.items()
    }
    assert part.skipped.lines["no-record", None] == [2, 3, 4, 5, 6]
    assert log.read_bytes() == b"\n".join(content)
    copy = tmp_path / "usable.log"
    usable_copy(str(log), part.skipped, copy)
    assert len(copy.read_bytes().splitlines()) == 4


def test_a_part_of_a_log_has_the_line_numbers_of_the_whole(tasks: list[Any], lines: list[str], tmp_path: Path) -> None:
    log = tmp_path / "t.log"
    log.write_text(f"{lines[0]}\n{lines[1]}\nrubbish\n{lines[2]}\n{lines[3]}\n")
    start = len(lines[0]) + 1
    part = read_records(str(log), tasks, start, start + len(lines[1]) + len("rubbish") + len(lines[2]) + 3)
    assert len(part.records) == 2
    assert part.skipped.lines == {("no-record", None): [3]}
    with pytest.raises(RequestError, match="cannot be read"):
        read_records(str(tmp_path / "none.log"), tasks)


def test_no_mutation_of_a_record_ends_the_process(tasks: list[Any], lines: list[str], tmp_path: Path) -> None:
    draw = random.Random(0)
    values: list[Any] = [-1, 0, 99, 2**31 - 1, -(2**31), 2**40, 1.5, None, "", "zz", [], [99], [-1, 3], {}]

    def mutate(record: Any) -> None:
        steps = record["i"][1][1]
        step = draw.choice(steps)
        position = draw.randrange(len(step))
        inner = step[position]
        if isinstance(inner, list) and inner and draw.random() < 0.5:
            inner[draw.randrange(len(inner))] = draw.choice(values)
        else:
            step[position] = draw.choice([*values, "SP", "RE", "FU", "CA", "CHW", "RF", "FSP"])

    log = tmp_path / "t.log"
    log.write_text("".join(changed(draw.choice(lines), mutate) + "\n" for _ in range(500)))
    part = read_records(str(log), tasks)
    assert len(part.records) + part.skipped.count == 500
    assert part.skipped.count > 400


# What JSON can hold, and what Python's makes of what others write.
ODD: list[Any] = [None, True, -1, 0, 1.5, 10**400, -(2**63), float("nan"), float("inf"), 1e308, "", "zz", "\ud800\x1b"]
ODD += [[], {}, [[]], [[[1]]], {"a": [1]}, [None], [["x"], 1], '["k", [[1]]]', '["k", {"a": 1}]', "[" * 5000, "{}", "7"]
ODD += ["llvm -mcpu=", '{"kind": "llvm"}', '{"kind": 7}', "nonsense -x", "cuda " + "x" * 9999, '["records_matmul"]']


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where in a record something can be another thing."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, each in inner for place in places(each, (*path, key)))]


def test_an_odd_line_is_skipped_with_a_reason_whatever_is_odd_about_it(
    tasks: list[Any], lines: list[str], tmp_path: Path
) -> None:
    draw = random.Random(1)
    odd = []
    for line in lines[0], renamed(lines[0]), renamed(lines[3], flat=True):
        everywhere = [place for place in places(json.loads(line)) if place]
        # What is around the steps, which the test above mutates, each with everything.
        for place in [place for place in everywhere if len(place) < 4]:
            for value in ODD:
                record = json.loads(line)
                holder = record
                for key in place[:-1]:
                    holder = holder[key]
                if draw.random() < 0.1:
                    holder.pop(place[-1])
                else:
                    holder[place[-1]] = value
                odd.append(json.dumps(record))
    odd += [json.dumps(value) for value in ODD] + [f'{{"{key}": 1, {lines[0][1:]}' for key in "irvx"]
    log = tmp_path / "t.log"
    log.write_text("\n".join([*odd, lines[1]]))
    for others in True, False:
        part = read_records(str(log), tasks, other_targets=others)
        assert part.records[-1].cost == pytest.approx(2e-3)
        assert len(part.records) + part.skipped.count == len(odd) + 1
        assert all(record.cost is None or 0 < record.cost < 1e10 for record in part.records)
        described = part.skipped.described()
        assert described
        for told in described:
            said = told["of"] or ""
            assert len(said) < 250 and said.isprintable() and told["lines"]
            said.encode()


@pytest.mark.parametrize("target", ["cuda -arch=sm_70", "opencl -device=mali"])
def test_programs_of_gpus_are_none_of_a_cpus_whatever_targets_are_accepted(
    tasks: list[Any], lines: list[str], tmp_path: Path, target: str
) -> None:
    log = tmp_path / "t.log"
    log.write_text(changed(lines[0], lambda content: content["i"][0].__setitem__(1, target)) + "\n" + lines[1])
    part = read_records(str(log), tasks, other_targets=True)
    assert len(part.records) == 1
    assert part.skipped.lines == {("other-device", target): [1]}


def test_a_workload_whose_key_has_lists_in_lists_is_known_by_its_key(tmp_path: Path) -> None:
    """As those have that a user registered, with arguments of any kind."""
    key = json.dumps(["a_users_own", [[3, 24], [24, 3]], {"then": [None]}])
    dag = auto_scheduler.ComputeDAG(records_matmul(32, "relu"))
    auto_scheduler.workload_registry.register_workload_tensors(key, list(dag.tensors))
    task = auto_scheduler.SearchTask(workload_key=key, compute_dag=dag, target="llvm")
    policy = auto_scheduler.SketchPolicy(task, auto_scheduler.RandomModel(), verbose=0, seed=0)
    state = next(iter(policy.sample_initial_population()))
    log = tmp_path / "t.log"
    record = dump_record_to_string(MeasureInput(task, state), MeasureResult([1e-3], 0, "", 0.1, 1234)).strip()
    other = changed(record, lambda content: content["i"][0].__setitem__(0, '["a_users_own", [[[5]]]]'))
    log.write_text(f"{record}\n{other}\n")
    part = read_records(str(log), [task])
    assert [each.cost for each in part.records] == [1e-3]
    assert part.skipped.lines == {("other-task", None): [2]}


def test_the_copy_of_a_log_has_only_lines_that_tvm_can_read(tasks: list[Any], lines: list[str], tmp_path: Path) -> None:
    log, copy = tmp_path / "t.log", tmp_path / "usable.log"
    foreign = [
        changed(lines[0], lambda record, target=target: record["i"][0].__setitem__(1, target))
        for target in ("cuda -arch=sm_70 -max_num_threads=1024 -thread_warp_size=32", "nonsense -x")
    ]
    log.write_text("\n".join([lines[0], *foreign, lines[1]]) + "\n")
    part = read_records(str(log), tasks)
    assert part.skipped.count == 2
    usable_copy(str(log), part.skipped, copy)
    assert copy.read_text().splitlines() == [lines[0], foreign[0], lines[1]]
    assert len(list(auto_scheduler.load_records(str(copy)))) == 3


def test_records_of_other_tasks_than_those_asked_for_are_left_out_whatever_names_them(
    tasks: list[Any], lines: list[str], tmp_path: Path
) -> None:
    log = tmp_path / "t.log"
    for written in (lines, [renamed(line) for line in lines]):
        log.write_text("".join(line + "\n" for line in written))
        part = read_records(str(log), tasks, only=[1])
        assert [record.task for record in part.records] == [1, 1, 1]
        assert part.matched == (3 if written is not lines else 0)
        assert part.skipped.lines == {("other-task", None): [1, 2, 3]}


def test_records_of_another_tvm_version_are_taken_where_it_is_sure_of_which_task_they_are(
    tasks: list[Any], lines: list[str], tmp_path: Path
) -> None:
    log = tmp_path / "t.log"
    log.write_text("".join(renamed(line) + "\n" for line in lines))
    part = read_records(str(log), tasks)
    assert [record.task for record in part.records] == [0, 0, 0, 1, 1, 1]
    assert part.matched == 6
    log.write_text("".join(renamed(line, flat=True) + "\n" for line in lines))
    assert read_records(str(log), tasks).matched == 6
    assert read_records(str(log), tasks, other_versions=False).records == []
    # Two tasks of these shapes; a task that has records of its own; loops of other extents.
    alike = [*tasks, dag_task(32, "tanh")]
    assert {record.task for record in read_records(str(log), alike).records} == {1}
    log.write_text(lines[0] + "\n" + "".join(renamed(line) + "\n" for line in lines[1:]))
    assert [record.task for record in read_records(str(log), tasks).records] == [0, 1, 1, 1]

    def split_otherwise(record: Any) -> None:
        for step in record["i"][1][1]:
            if step[0] == "SP":
                step[3] += 1

    log.write_text("".join(renamed(changed(line, split_otherwise)) + "\n" for line in lines))
    assert read_records(str(log), tasks).records == []


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("llvm -keys=cpu -link-params=0 -mcpu=core-avx2", "llvm -keys=cpu -mcpu=core-avx2 -mtriple=x86_64-linux", True),
        ("llvm -keys=cpu -mcpu=core-avx2", "llvm -keys=cpu -mcpu=skylake-avx512", False),
        ("cuda -keys=cuda,gpu -arch=sm_70", "cuda -keys=cuda,gpu -arch=sm_80", False),
        ("cuda -keys=cuda,gpu -arch=sm_70 -max_num_threads=1024", "cuda -arch=sm_70", True),
        ("llvm", "cuda", False),
    ],
)
def test_targets_are_the_same_where_they_are_for_the_same_device(one: str, other: str, same: bool) -> None:
    assert same_device(one, other) is same
