"""Measuring through real TVM RPC trackers and servers on loopback, and what becomes of programs when these fail."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Callable

import pytest
from familyseer.ansor.programs import PRELOAD, AnsorProgram
from familyseer.devices import start_devices
from familyseer.errors import DevicesError, RequestError
from familyseer.experiments.programs_in_c import compile_c
from familyseer.measuring import Streaming
from familyseer.measuring import devices as devices_module
from familyseer.measuring import tracker as trackers
from familyseer.measuring.build import link_here
from familyseer.measuring.devices import DeviceReport, TrackerDevices, count_devices, make_devices
from familyseer.measuring.engine import Engine, EngineSettings
from familyseer.measuring.program import Measured
from familyseer.measuring.run import Timing
from familyseer.measuring.servers import LocalServers
from familyseer.measuring.tracker import Tracker
from tvm import auto_scheduler
from tvm.testing.auto_scheduler import matmul_auto_scheduler_test

pytestmark = pytest.mark.timed

SECONDS = 60
LOOPBACK = "127.0.0.1"
QUICK = Timing(number=1, repeat=1, min_repeat_ms=1)
# Programs in C that behave in a way that no matmul does.
WAITS = "usleep(100000);"
CRASHES = "abort();"
NEVER_ENDS = "for (;;) usleep(1000);"


@pytest.fixture(scope="module")
def programs() -> list[auto_scheduler.MeasureInput]:
    task = auto_scheduler.SearchTask(func=matmul_auto_scheduler_test, args=(16, 16, 16), target="llvm")
    params = {"sample_init_min_population": 32, "evolutionary_search_population": 64}
    policy = auto_scheduler.SketchPolicy(task, auto_scheduler.RandomModel(), params=params, verbose=0, seed=0)
    return [auto_scheduler.MeasureInput(task, state) for state in policy.sample_initial_population()[:24]]


class SharedServers(LocalServers):
    """Servers that outlive the devices they were given to."""

    def terminate(self) -> None:
        pass

    def really_terminate(self) -> None:
        super().terminate()


@pytest.fixture(scope="module")
def servers() -> Iterator[LocalServers]:
    started = SharedServers(2)
    yield started
    started.really_terminate()


class UsersTracker:
    """A tracker with two servers as a user starts them."""

    key = "users-device"

    def __init__(self) -> None:
        self.tracker = Tracker(LOOPBACK, _free_port())
        self._ports: dict[int, int] = {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.start_tracker()
        for number in (0, 1):
            self.start_server(number)
        until(lambda: len(self.listed()) == 2)

    def start_tracker(self) -> None:
        port = self.tracker.port
        self._start("tracker", "rpc_tracker", "--port", str(port), "--port-end", str(port + 1))

    def start_server(self, number: int, host: str = LOOPBACK, environment: dict[str, str] | None = None) -> None:
        port = self._ports.setdefault(number, _free_port())
        options = ["--port", str(port), "--port-end", str(port + 1), "--tracker", str(self.tracker), "--key", self.key]
        self._start(f"server {number}", "rpc_server", *options, "--custom-addr", host, environment=environment)

    def _start(self, name: str, module: str, *options: str, environment: dict[str, str] | None = None) -> None:
        host = options[-1] if "--custom-addr" in options else LOOPBACK
        self._processes[name] = subprocess.Popen(
            [sys.executable, "-m", f"tvm.exec.{module}", "--host", host, *options],
            env={**os.environ, **(environment or {})},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def kill(self, name: str) -> None:
        os.killpg(self._processes[name].pid, signal.SIGKILL)
        self._processes.pop(name).wait()

    def listed(self) -> list[str]:
        with contextlib.suppress(OSError), self.tracker.connect() as connection:
            return [str(address) for _key, address in trackers.servers(connection)]
        return []

    def free(self) -> int:
        with self.tracker.connect() as connection:
            return trackers.free(connection).get(self.key, 0)

    def close(self) -> None:
        for name in list(self._processes):
            self.kill(name)


@pytest.fixture(scope="module")
def users() -> Iterator[UsersTracker]:
    started = UsersTracker()
    yield started
    started.close()


class Measuring:
    """An engine on devices. The next program that is linked does what is in the file `next`, if there is one."""

    def __init__(self, devices: TrackerDevices, folder: Path, every: str | None = None) -> None:
        self.devices = devices
        self._next = folder / "next"
        self._engine = Engine(EngineSettings(build_func=link_behaving(folder, every)), devices, PRELOAD)
        self.futures: list[Future[Measured]] = []

    def submit(self, inputs: list[auto_scheduler.MeasureInput], timing: Timing = QUICK) -> list[Future[Measured]]:
        futures = [self._engine.submit(AnsorProgram(one), timing) for one in inputs]
        self.futures += futures
        return futures

    def behave(self, one: auto_scheduler.MeasureInput, does: str, timing: Timing = QUICK) -> Measured:
        self._next.write_text(does)
        return self.submit([one], timing)[0].result(SECONDS)

    def reports(self) -> dict[str, DeviceReport]:
        return {report.name: report for report in self.devices.report()}

    def close(self) -> None:
        self._engine.close()


def link_behaving(folder: Path, every: str | None) -> Callable[..., None]:
    """Links programs as they are, but one that does something else for each file `next` that is found."""

    def link(output: str, objects: list[str], options: list[str] | None = None) -> None:
        does = every
        with contextlib.suppress(OSError):
            taken = (folder / "next").rename(folder / f"taken-{os.getpid()}")
            does = taken.read_text()
        if does is None:
            link_here(output, objects, options)
            return
        compile_c(output, does)

    link.output_format = "so"
    return link


@pytest.fixture
def measure(tmp_path: Path) -> Iterator[Callable[..., Measuring]]:
    """Makes engines, and ends them after the test."""
    made: list[Measuring] = []

    def make(place: LocalServers | UsersTracker, every: str | None = None, **options: Any) -> Measuring:
        ours = place if isinstance(place, LocalServers) else None
        options = {"exclusive": False, **options}
        made.append(Measuring(TrackerDevices(place.tracker, place.key, ours, **options), tmp_path, every))
        return made[-1]

    yield make
    for each in made:
        each.close()


def until(holds: Callable[[], Any], seconds: float = SECONDS) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "It did not come to hold."
        time.sleep(0.02)


def kind_of(measured: Measured) -> str | None:
    return measured.failure.kind if measured.failure else None


def kinds_of(futures: list[Future[Measured]]) -> list[str | None]:
    """Why each failed; None of one that ran."""
    return [kind_of(future.result(SECONDS)) for future in futures]


def used_by(measuring: Measuring, programs: list[auto_scheduler.MeasureInput]) -> int:
    """How many devices these programs ran on."""
    measured = [future.result(SECONDS) for future in measuring.submit(programs)]
    assert [kind_of(each) for each in measured] == [None] * len(programs)
    return len({each.device for each in measured})


def _free_port() -> int:
    with socket.socket() as one:
        one.bind((LOOPBACK, 0))
        return one.getsockname()[1]


def test_programs_go_to_all_servers_and_each_gets_one_result(
    measure: Callable[..., Measuring], servers: LocalServers, programs: list[Any]
) -> None:
    measuring = measure(servers, every=WAITS)
    assert kinds_of(measuring.submit(programs[:12])) == [None] * 12
    did = [report.programs for report in measuring.devices.report()]
    assert sum(did) == 12
    assert all(count > 1 for count in did)
    measured = measuring.futures[0].result()
    assert measured.device in measuring.reports()
    assert measured.costs[0] == pytest.approx(0.1, rel=0.1)


def test_real_programs_are_timed_one_at_a_time_on_servers_of_this_machine(
    measure: Callable[..., Measuring], servers: LocalServers, programs: list[Any]
) -> None:
    measuring = measure(servers, exclusive=True)
    futures = measuring.submit(programs[:8])
    assert kinds_of(futures) == [None] * 8
    ended = sorted((future.result().timestamp, future.result().timing_seconds) for future in futures)
    assert all(later - timing >= earlier for (earlier, _), (later, timing) in zip(ended, ended[1:]))


def test_tvms_own_tuning_goes_through_two_servers(servers: LocalServers, programs: list[Any], tmp_path: Path) -> None:
    devices = TrackerDevices(servers.tracker, servers.key, servers)
    streaming = Streaming(timing=QUICK, devices=devices)
    log = tmp_path / "tuned.log"
    option = auto_scheduler.TuningOptions(
        num_measure_trials=12,
        num_measures_per_round=6,
        builder=streaming.builder,
        runner=streaming.runner,
        measure_callbacks=[auto_scheduler.RecordToFile(str(log))],
        verbose=0,
    )
    search = {"evolutionary_search_population": 16}
    policy = auto_scheduler.SketchPolicy(programs[0].task, auto_scheduler.XGBModel(), params=search, verbose=0)
    programs[0].task.tune(option, policy)
    assert len(log.read_text().splitlines()) == 12
    assert sum(report.programs for report in devices.report()) == 12
    assert [report.failures for report in devices.report()] == [0, 0]
    streaming.close()


def test_a_killed_server_costs_no_program_and_is_taken_back(
    measure: Callable[..., Measuring], servers: LocalServers, programs: list[Any]
) -> None:
    measuring = measure(servers, every=WAITS)
    futures = measuring.submit(programs[:16])
    until(lambda: sum(future.done() for future in futures) >= 4)
    victim = next(iter(servers.processes()))
    os.killpg(victim, signal.SIGKILL)
    assert kinds_of(futures) == [None] * 16
    assert sum(report.programs for report in measuring.devices.report()) == 16
    assert [report.lost for report in measuring.devices.report() if report.lost] == [1]
    until(lambda: used_by(measuring, programs[:4]) == 2)


def test_a_program_that_crashes_fails_alone_and_its_server_comes_back(
    measure: Callable[..., Measuring], servers: LocalServers, programs: list[Any]
) -> None:
    measuring = measure(servers)
    measured = measuring.behave(programs[0], CRASHES)
    assert kind_of(measured) == "runtime"
    assert kinds_of(measuring.submit(programs[:6])) == [None] * 6
    assert sum(report.failures for report in measuring.devices.report()) == 1
    until(lambda: all(report.there for report in measuring.devices.report()))
    until(lambda: servers.known() == 2)


def test_a_program_that_never_ends_is_timed_out_and_its_server_comes_back(
    measure: Callable[..., Measuring], servers: LocalServers, programs: list[Any]
) -> None:
    measuring = measure(servers)
    timing = Timing(timeout=1, number=1, repeat=1, min_repeat_ms=1)
    assert kind_of(measuring.behave(programs[0], NEVER_ENDS, timing)) == "run-timeout"
    assert kinds_of(measuring.submit(programs[:6])) == [None] * 6
    until(lambda: servers.known() == 2)


def test_the_users_tracker_gets_its_servers_back_where_there_is_nothing_to_measure(
    measure: Callable[..., Measuring], users: UsersTracker, programs: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices_module, "_IDLE_SECONDS", 0.5)
    measuring = measure(users)
    assert kinds_of(measuring.submit(programs[:4])) == [None] * 4
    until(lambda: users.free() == 2)
    assert kinds_of(measuring.submit(programs[:4])) == [None] * 4


def test_a_session_that_was_long_enough_is_opened_anew(
    measure: Callable[..., Measuring], users: UsersTracker, programs: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices_module, "_HOLD_SECONDS", 0.5)
    measuring = measure(users, every=WAITS)
    assert kinds_of(measuring.submit(programs[:16])) == [None] * 16
    assert sum(report.lost for report in measuring.devices.report()) == 0


def test_a_program_that_never_ends_keeps_the_users_server_no_longer_than_a_session_lasts(
    measure: Callable[..., Measuring], users: UsersTracker, programs: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices_module, "_HOLD_SECONDS", 1)
    monkeypatch.setattr(devices_module, "CONNECT_SECONDS", 1)
    measuring = measure(users)
    timing = Timing(timeout=1, number=1, repeat=1, min_repeat_ms=1)
    assert kind_of(measuring.behave(programs[0], NEVER_ENDS, timing)) == "run-timeout"
    assert kinds_of(measuring.submit(programs[:4])) == [None] * 4
    until(lambda: users.free() == 2)


def test_a_killed_server_of_the_user_costs_no_program_and_is_taken_back(
    measure: Callable[..., Measuring], users: UsersTracker, programs: list[Any]
) -> None:
    measuring = measure(users, every=WAITS)
    futures = measuring.submit(programs[:16])
    until(lambda: sum(future.done() for future in futures) >= 4)
    users.kill("server 0")
    assert kinds_of(futures) == [None] * 16
    (lost,) = [report.name for report in measuring.devices.report() if report.lost]
    users.start_server(0)
    until(lambda: len(users.listed()) == 2)
    until(lambda: used_by(measuring, programs[:4]) == 2)
    assert measuring.reports()[lost].returned >= 1


def test_measuring_goes_on_when_a_killed_tracker_is_back(
    measure: Callable[..., Measuring], users: UsersTracker, programs: list[Any]
) -> None:
    measuring = measure(users)
    users.kill("tracker")
    futures = measuring.submit(programs[:6])
    users.start_tracker()
    assert kinds_of(futures) == [None] * 6


def test_a_tracker_that_stays_away_is_told_to_whoever_waits(
    measure: Callable[..., Measuring], users: UsersTracker, programs: list[Any]
) -> None:
    measuring = measure(users, patience=1.0)
    users.kill("tracker")
    (future,) = measuring.submit(programs[:1])
    with pytest.raises(DevicesError, match=f"{users.tracker} has not answered for 1 s"):
        future.result(SECONDS)
    with pytest.raises(DevicesError):
        measuring.submit(programs[:1])
    users.start_tracker()
    until(lambda: len(users.listed()) == 2)


@pytest.fixture
def unlike(users: UsersTracker) -> Iterator[UsersTracker]:
    """A tracker of servers that pass for ones elsewhere: of three, the last is slower."""
    users.key = "unlike"
    for number, slow in ((2, ""), (3, ""), (4, "1")):
        users.start_server(number, "127.0.0.2", {"SLOW": slow})
    until(lambda: len(users.listed()) == 5)
    yield users
    for number in (2, 3, 4):
        users.kill(f"server {number}")
    users.key = UsersTracker.key


def test_a_device_of_another_speed_is_told_and_not_mixed_into_a_task(
    measure: Callable[..., Measuring], unlike: UsersTracker, programs: list[Any]
) -> None:
    measuring = measure(unlike, every='usleep(*getenv("SLOW") ? 390000 : 200000);', exclusive=True)
    futures = measuring.submit(programs[:16])
    assert kinds_of(futures) == [None] * 16
    costs = [future.result().costs[0] for future in futures]
    assert max(costs) < 1.3 * min(costs)
    assert len({future.result().device for future in futures}) in (1, 2)
    # One device is slower than the other two, or two are faster than the one that was first.
    notices = measuring.devices.notices()
    assert len(notices) in (1, 2)
    for notice in notices:
        assert re.match(r"127\.0\.0\.2:\d+ takes (0\.5|2\.0|1\.9)\d times as long as 127\.0\.0\.2:", notice)


def test_a_trackers_devices_are_counted_by_their_key(users: UsersTracker) -> None:
    place = {"type": "tracker", "host": LOOPBACK, "port": users.tracker.port}
    assert [count_devices({**place, "key": key}) for key in (users.key, "no-such-key")] == [2, 0]
    assert [count_devices(each) for each in ({"type": "servers", "count": 3}, {"type": "local"})] == [3, 1]


def test_a_tracker_that_cannot_serve_is_refused_at_once(users: UsersTracker) -> None:
    settings = {"type": "tracker", "host": LOOPBACK, "port": users.tracker.port, "key": "no-such-key"}
    with pytest.raises(RequestError, match=r"no server with key no-such-key\. Its keys: users-device"):
        make_devices(settings, "llvm")
    with pytest.raises(RequestError, match="cannot be reached"):
        make_devices({**settings, "port": _free_port()}, "llvm")


def test_tvms_own_runner_measures_on_servers_of_ours(programs: list[Any]) -> None:
    tracker, servers, runner = start_devices(1, min_repeat_ms=1, timeout=20)
    try:
        built = auto_scheduler.LocalBuilder(n_parallel=1).build(programs[:1], 0)
        (result,) = runner.run(programs[:1], built, 0)
        assert result.error_no == 0
        assert len(servers) == 1
    finally:
        servers.terminate()
        tracker.terminate()


def test_no_server_outlives_the_process_that_started_it(tmp_path: Path) -> None:
    script = (
        "from familyseer.measuring.servers import LocalServers\n"
        "servers = LocalServers(1)\n"
        "print('up', flush=True)\n"
        "input()\n"
    )
    environment = {**os.environ, "FAMILYSEER_TEST_RUN": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-c", script], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    assert len(marked(tmp_path)) > 3
    process.kill()
    process.communicate()
    until(lambda: marked(tmp_path) == [], seconds=5)


def marked(mark: Path) -> list[str]:
    """The processes that run with a mark in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"FAMILYSEER_TEST_RUN={mark}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append(folder.name)
    return found
