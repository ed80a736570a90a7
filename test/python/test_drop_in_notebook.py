"""The drop-in inside a Jupyter kernel."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import familyseer
import pytest

manager = pytest.importorskip("jupyter_client.manager", reason="there is no Jupyter beside this TVM")
pytest.importorskip("ipykernel", reason="there is no Jupyter kernel beside this TVM")

SETTING = """
import threading, time
from familyseer import TaskScheduler
from test_drop_in import OPTION, policies, tasks

def tune(policies):
    scheduler = TaskScheduler(tasks(), callbacks=[])
    scheduler.tune(OPTION, search_policy=policies)
    return scheduler.ct

def slow(policies):
    def search(programs, measurer, policy=policies[0]):
        print("searching", flush=True)
        time.sleep(60)
    policies[0].continue_search_one_round = search
    return policies
"""


@pytest.fixture
def kernel() -> Iterator[tuple[Any, Any]]:
    package = str(Path(familyseer.__file__).resolve().parents[1])
    started, client = manager.start_new_kernel(
        kernel_name="python3", cwd=str(Path(__file__).parent), env={**os.environ, "PYTHONPATH": package}
    )
    try:
        yield started, client
    finally:
        client.stop_channels()
        started.shutdown_kernel(now=True)


def test_tunes_in_a_notebook_and_can_be_interrupted_there(kernel: tuple[Any, Any]) -> None:
    started, client = kernel
    said: list[str] = []

    def listen(message: dict[str, Any]) -> None:
        text = message["content"].get("text", "")
        said.append(text)
        if "searching" in text:
            started.interrupt_kernel()

    def run(code: str) -> dict[str, Any]:
        return client.execute_interactive(code, timeout=90, output_hook=listen)["content"]

    assert run(SETTING)["status"] == "ok"
    assert run("print('tuned', tune(policies()))")["status"] == "ok"
    assert "tuned 66" in "".join(said)
    interrupted = run("tune(slow(policies()))")
    assert (interrupted["status"], interrupted["ename"]) == ("error", "KeyboardInterrupt")
    assert run("print('again', tune(policies()))")["status"] == "ok"
    assert "again 66" in "".join(said)
    assert run("print([thread.name for thread in threading.enumerate() if 'familyseer' in thread.name])")
