"""On how many threads, and on which CPUs, programs run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tvm
from familyseer.ansor.programs import PRELOAD, AnsorProgram
from familyseer.backends import default_backend
from familyseer.errors import RequestError
from familyseer.experiments.programs_in_c import compile_c, linked_from_c
from familyseer.measuring.cpus import cpus_for, find_threads, real_cores, tvm_threads
from familyseer.measuring.engine import Engine, EngineSettings
from familyseer.measuring.run import Timing
from familyseer.operations import Operations
from tvm import auto_scheduler
from tvm.testing.auto_scheduler import matmul_auto_scheduler_test

pytestmark = pytest.mark.timed

# What each of a program's threads writes: its number, of how many, its CPU and the CPUs it may use, as a bit mask.
TELLS = """
    struct env {{ void *sync; int tasks; }};
    extern int TVMBackendParallelLaunch(int (*)(int, struct env *, void *), void *, int);
    extern int open(const char *, int, ...), dprintf(int, const char *, ...), sched_getcpu(void);
    extern int sched_getaffinity(int, unsigned long, unsigned long *);
    int tell(int number, struct env *env, void *data) {{
        unsigned long may[16] = {{0}};
        sched_getaffinity(0, sizeof may, may);
        int file = open("{told}", 02001);
        dprintf(file, "%d of %d on %d of %lx\\n", number, env->tasks, sched_getcpu(), may[0]);
        close(file);
        return 0;
    }}
    TVMBackendParallelLaunch(tell, 0, 0);
"""
BOTH = pytest.mark.skipif(real_cores() < 2, reason="this machine has one core")


@pytest.fixture(autouse=True)
def nothing_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TVM_NUM_THREADS", "OMP_NUM_THREADS", "TVM_BIND_THREADS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def told(tmp_path: Path) -> Path:
    file = tmp_path / "told"
    file.touch()
    return file


def machine(root: Path, siblings: list[str], cgroup: str = "", files: dict[str, str] | None = None) -> Path:
    """A machine's /sys and /proc: for each CPU those that share its core, and what of cgroups this process sees."""
    given = {f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list": of for cpu, of in enumerate(siblings)}
    for name, text in {**given, "proc/self/cgroup": cgroup, **(files or {})}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text + "\n")
    return root


@pytest.mark.parametrize(
    ("siblings", "allowed", "cores"),
    [
        (["0", "1", "2", "3"], {0, 1, 2, 3}, 4),
        (["0-1", "0-1", "2-3", "2-3"], {0, 1, 2, 3}, 2),
        (["0,2", "1,3", "0,2", "1,3"], {0, 1, 2, 3}, 2),
        (["0,2", "1,3", "0,2", "1,3"], {0, 2}, 1),
        (["0,2", "1,3", "0,2", "1,3"], {2, 3}, 2),
        ([], {0, 1, 5}, 3),
    ],
)
def test_cores_are_counted_once_each_of_the_cpus_it_may_use(
    tmp_path: Path, siblings: list[str], allowed: set[int], cores: int
) -> None:
    assert real_cores(machine(tmp_path, siblings), allowed) == cores


GROUP = "sys/fs/cgroup"


@pytest.mark.parametrize(
    ("cgroup", "files", "cores"),
    [
        ("0::/", {f"{GROUP}/cpu.max": "max 100000"}, 8),
        ("0::/", {f"{GROUP}/cpu.max": "200000 100000"}, 2),
        ("0::/a/b", {f"{GROUP}/a/cpu.max": "350000 100000", f"{GROUP}/a/b/cpu.max": "max 100000"}, 3),
        ("0::/", {f"{GROUP}/cpu.max": "50000 100000"}, 1),
        (
            "4:cpu,cpuacct:/docker/1\n0::/",
            {f"{GROUP}/cpu,cpuacct/cpu.cfs_quota_us": "400000", f"{GROUP}/cpu,cpuacct/cpu.cfs_period_us": "100000"},
            4,
        ),
        ("1:cpu:/a", {f"{GROUP}/cpu/a/cpu.cfs_quota_us": "-1", f"{GROUP}/cpu/a/cpu.cfs_period_us": "100000"}, 8),
        ("3:cpuset:/a", {f"{GROUP}/cpuset/a/cpu.max": "100000 100000"}, 8),
    ],
)
def test_a_quota_of_cpu_time_bounds_them(tmp_path: Path, cgroup: str, files: dict[str, str], cores: int) -> None:
    root = machine(tmp_path, [str(cpu) for cpu in range(8)], cgroup, files)
    assert real_cores(root, set(range(8))) == cores


