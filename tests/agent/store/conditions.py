"""Waiting for what is to come about, never for a time."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any


async def until(condition: Callable[[], Any]) -> None:
    """Returns when `condition()`, or what it awaits, is true."""
    async with asyncio.timeout(50):
        while True:
            answer = condition()
            if await answer if inspect.isawaitable(answer) else answer:
                return
            await asyncio.sleep(0.01)
