from __future__ import annotations

from pathlib import Path

import pytest

from agent.understanding.embedding import MiniLM


@pytest.fixture(scope="session")
def minilm(model_cache: Path) -> MiniLM:
    return MiniLM(model_cache)