@BOTH
def test_threads_go_to_cores_of_their_own_first(tmp_path: Path) -> None:
    one_core = machine(tmp_path, ["0-1", "0-1", "2-3", "2-3"])
    allowed = sorted(os.sched_getaffinity(0))
    firsts = [cpu for cpu in allowed if cpu % 2 == 0 or cpu - 1 not in allowed or cpu > 3]
    assert cpus_for(len(firsts), one_core) == tuple(firsts)
    assert set(cpus_for(len(allowed), one_core)) == set(allowed)


@BOTH
def test_one_cpu_to_run_on_is_one_thread() -> None:
    code = "from familyseer.measuring.cpus import find_threads; print(find_threads())"
    command = ["taskset", "-c", str(max(os.sched_getaffinity(0))), sys.executable, "-c", code]
    answer = subprocess.run(command, env={**os.environ, "PYTHONPATH": "python"}, capture_output=True, text=True)
    assert "count=1, by='cores', cores=1" in answer.stdout, answer.stderr


def test_a_users_word_counts_and_what_cannot_be_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    most = len(os.sched_getaffinity(0))
    assert (find_threads().count, find_threads().by) == (real_cores(), "cores")
    assert (find_threads(1).count, find_threads(1).by) == (1, "option")
    for asked in (0, most + 1):
        with pytest.raises(RequestError, match=rf"--threads says {asked} .* a whole number from 1 to {most}"):
            find_threads(asked)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert (find_threads().count, find_threads().by) == (1, "OMP_NUM_THREADS")
    monkeypatch.setenv("OMP_NUM_THREADS", " 1,4")
    assert (find_threads().count, tvm_threads()) == (1, 1)
    assert find_threads(most).count == most
    monkeypatch.setenv("TVM_NUM_THREADS", "1")
    assert (find_threads().by, find_threads(1).by) == ("TVM_NUM_THREADS", "option")
    monkeypatch.setenv("TVM_NUM_THREADS", str(most + 1))
    with pytest.raises(RequestError, match=f"TVM_NUM_THREADS says {most + 1} threads"):
        find_threads()
    with pytest.raises(RequestError, match=f"--threads says 1, but TVM_NUM_THREADS says {most + 1}"):
        find_threads(1)


def measured_program() -> auto_scheduler.MeasureInput:
    task = auto_scheduler.SearchTask(func=matmul_auto_scheduler_test, args=(16, 16, 16), target="llvm")
    return auto_scheduler.MeasureInput(task, task.compute_dag.init_state)


def threads_told(told: Path) -> set[tuple[int, int, int]]:
    """Of each thread: its number, how many there were, and the CPUs that it might use."""
    lines = [line.split() for line in told.read_text().splitlines()]
    return {(int(words[0]), int(words[2]), int(words[6], 16)) for words in lines}


def expected(threads: int) -> set[tuple[int, int, int]]:
    """The first has the CPUs of all, each other one its own; TVM 0.8 cannot be told that."""
    cpus = cpus_for(threads)
    everything = sum(1 << cpu for cpu in cpus)
    shared = tvm.__version__.startswith("0.8")
    return {(number, threads, everything if shared or number == 0 else 1 << cpu) for number, cpu in enumerate(cpus)}


@pytest.fixture
def engines() -> Iterator[list[Engine]]:
    made: list[Engine] = []
    yield made
    for engine in made:
        engine.close()


