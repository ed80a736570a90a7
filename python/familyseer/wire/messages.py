"""The protocol's messages as types: what each operation takes and gives, and the closed lists of codes.

Made from src/protocol by scripts/write-protocol-schema.js, which is run after a change there; what each means stands
there, too.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict, Union


class Welcome(TypedDict):
    type: Literal["welcome"]


ErrorKind = Literal["invalid-request", "error"]


class Refuse(TypedDict):
    type: Literal["refuse"]
    kind: ErrorKind
    reason: str


OperationName = Literal[
    "ping",
    "target",
    "gpus",
    "threads",
    "check",
    "extract",
    "bounds",
    "load",
    "capacity",
    "recall",
    "register",
    "workloads",
    "propose",
    "prepare",
    "measure",
    "review",
    "learn",
    "foresee",
    "save",
    "keep",
    "devices",
    "compile",
    "against",
    "compare",
    "export",
    "evaluate",
    "describe",
    "begin",
    "score",
    "draw",
    "search",
    "observe",
    "finish",
]


class Request(TypedDict):
    type: Literal["request"]
    id: int
    operation: OperationName
    params: dict[str, Any]


class Cancel(TypedDict):
    type: Literal["cancel"]
    id: int


class Shutdown(TypedDict):
    type: Literal["shutdown"]


ToWorker = Union[Welcome, Refuse, Request, Cancel, Shutdown]


class Hello(TypedDict):
    type: Literal["hello"]
    protocol: int
    tvm_version: str
    tuner: str
    python_version: str
    pid: int


class Result(TypedDict):
    type: Literal["result"]
    id: int
    value: dict[str, Any]
    seconds: float


class Failure(TypedDict):
    type: Literal["failure"]
    id: int
    kind: ErrorKind
    message: str


FailureKind = Literal[
    "instantiation",
    "compile-host",
    "compile-device",
    "runtime",
    "wrong-answer",
    "build-timeout",
    "run-timeout",
    "unknown",
]

Origin = Literal["earlier", "sibling", "descent", "evolution", "random"]


class MeasuredEvent(TypedDict):
    type: Literal["measured"]
    record: str
    cost: float | None
    failure: FailureKind | None
    message: str | None
    device: str | None
    origin: Origin
    seconds: float
    timing_seconds: float
    waited: float | None
    disturbed: bool
    timings: int


class Progress(TypedDict):
    type: Literal["progress"]
    id: int
    event: MeasuredEvent


class Heartbeat(TypedDict):
    type: Literal["heartbeat"]


FromWorker = Union[Hello, Result, Failure, Progress, Heartbeat]


class PingParams(TypedDict):
    pass


class PingResult(TypedDict):
    pass


class TargetParams(TypedDict):
    target: str
    measures: Literal["here", "elsewhere", "nowhere"]


class TargetResult(TypedDict):
    notices: list[str]
    lack: str | None


class GpusParams(TypedDict):
    pass


class GpusResult(TypedDict):
    gpus: int


class ThreadsParams(TypedDict):
    asked: int | None


class ThreadsResult(TypedDict):
    count: int
    by: Literal["option", "cores", "TVM_NUM_THREADS", "OMP_NUM_THREADS"]
    cores: int
    tvm: int


class CheckParams(TypedDict):
    model: str
    batch: int
    layout: str
    library: str | None
    against: list[Literal["onnxruntime"]]


class CheckResult(TypedDict):
    pass


Dtype = Literal[
    "float16",
    "float32",
    "float64",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "bool",
]


class AskedInput(TypedDict):
    name: str
    shape: list[int]
    dtype: Dtype | None


class ExtractParams(TypedDict):
    model: str
    batch: int
    layout: str
    inputs: list[AskedInput]
    target: str
    cache: str | None


class DescribedInput(TypedDict):
    name: str
    shape: list[int]
    dtype: str


class DescribedTask(TypedDict):
    workload_key: str
    structure: str
    tiled_stage: str
    weight: float
    description: str
    core_operation: str | None
    words: str
    flops: float
    similarity_tags: list[str]


class ExtractResult(TypedDict):
    target: str
    from_cache: bool
    notices: list[str]
    inputs: list[DescribedInput]
    tasks: list[DescribedTask]


class BoundsParams(TypedDict):
    pass


class BoundsResult(TypedDict):
    least_costs: list[float] | None


LoadParams = TypedDict(
    "LoadParams",
    {
        "log": "str",
        "from": "int",
        "to": "int | None",
        "other_targets": "bool",
        "only": "list[int] | None",
    },
)

SkipReason = Literal[
    "no-record",
    "record-version",
    "impossible-time",
    "cannot-replay",
    "no-workload",
    "other-task",
    "other-target",
    "other-device",
]


class Skipped(TypedDict):
    reason: SkipReason
    of: str | None
    count: int
    lines: list[int]


class LoadResult(TypedDict):
    tasks: list[int]
    costs: list[float | None]
    skipped: list[Skipped]
    matched: int


class LocalDevices(TypedDict):
    type: Literal["local"]


class ServerDevices(TypedDict):
    type: Literal["servers"]
    count: int


class TrackerDevices(TypedDict):
    type: Literal["tracker"]
    host: str
    port: int
    key: str


class SimulatedDevices(TypedDict):
    type: Literal["simulated"]


DeviceSettings = Union[LocalDevices, ServerDevices, TrackerDevices, SimulatedDevices]


class CapacityParams(TypedDict):
    devices: DeviceSettings
    builders: int


class CapacityResult(TypedDict):
    builders: int
    devices: int


class WantedFamily(TypedDict):
    name: str
    tasks: list[int]


class RecallParams(TypedDict):
    folder: str
    made_for: str
    families: list[WantedFamily]
    jobs: list[str] | None
    schedules: bool


class RecalledFamily(TypedDict):
    name: str
    schedules: int
    records: int
    jobs: list[str]


class RecallResult(TypedDict):
    families: list[RecalledFamily]
    notices: list[str]


class CostModelPlan(TypedDict):
    name: str
    kind: Literal["xgb", "random"]
    tasks: list[int]
    warm_up_records: int
    model_file: str | None


class SearchSettings(TypedDict):
    population: int
    generations: int
    eps_greedy: float
    use_measured_ratio: float
    seed: int


class TrainingSettings(TypedDict):
    mode: Literal["bounded", "reference"]
    device: Literal["cpu", "cuda", "auto"]


class BuildSettings(TypedDict):
    builders: int
    build_timeout: int
    adaptive_build_timeout: bool
    worse_ratio: float | None
    retime: bool


class TimingSettings(TypedDict):
    timeout: int
    number: int
    repeat: int
    min_repeat_ms: int
    cooldown_interval: float
    enable_cpu_cache_flush: bool


class MeasureSettings(TypedDict):
    devices: DeviceSettings
    building: BuildSettings
    timing: TimingSettings


class RegisterParams(TypedDict):
    cost_models: list[CostModelPlan]
    schedules: str | None
    search: SearchSettings
    training: TrainingSettings
    measure: MeasureSettings


class RegisterResult(TypedDict):
    notices: list[str]


class WorkloadsParams(TypedDict):
    log: str


class Workloads(TypedDict):
    lines: list[str]
    count: int
    numbers: list[int]
    target: str


class WorkloadsResult(TypedDict):
    workloads: Workloads | None


class ProgramsOfOrigins(TypedDict):
    earlier: int
    sibling: int
    descent: int
    evolution: int
    random: int


class Recipe(TypedDict):
    programs: ProgramsOfOrigins
    donors: list[int]
    population: int
    generations: int
    draft: bool


class ProposeParams(TypedDict):
    task: int
    programs: int
    recipe: Recipe | None


class ProposeResult(TypedDict):
    candidates: list[int]
    refusal: str | None


class PrepareParams(TypedDict):
    task: int
    candidates: list[int]


class PrepareResult(TypedDict):
    pass


class MeasureParams(TypedDict):
    task: int
    candidates: list[int]


class MeasureResult(TypedDict):
    measured: int
    notices: list[str]


PairsOf = Literal["round", "earlier"]


class ReviewParams(TypedDict):
    task: int
    against: PairsOf


class ReviewResult(TypedDict):
    accuracy: float | None
    of: PairsOf


class LearnParams(TypedDict):
    task: int


class LearnResult(TypedDict):
    records: int


class ForeseeParams(TypedDict):
    task: int
    siblings: list[int]


class ForeseeResult(TypedDict):
    gains: list[float]


class SaveParams(TypedDict):
    folder: str
    add: bool


class SavedModel(TypedDict):
    name: str
    file: str | None
    records: int
    tasks: list[int]
    sources: list[str]


class SaveResult(TypedDict):
    models: list[SavedModel]


class KeepParams(TypedDict):
    folder: str
    made_for: str
    name: str


class KeepResult(TypedDict):
    notices: list[str]


class TrackerQuestion(TypedDict):
    host: str
    port: int
    key: str | None


class DevicesParams(TypedDict):
    tracker: TrackerQuestion | None


class FoundDevice(TypedDict):
    name: str
    key: str | None
    state: str


class DevicesResult(TypedDict):
    devices: list[FoundDevice]


class CompileParams(TypedDict):
    tuned: bool


class CompileResult(TypedDict):
    module: int
    notices: list[str]


class AgainstParams(TypedDict):
    runtime: Literal["onnxruntime"]
    model: str
    batch: int
    layout: str


class AgainstResult(TypedDict):
    module: int
    version: str


class CompareParams(TypedDict):
    module: int
    other: int


class CompareResult(TypedDict):
    difference: float | None
    largest: float | None


class ExportParams(TypedDict):
    module: int
    library: str


class ExportResult(TypedDict):
    pass


class EvaluateParams(TypedDict):
    module: int
    repeat: int
    min_repeat_ms: int


class EvaluateResult(TypedDict):
    seconds: list[float]
    waited: float


class DescribeParams(TypedDict):
    pass


class TaskStart(TypedDict):
    rounds: int
    best_round: int
    best_cost: float
    history: list[float]
    dead: bool


class TaskCost(TypedDict):
    task: int
    cost: float | None


class DescribeResult(TypedDict):
    tasks: list[DescribedTask]
    search_policy: str | None
    trials: int
    trials_per_task: int | None
    trials_per_round: int
    foresee_trials: int
    strategy: Literal["gradient", "round-robin"]
    alpha: float
    beta: float
    gamma: float
    backward_window: int
    early_stopping: float | None
    task_early_stopping: float | None
    seed: int | None
    give_up_unmeasured: bool | None
    start_at: list[TaskStart]
    measured_before: list[TaskCost]


class BeginParams(TypedDict):
    families: dict[str, list[int]] | None
    search_policy: str | None
    trials_per_round: int
    histories: list[list[float]]


class BeginResult(TypedDict):
    pass


class ScoreParams(TypedDict):
    vectors: list[list[float]]


class ScoreResult(TypedDict):
    scores: list[float]


class DrawParams(TypedDict):
    count: int


class DrawResult(TypedDict):
    drawn: int


class SchedulerState(TypedDict):
    trials: int
    best_trials: int
    score: float
    best_score: float | None
    rounds: list[int]
    best_rounds: list[int]
    best_costs: list[float]
    dead_tasks: list[int]
    unlike_tasks: list[int]


class SearchParams(TypedDict):
    task: int
    programs: int
    reason: str
    state: SchedulerState | None


class SearchResult(TypedDict):
    costs: list[float | None]


class ObserveParams(TypedDict):
    task: int
    state: SchedulerState | None


class ObserveResult(TypedDict):
    pass


class FinishParams(TypedDict):
    reason: Literal["trials-spent", "all-tasks-dead", "no-improvement"]
    state: SchedulerState | None


class FinishResult(TypedDict):
    pass


# How a person is told; in the place of the braces comes what the line says.
SKIP_REASONS: dict[SkipReason, str] = {
    "no-record": "that are no records",
    "record-version": "of the record version {}",
    "impossible-time": "with a time that cannot be",
    "cannot-replay": "that TVM cannot replay",
    "no-workload": "of workloads that are missing",
    "other-task": "of other tasks",
    "other-target": "for the target {}",
    "other-device": "for the target {}, another kind of device",
}
