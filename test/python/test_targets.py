"""Targets that LLVM does not know, or that nothing here runs, are refused; on every TVM that set-up installs."""

from __future__ import annotations

import faulthandler
import functools
import os
import traceback
from pathlib import Path
from typing import Any

import pytest
import tvm
from familyseer import descriptions, targets
from familyseer.ansor.target import main, parse_target
from familyseer.ansor.tasks import extract
from familyseer.backends import default_backend
from familyseer.errors import RequestError
from familyseer.gpu_limits import gpu_limits
from familyseer.operations import machine, network
from familyseer.operations.job import Job

TRY_APART = targets._try_apart


@pytest.fixture(autouse=True)
def forked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Targets are tried in forks of this process, which has imported TVM: a process of its own takes seconds for it."""
    monkeypatch.setattr(targets, "_try_apart", functools.partial(try_in_fork, tmp_path / "said"))


def try_in_fork(said: Path, _module: str, text: str) -> tuple[int | None, str]:
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            faulthandler.disable()
            os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
            main(text)
            code = 0
        except BaseException:
            os.write(2, traceback.format_exc().encode())
        finally:
            os._exit(code)
    status = os.waitpid(pid, 0)[1]
    return (-os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)), said.read_text()


def check(text: str, measures: str = "here") -> Any:
    return default_backend().check_target(text, measures)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("llvm -mcpu=skylke", r"no processor skylke for this machine .*Did you mean -mcpu=skylake"),
        ('{"kind": "llvm", "mcpu": "cortex-a72"}', "no processor cortex-a72"),
        ("llvm -mtriple=aarch64-linux-gnu -mcpu=skylake", "no processor skylake for aarch64-linux-gnu"),
        ('{"kind": "cuda", "arch": "sm_70", "host": {"kind": "llvm", "mcpu": "skylke"}}', "no processor skylke"),
        ('{"kind": "cuda", "arch": "sm_70", "host": {"kind": "llvm", "mattr": ["+bogs"]}}', "no feature bogs"),
        ("llvm -mcpu=skylake -mattr=+avx2,+bogs", "no feature bogs"),
        ("llvm -mcpu=skylake -mattr=avx2", r"feature avx2 without a sign.*Expected -mattr=\+avx2"),
        ("llvm -mtriple=foo-bar", "TVM cannot compile for the target llvm -mtriple=foo-bar"),
        ("lvm -mcpu=skylake", "Unknown target: lvm .*Did you mean llvm"),
        ("raspbery-pi/4b-aarch64", r"\. Did you mean raspberry-pi/4b-aarch64\?"),
        ("stackvm", "kind stackvm cannot be tuned.*one of the kinds llvm, c, cuda"),
        ("hexagon", "kind hexagon cannot be tuned"),
    ],
)
def test_what_llvm_or_the_auto_scheduler_does_not_know_is_refused(target: str, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        check(target, "nowhere")


@pytest.mark.parametrize(
    ("target", "lack"),
    [
        ("llvm -mtriple=aarch64-linux-gnu -mcpu=cortex-a72", "a first program did not run"),
        ("opencl", "opencl"),
        ("vulkan", "built without vulkan"),
    ],
)
def test_what_cannot_run_here_is_told_and_can_be_listed(target: str, lack: str) -> None:
    assert lack in check(target).lack
    assert check(target, "nowhere").lack is None


def test_what_runs_here_lacks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "_try_apart", TRY_APART)
    assert check("llvm -mcpu=x86-64 -mattr=+sse4.2").lack is None


def test_limits_are_those_of_the_target() -> None:
    limits = {
        target: gpu_limits(parse_target(target))
        for target in ("cuda -arch=sm_70", "opencl", "opencl -max_num_threads=128", "vulkan")
    }
    threads = {target: each["max_threads_per_block"] for target, each in limits.items()}
    assert list(threads.values()) == [1024, 256, 128, 256]
    assert [each["max_shared_memory_per_block"] for each in limits.values()] == [49152, 16384, 16384, 16384]
    assert limits["cuda -arch=sm_70"]["max_vthread_extent"] == 8


def test_limits_that_a_target_does_not_name_are_the_devices(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def limits(text: str) -> list[int]:
        job = Job(default_backend())
        machine.target(job, text, "here")
        network.extract(job, "mlp", 1, "NHWC", [], text, str(tmp_path))
        found = job.network.tasks[0].search_task.hardware_params
        return [found.max_threads_per_block, found.max_shared_memory_per_block]

    assert limits("opencl") == [256, 16384]
    stages = ["parsed", "listed", "compiled", "a block has 512 threads and 32768 bytes", "device", "ran"]
    said = "".join(f"familyseer: {stage}\n" for stage in stages)
    monkeypatch.setattr(targets, "_try_apart", lambda *_: (0, said))
    assert limits("opencl") == [512, 32768]
    assert limits("opencl -max_num_threads=128") == [128, 32768]


def test_c_is_a_cpu() -> None:
    of_c, of_llvm = (extract("mlp", 1, "NHWC", tvm.target.Target(kind), None).tasks[0] for kind in ("c", "llvm"))
    assert of_c.hardware_params.num_cores == of_llvm.hardware_params.num_cores
    assert of_c.hardware_params.max_threads_per_block == 0


def test_what_tvm_warns_of_is_told_again_with_tasks_that_are_known(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said = "[10:00:00] target_kind.cc:171: Warning: no such GPU\nfamilyseer: parsed\nfamilyseer: listed\n"
    monkeypatch.setattr(targets, "_try_apart", lambda *_: (0, said + "familyseer: compiled\nfamilyseer: ran\n"))
    target, job = "llvm -keys=cpu", Job(default_backend())
    assert machine.target(job, target, "nowhere")["notices"] == ["TVM warns: no such GPU"]
    network.extract(job, "mlp", 1, "NHWC", [], target, str(tmp_path))
    again = descriptions.recall(tmp_path, "mlp", 1, "NHWC", [], target)
    assert again is not None and again["notices"] == ["TVM warns: no such GPU"]
