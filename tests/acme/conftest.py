"""The example shop's own tests; they are skipped where `examples/` is absent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from agent.tools.registry import Tool, ToolContext, load_tools

ACME = Path(__file__).resolve().parents[2] / "examples" / "acme"
MONDAY_MORNING = datetime(2026, 11, 30, 10, 0, tzinfo=ZoneInfo("America/New_York"))

Call = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture(scope="session", autouse=True)
def acme() -> Path:
    """The folder of the shop."""
    if not ACME.exists():
        pytest.skip("examples/ is absent")
    return ACME


@pytest.fixture(scope="session")
def tools(acme: Path) -> Mapping[str, Tool]:
    return load_tools(acme / "tools.py")


@pytest.fixture
def call(tools: Mapping[str, Tool], tmp_path: Path) -> Call:
    """Calls a tool on a fresh shop: `await call("cancel_order", order_number="10001")`."""
    keys = iter(range(1, 1000))

    async def run(
        name: str, *, key: str | None = None, now: datetime = MONDAY_MORNING, **arguments: str
    ) -> dict[str, Any]:
        context = ToolContext(tmp_path, now, "conversation", key or f"key-{next(keys)}")
        return await tools[name].run(context, **arguments)

    return run
