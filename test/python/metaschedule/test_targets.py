"""Targets as users write them, for a TVM that takes dictionaries alone."""

from __future__ import annotations

import pytest
import tvm
from familyseer import targets
from familyseer.errors import RequestError
from familyseer.measuring.cpus import find_threads
from familyseer.metaschedule.backend import MetaSchedule
from familyseer.metaschedule.target import parse_target, text_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("llvm -num-cores=2 -mcpu=skylake", "llvm -mcpu=skylake -num-cores=2"),
        ('{"kind": "llvm", "mcpu": "skylake", "num-cores": 2, "keys": ["cpu"]}', "llvm -mcpu=skylake -num-cores=2"),
        ("llvm -mattr=+avx2,+fma -num-cores=4", "llvm -mattr=+avx2,+fma -num-cores=4"),
        (
            "llvm -mtriple=aarch64-linux-gnu -mcpu=cortex-a72 -num-cores=4",
            "llvm -mcpu=cortex-a72 -mtriple=aarch64-linux-gnu -num-cores=4",
        ),
        ("cuda -arch=sm_90", "cuda -arch=sm_90"),
        ("cuda -max_threads_per_block=1024 -arch=sm_90", "cuda -arch=sm_90"),
        ("cuda -arch=sm_90 -max_shared_memory_per_block=99328", "cuda -arch=sm_90 -max_shared_memory_per_block=99328"),
        ("nvidia/nvidia-t4", "cuda -arch=sm_75 -registers_per_block=65536"),
        ('{"tag": "nvidia/nvidia-t4"}', "cuda -arch=sm_75 -registers_per_block=65536"),
        ("opencl", "opencl"),
    ],
)
def test_equal_targets_have_equal_texts_which_are_targets_again(text: str, expected: str) -> None:
    target = parse_target(text)
    again = parse_target(target.text)
    assert (target.text, again.text) == (expected, expected)
    assert dict(target.tvm.attrs) == dict(again.tvm.attrs)


def test_native_is_this_machines_cpu_with_as_many_cores_as_programs_run_on() -> None:
    cpu = tvm.get_global_func("target.llvm_get_system_cpu")()
    assert parse_target("native").text == f"llvm -mcpu={cpu} -num-cores={find_threads().count}"
    assert parse_target("native", 3).text == f"llvm -mcpu={cpu} -num-cores=3"


def test_a_gpu_has_the_limits_that_metaschedule_reads_and_code_beside_it() -> None:
    attributes = parse_target("cuda -arch=sm_90").tvm.attrs
    limits = ["max_threads_per_block", "max_shared_memory_per_block", "thread_warp_size"]
    assert [int(attributes[limit]) for limit in limits] == [1024, 49152, 32]
    assert parse_target("cuda -arch=sm_90").tvm.host.kind.name == "llvm"


def test_a_database_names_targets_by_the_same_texts() -> None:
    of_tvm = tvm.target.Target({"kind": "cuda", "arch": "sm_90"})
    assert text_of(of_tvm) == parse_target("cuda -arch=sm_90").text
    assert text_of(tvm.target.Target({"kind": "llvm", "num-cores": 2, "mcpu": "skylake"})) == (
        "llvm -mcpu=skylake -num-cores=2"
    )
    assert text_of(tvm.target.Target(dict(of_tvm.export()))) == text_of(of_tvm)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "llvm",
            r"does not say how many cores .*Expected -num-cores=8, with the number of your machine, or \"native\"",
        ),
        ('{"kind": "llvm"}', r'does not say how many cores .*Expected a "num-cores" such as 8'),
        ("llvm -num-cores=0", "does not say how many cores"),
        ("llvm -num-cores=x", "Expected a whole number: -num-cores=VALUE"),
        ("llvm -mpcu=skylake", r"the option -mpcu=skylake, which TVM does not know\. Did you mean -mcpu"),
        ("lvm", "Unknown target: lvm .*Did you mean llvm"),
        ("nvidia/nvidia-h1000", "Did you mean nvidia/nvidia-h100"),
        ("nvidia/nvidia-h100 -arch=sm_80", "a tag of TVM's with options"),
        ("{", "it is no JSON"),
        ('{"arch": "sm_90"}', "Unknown target"),
        ('{"kind": ["llvm"]}', "its kind is no name"),
        ("", "Unknown target"),
        ("hexagon", "kind hexagon cannot be tuned.*one of the kinds llvm, cuda"),
        ("c", "kind c cannot be tuned"),
        ("cuda -arch=sm_70 -model=simulated-v100", "the simulated GPU.*auto-scheduler alone"),
    ],
)
def test_what_is_no_target_is_refused_with_what_to_write(text: str, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        parse_target(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("llvm -mcpu=skylke -num-cores=2", r"no processor skylke for this machine .*Did you mean -mcpu=skylake"),
        ("llvm -mcpu=skylake -mattr=+bogs -num-cores=2", "no feature bogs"),
        ("llvm -mtriple=foo-bar -num-cores=2", "TVM cannot compile for the target llvm -mtriple=foo-bar"),
    ],
)
def test_what_llvm_does_not_know_is_refused(text: str, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        MetaSchedule().check_target(text, "nowhere")


def test_what_runs_here_lacks_nothing_and_what_does_not_is_told() -> None:
    backend = MetaSchedule()
    assert backend.check_target("llvm -mcpu=x86-64 -num-cores=2", "here").lack is None
    assert "opencl" in str(backend.check_target("opencl", "here").lack)


def test_texts_say_whether_programs_run_on_a_cpu() -> None:
    assert targets.kind_of('{"host":{"kind":"llvm"},"kind":"cuda"}') == "cuda"
    assert targets.on_cpu("llvm -num-cores=2")
    assert not targets.on_cpu('{"host":{"kind":"llvm"},"kind":"cuda"}')
