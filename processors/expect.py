"""Tells the embedded ear what the agent waits for, so that digits are heard as digits."""

from __future__ import annotations

from typing import Any

from pipecat.frames.frames import Frame, STTUpdateSettingsFrame
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from agent.business import Business
from agent.live import LiveConversation
from processors.frames import ReplyEndedFrame
from processors.speech.embedded_stt import EmbeddedSTT

_OF_DIGITS = frozenset({"pattern", "phone", "number"})


class Expect(FrameProcessor):
    """The end of a reply in; the ear's setting `numbers`, upstream, out."""

    def __init__(self, *, business: Business, live: LiveConversation, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._business = business
        self._live = live
        self._numbers = False

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, ReplyEndedFrame):
            await self._on_reply_ended()
        await self.push_frame(frame, direction)

    async def _on_reply_ended(self) -> None:
        pending = self._live.state.pending
        slot = self._business.slots.get(pending.slot) if pending else None
        numbers = bool(slot and slot.type in _OF_DIGITS)
        if numbers != self._numbers:
            self._numbers = numbers
            delta = EmbeddedSTT.Settings(numbers=numbers)
            await self.push_frame(STTUpdateSettingsFrame(delta=delta), FrameDirection.UPSTREAM)
