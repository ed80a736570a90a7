"""The paper's networks, task for task, beside the tasks that its authors published: what finding them costs, and what
differs.

For each network and target: how long `familyseer tasks` takes, cold and from the cache; the most memory one process of
it had; whether convolutions, dense layers and batch matmuls are the published ones; of them, what is computed after
another way; and the other tasks that only the published network has, or only ours.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from familyseer.ansor.networks import PAPER
from familyseer.ansor.target import parse_target
from familyseer.ansor.tasks import extract
from familyseer.experiments.published import DATA, core_of_dag, cores_of_dags, extracted_dags, published_dags

ROOT = Path(__file__).parents[1]
# Names of operations in DAGs that changed since 2021.
RENAMED = {
    "Conv2dOutput": "conv2d_nhwc",
    "PaddedInput": "pad_temp",
    "T_dense": "T_matmul_NT",
    "compute": "T_batch_matmul_NT",
    "placeholder_red": "p0_red",
    "pool_max": "tensor",
    "adaptive_pool_sum": "tensor",
    "adaptive_pool_avg": "tensor",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", nargs="+", default=list(PAPER), choices=list(PAPER))
    parser.add_argument("--target", nargs="+", default=["llvm", "cuda"])
    options = parser.parse_args()
    for network in options.network:
        for target in options.target:
            # In a process of its own, for memory to be its own.
            process = multiprocessing.get_context("spawn").Process(target=compare, args=(network, target))
            process.start()
            process.join()


def compare(network: str, target: str) -> None:
    with tempfile.TemporaryDirectory() as home:
        cold, cached = (seconds_of_command(network, target, home) for _ in ("cold", "cached"))
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
        found = extract(network, 1, "NHWC", parse_target(target), Path(home) / "cache")
    counts = f"{len(found.tasks)} tasks, {sum(found.weights)} runs"
    print(f"{network} {target}: {counts}; {cold:.1f} s cold, {cached:.1f} s cached; {memory:.2f} GB", flush=True)
    ours = extracted_dags(found.tasks, found.weights)
    kind = target.split()[0]
    if not (DATA / f"{network}-{kind}.json").exists():
        for core, weight in sorted(cores_of_dags(ours).items()):
            print(f"  {weight} x {core}")
        return
    published = published_dags(network, kind)
    same = cores_of_dags(ours) == cores_of_dags(published)
    print(f"  convolutions, dense layers, batch matmuls: {'the published ones' if same else 'OTHERS'}")
    ours_done, published_done = (Counter(described(dags)) for dags in (ours, published))
    for title, only in (("only published", published_done - ours_done), ("only ours", ours_done - published_done)):
        for what, count in sorted(only.items()):
            print(f"  {title}: {count} x {what}")


def seconds_of_command(network: str, target: str, home: str) -> float:
    command = ["node", str(ROOT / "scripts/familyseer.js"), "tasks", "--json", "--model", network, "--target", target]
    environment = {**os.environ, "FAMILYSEER_HOME": home, "FAMILYSEER_TVM_PYTHON": sys.executable}
    begun = time.monotonic()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - begun


def described(dags: list[tuple[str, tuple[int, ...], int]]) -> list[str]:
    """Of each task what it computes, once for each run; without a core also on which extents."""
    described = []
    for text, extents, weight in dags:
        names = [line.split("(")[0].strip() for line in text.splitlines() if "PLACEHOLDER" not in line]
        words = " ".join(RENAMED.get(name, name) for name in names)
        described += [words if core_of_dag(text, extents) else f"{words} {list(extents)}"] * weight
    return described


if __name__ == "__main__":
    main()
