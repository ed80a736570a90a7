"""MetaSchedule keeps the contract of backend.py."""

from __future__ import annotations

import pytest
from backend_contract import BackendContract
from familyseer.backend import Backend, Question
from familyseer.backends import default_backend


class TestMetaSchedule(BackendContract):
    @pytest.fixture(scope="class")
    @classmethod
    def backend(cls) -> Backend:
        return default_backend()

    @pytest.fixture(scope="class")
    @classmethod
    def question(cls, backend: Backend) -> Question:
        return Question("mlp", 1, "NHWC", [], backend.parse_target("llvm -num-cores=2"))
