"""Turns the aggregated words of a turn into what they mean, and journals both."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import structlog
from pipecat.frames.frames import Frame, LLMContextFrame
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from agent.acts import Done
from agent.live import LiveConversation
from agent.llm.prompt import Medium
from agent.parts import Parts, TurnHeard
from agent.reply import understand
from processors.frames import ActFrame, ConfidenceFrame, TurnFrame, spoken_frames

log = structlog.get_logger()


class Understand(FrameProcessor):
    """The user aggregator's context in, a `TurnFrame` out.

    The aggregator's context serves turn-taking only: it is emptied here, prompts come from the journal.
    """

    def __init__(self, *, parts: Parts, live: LiveConversation, medium: Medium, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._parts = parts
        self._live = live
        self._medium = medium
        self._confidence = 1.0

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        match frame:
            case LLMContextFrame() if direction is FrameDirection.DOWNSTREAM:
                await self._on_context(frame)
            case ConfidenceFrame():
                self._confidence = min(self._confidence, frame.confidence)
            case _:
                await self.push_frame(frame, direction)

    async def _on_context(self, frame: LLMContextFrame) -> None:
        if frame.speculation:
            return
        said = [m["content"] for m in frame.context.get_messages() if isinstance(m, dict) and m.get("role") == "user"]
        frame.context.set_messages([])
        text = self._parts.understander.protect(" ".join(map(str, said)).strip(), self._live.vault)
        confidence, self._confidence = self._confidence, 1.0
        if not text:
            return
        turn = TurnHeard(
            turn_id=uuid.uuid4().hex,
            text=text,
            medium=self._medium,
            spoken=self._medium == "voice",
            confidence=confidence,
        )
        try:
            # An interruption cancels the reply, never the turn: what was said is journalled to its end.
            understood = await asyncio.shield(understand(turn, self._live, self._parts))
        except Exception as fault:
            log.exception("a turn was not understood", error=type(fault).__name__)
            for words in spoken_frames(self._parts.phrases.say("trouble"), turn.turn_id):
                await self.push_frame(words)
            await self.push_frame(ActFrame(act=Done(turn.turn_id)))
            return
        await self.push_frame(TurnFrame(turn=turn, understood=understood))
