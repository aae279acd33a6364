"""Finds the passages for a turn."""

from __future__ import annotations

import asyncio
from typing import Any

from pipecat.frames.frames import Frame
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from agent.knowledge.prefetch import Prefetch
from agent.knowledge.retrieval import NoPassageFound
from agent.parts import Parts
from agent.reply import retrieve
from processors.frames import TurnFrame

DEADLINE_SECS = {"voice": 0.2, "text": 2.0}
"""A turn goes on without passages after this."""


class Ground(FrameProcessor):
    """A `TurnFrame` in, the same with passages out."""

    def __init__(self, *, parts: Parts, prefetch: Prefetch | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._parts = parts
        self._prefetch = prefetch

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, TurnFrame):
            await self._on_turn(frame)
        await self.push_frame(frame, direction)

    async def _on_turn(self, frame: TurnFrame) -> None:
        assert frame.turn and frame.understood
        try:
            async with asyncio.timeout(DEADLINE_SECS[frame.turn.medium]):
                found = await self._prefetch.take(frame.understood.request) if self._prefetch else None
                frame.found = found or await retrieve(frame.understood, self._parts)
        except TimeoutError:
            frame.found = NoPassageFound(0.0)
