"""The store stands on its floor."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CODE = """
import sys
import agent.store.memory, agent.store.redis, agent.store.shelter, agent.store.sql, agent.store.vault
print(sorted(sys.modules.keys() & {"pipecat", "fastapi", "starlette", "livekit", "processors", "pipelines"}))
"""


def test_the_store_imports_no_framework() -> None:
    root = Path(__file__).parents[3]
    run = subprocess.run([sys.executable, "-c", CODE], cwd=root, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
