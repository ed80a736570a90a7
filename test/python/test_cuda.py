"""CUDA programs: everything up to the launch on any machine, and the launch where there is a GPU."""

import numpy as np
import pytest
import tvm
from familyseer import cuda
from familyseer.ansor.cost_model import CostModel
from familyseer.ansor.task import AnsorTask
from familyseer.gpu_limits import GPU_LIMITS
from familyseer.learning.cost_model import TrainingSettings
from familyseer.search.recipes import ORIGINS, Recipe, by_recipe
from familyseer.search.task_search import SearchSettings, TaskSearch
from tvm import auto_scheduler
from tvm.auto_scheduler.measure import MeasureErrorNo
from tvm.testing.auto_scheduler import matmul_auto_scheduler_test

pytestmark = pytest.mark.skipif(
    not tvm.runtime.enabled("cuda"),
    reason="this TVM was built without CUDA; `scripts/setup --cuda` installs one with it",
)
needs_gpu = pytest.mark.skipif(cuda.gpu_count() == 0, reason="there is no GPU here: timing is impossible")

TARGET = "cuda -arch=sm_70"
SEARCH = {"evolutionary_search_population": 32, "evolutionary_search_num_iters": 2, "sample_init_min_population": 16}


def matmul_task(target: str = TARGET) -> auto_scheduler.SearchTask:
    limits = auto_scheduler.HardwareParams(**GPU_LIMITS)
    sizes = (64, 128, 512)
    return auto_scheduler.SearchTask(func=matmul_auto_scheduler_test, args=sizes, target=target, hardware_params=limits)


def evolved_inputs(task: auto_scheduler.SearchTask, count: int) -> list:
    """Programs that were sampled, then evolved with a cost model trained on costs that nobody measured."""
    model = auto_scheduler.XGBModel(num_warmup_sample=1, seed=0, verbose_eval=0)
    policy = auto_scheduler.SketchPolicy(task, model, params=SEARCH, seed=0, verbose=0)
    assert policy.generate_sketches()
    population = policy.sample_initial_population()
    inputs = [auto_scheduler.MeasureInput(task, state) for state in population]
    costs = [auto_scheduler.MeasureResult([1e-3 * (1 + i)], 0, "", 0.1, 0.0) for i in range(len(inputs))]
    model.update(inputs, costs)
    return [auto_scheduler.MeasureInput(task, state) for state in policy.evolutionary_search(population, count)]


def builder() -> auto_scheduler.LocalBuilder:
    return auto_scheduler.LocalBuilder(timeout=60, n_parallel=2, build_func=cuda.export)


def compiled(one: auto_scheduler.MeasureInput) -> tvm.runtime.Module:
    """The program's part for the GPU."""
    schedule, arguments = one.task.compute_dag.apply_steps_from_state(one.state)
    return tvm.build(schedule, arguments, target=one.task.target).imported_modules[0]


@pytest.mark.parametrize("arch", ["sm_70", "sm_90"])
def test_an_evolved_program_becomes_cuda_source_and_machine_code(arch, tmp_path) -> None:  # noqa: ANN001
    one = evolved_inputs(matmul_task(f"cuda -arch={arch}"), 1)[0]
    module = compiled(one)
    assert "__global__" in module.get_source()
    assert "__shared__" in module.get_source()
    path = tmp_path / "program.cubin"
    module.save(str(path))
    assert path.read_bytes().startswith(b"\x7fELF")


def test_a_half_precision_program_finds_cudas_headers() -> None:
    source = '#include <cuda_fp16.h>\nextern "C" __global__ void f(half *x) { *x = __hadd(*x, *x); }'
    assert cuda.compile_cubin(source, "sm_70").startswith(b"\x7fELF")


def test_tvms_builder_builds_evolved_programs_in_its_own_processes() -> None:
    results = builder().build(evolved_inputs(matmul_task(), 4), 0)
    assert [result.error_no for result in results] == [MeasureErrorNo.NO_ERROR] * 4
    assert all(result.filename for result in results)


