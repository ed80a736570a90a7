"""Targets that LLVM does not know, or that nothing here runs, are refused; on every TVM that set-up installs."""

from __future__ import annotations

from typing import Any

import pytest
import tvm
from familyseer.errors import RequestError
from familyseer.targets import check_target
from familyseer.tasks import extract, gpu_limits, parse_target


def check(text: str, measures: str = "here") -> Any:
    return check_target(text, parse_target(text), measures)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("llvm -mcpu=skylke", r"no processor skylke for this machine .*Did you mean -mcpu=skylake"),
        ('{"kind": "llvm", "mcpu": "cortex-a72"}', "no processor cortex-a72"),
        ("llvm -mtriple=aarch64-linux-gnu -mcpu=skylake", "no processor skylake for aarch64-linux-gnu"),
        ('{"kind": "cuda", "arch": "sm_70", "host": {"kind": "llvm", "mcpu": "skylke"}}', "no processor skylke"),
        ("llvm -mcpu=skylake -mattr=+avx2,+bogs", "no feature bogs"),
        ("llvm -mcpu=skylake -mattr=avx2", r"feature avx2 without a sign.*Expected -mattr=\+avx2"),
        ("llvm -mtriple=foo-bar", "TVM cannot compile for the target llvm -mtriple=foo-bar"),
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


def test_what_runs_here_lacks_nothing() -> None:
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


def test_c_is_a_cpu() -> None:
    of_c, of_llvm = (extract("mlp", 1, "NHWC", tvm.target.Target(kind), None).tasks[0] for kind in ("c", "llvm"))
    assert of_c.hardware_params.num_cores == of_llvm.hardware_params.num_cores
    assert of_c.hardware_params.max_threads_per_block == 0