@pytest.mark.parametrize("threads", [1, real_cores(), None])
def test_a_program_is_timed_on_so_many_threads(engines: list[Engine], told: Path, threads: int | None) -> None:
    build = linked_from_c(TELLS.format(told=told))
    engines.append(Engine(EngineSettings(build_func=build, threads=threads), preload=PRELOAD))
    measured = engines[0].submit(AnsorProgram(measured_program()), Timing(number=1, min_repeat_ms=0)).result(60)
    assert measured.failure is None
    if threads is None:
        assert {of for _, of, _ in threads_told(told)} == {tvm_threads()}
    else:
        assert threads_told(told) == expected(threads)


@BOTH
def test_threads_stay_on_the_cpus_that_the_process_may_use(told: Path, tmp_path: Path) -> None:
    """TVM's own would all be on the machine's first."""
    library, last = tmp_path / "program.so", max(os.sched_getaffinity(0))
    compile_c(str(library), TELLS.format(told=told))
    code = (
        "import sys, tvm; from familyseer.measuring.cpus import cpus_for, run_on\n"
        "run_on(cpus_for(1), tvm.runtime.load_module(sys.argv[1])['program'], 0)"
    )
    command = ["taskset", "-c", str(last), sys.executable, "-c", code, str(library)]
    subprocess.run(command, env={**os.environ, "PYTHONPATH": "python"}, check=True, capture_output=True)
    assert threads_told(told) == {(0, 1, 1 << last)}


def test_builds_and_timings_take_turns_where_all_cores_are_timed_on(engines: list[Engine]) -> None:
    engines.append(Engine(EngineSettings(threads=len(os.sched_getaffinity(0))), preload=PRELOAD))
    task = measured_program().task
    policy = auto_scheduler.SketchPolicy(task, verbose=0, params={"evolutionary_search_population": 16}, seed=1)
    states = (list(policy.sample_initial_population()) * 3)[:24]
    timing = Timing(number=1, repeat=1, min_repeat_ms=5)
    futures = [engines[0].submit(AnsorProgram(auto_scheduler.MeasureInput(task, state)), timing) for state in states]
    assert [future.result(120).failure for future in futures] == [None] * len(states)


def test_a_network_is_evaluated_and_its_tasks_found_for_so_many_threads(told: Path, tmp_path: Path) -> None:
    library = tmp_path / "program.so"
    compile_c(str(library), TELLS.format(told=told))
    variables, affinity = dict(os.environ), os.sched_getaffinity(0)
    operations = Operations(default_backend())

    def ask(operation: str, **params: Any) -> dict[str, Any]:
        return operations.perform(operation, params, report=lambda _: None, cancelled=lambda: False)

    answer = ask("threads", asked=None)
    assert answer["count"] == real_cores()
    ask("extract", model="mlp", batch=1, layout="NHWC", inputs=[], target="llvm", cache=str(tmp_path / "cache"))
    assert {task.search_task.hardware_params.num_cores for task in operations.job.network.tasks} == {answer["count"]}
    assert str(operations.job.target) == str(operations.job.network.tasks[0].search_task.target)
    module = ask("compile", tuned=False)["module"]
    assert ask("evaluate", module=module, repeat=1, min_repeat_ms=1)["seconds"][0] > 0
    # As TVM does where it folds constants; then on the thread that evaluates.
    os.sched_setaffinity(0, {min(affinity)})
    operations.job.on_threads(tvm.runtime.load_module(str(library))["program"], 0)
    assert threads_told(told) == expected(answer["count"])
    # Tasks that were found for another number are others.
    ask("threads", asked=1)
    ask("extract", model="mlp", batch=1, layout="NHWC", inputs=[], target="llvm", cache=str(tmp_path / "cache"))
    assert {task.search_task.hardware_params.num_cores for task in operations.job.network.tasks} == {1}
    os.sched_setaffinity(0, affinity)
    operations.close()
    assert (dict(os.environ), os.sched_getaffinity(0)) == (variables, affinity)