def test_a_program_with_too_much_shared_memory_is_a_failed_program() -> None:
    task = matmul_task()
    state = task.compute_dag.get_init_state()
    a, c = state.stages[0].op, state.stages[2].op
    block, thread = state.split(c, state[c].iters[0], [64])
    state.bind(c, block, "blockIdx.x")
    state.bind(c, thread, "threadIdx.x")
    # 64 rows of 512 numbers of 4 bytes are 128 KB; sm_70 has 96.
    shared = state.cache_read(a, "shared", [c])
    state.compute_at(shared, c, state[c].iters[0])
    state.bind(shared, state.split(shared, state[shared].iters[0], [64])[1], "threadIdx.x")
    result = builder().build([auto_scheduler.MeasureInput(task, state.state_object)], 0)[0]
    assert result.error_no == MeasureErrorNo.COMPILE_HOST
    assert "too much shared data" in str(result.error_msg)


def test_what_does_not_compile_says_why() -> None:
    with pytest.raises(RuntimeError, match=r"for sm_70:[\s\S]*identifier \"nonsense\" is undefined"):
        cuda.compile_cubin('extern "C" __global__ void f() { nonsense(); }', "sm_70")


def test_the_fast_modes_candidates_for_a_sibling_become_machine_code(tmp_path) -> None:  # noqa: ANN001
    model = CostModel("matmul", "xgb", [0, 1], 4, 0, TrainingSettings())
    limits = auto_scheduler.HardwareParams(**GPU_LIMITS)
    tasks = [
        auto_scheduler.SearchTask(matmul_auto_scheduler_test, sizes, target=TARGET, hardware_params=limits)
        for sizes in [(64, 128, 512), (128, 64, 256)]
    ]
    first, second = (TaskSearch(AnsorTask(index, task), model, SearchSettings()) for index, task in enumerate(tasks))
    programs = dict.fromkeys(ORIGINS, 0)
    looked_at = by_recipe(first, [], Recipe({**programs, "random": 8}, [], 32, 1, True), 8)
    first.measured = [(1e-3 * (1 + index), candidate.program) for index, candidate in enumerate(looked_at)]
    candidates = by_recipe(second, [first], Recipe({**programs, "sibling": 2}, [0], 32, 1, True), 2)
    assert [candidate.origin for candidate in candidates] == ["sibling"] * 2
    second.measured = [(1e-3, candidate.program) for candidate in candidates]
    candidates += by_recipe(second, [], Recipe({**programs, "descent": 2}, [], 32, 1, True), 2)
    for number, candidate in enumerate(candidates):
        path = tmp_path / f"{number}.cubin"
        compiled(auto_scheduler.MeasureInput(second.task.search_task, candidate.program)).save(str(path))
        assert path.read_bytes().startswith(b"\x7fELF")


@needs_gpu
def test_a_program_runs_on_the_gpu_and_is_timed() -> None:
    task = matmul_task("cuda")
    inputs = evolved_inputs(task, 2)
    runner = auto_scheduler.LocalRunner(number=3, repeat=2, min_repeat_ms=20)
    results = runner.run(inputs, builder().build(inputs, 0), 0)
    assert [result.error_no for result in results] == [MeasureErrorNo.NO_ERROR] * 2
    assert all(float(cost.value) > 0 for result in results for cost in result.costs)


@needs_gpu
def test_a_program_computes_what_numpy_does() -> None:
    one = evolved_inputs(matmul_task("cuda"), 1)[0]
    schedule, arguments = one.task.compute_dag.apply_steps_from_state(one.state)
    program = tvm.build(schedule, arguments, target=one.task.target)
    random = np.random.RandomState(0)
    a, b = random.rand(64, 512).astype("float32"), random.rand(512, 128).astype("float32")
    device = tvm.cuda(0)
    c = tvm.nd.array(np.zeros((64, 128), "float32"), device)
    program(tvm.nd.array(a, device), tvm.nd.array(b, device), c)
    np.testing.assert_allclose(c.numpy(), a @ b, rtol=1e-4)


@needs_gpu
@pytest.mark.parametrize(
    "limit", ["max_shared_memory_per_block", "max_threads_per_block", "max_vthread_extent", "warp_size"]
)
def test_the_limits_taken_without_a_gpu_are_the_gpus(limit: str) -> None:
    task = auto_scheduler.SearchTask(func=matmul_auto_scheduler_test, args=(64, 64, 64), target="cuda")
    assert getattr(task.hardware_params, limit) == GPU_LIMITS[limit]
