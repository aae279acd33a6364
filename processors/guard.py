"""The last look at what goes out: tokens become what the customer may see or hear."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Literal

from pipecat.frames.frames import (
    Frame,
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    TTSSpeakFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from agent.acts import Card, Show
from agent.store.vault import ConversationVault
from processors.frames import ActFrame

_HELD_CHARS = 80
"""A bracket that does not close within so many characters is no token and no citation."""
_CITATION = re.compile(r"\s*\[Source: [^\]]*\]")


class Guard(FrameProcessor):
    """Words in, the same words with tokens revealed out; citations are not spoken.

    Text passes at once; from an open bracket on it waits until the bracket closes.
    """

    def __init__(self, *, vault: ConversationVault, purpose: Literal["text", "speech"], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._vault = vault
        self._purpose: Literal["text", "speech"] = purpose
        self._held = ""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        match frame:
            case LLMTextFrame():
                return await self._on_text(frame.text)
            case LLMFullResponseStartFrame() | InterruptionFrame():
                self._held = ""
            case LLMFullResponseEndFrame():
                await self._release(self._held)
                self._held = ""
            case TTSSpeakFrame():
                frame.text = self._passed(frame.text)
            case ActFrame(act=Show(cards=cards) as show):
                frame.act = replace(show, cards=tuple(map(self._revealed, cards)))
        await self.push_frame(frame, direction)

    async def _on_text(self, text: str) -> None:
        text = self._held + text
        opened = text.rfind("[")
        waits = opened >= 0 and "]" not in text[opened:] and len(text) - opened < _HELD_CHARS
        cut = len(text[:opened].rstrip()) if waits else len(text)
        self._held = text[cut:]
        await self._release(text[:cut])

    async def _release(self, text: str) -> None:
        passed = self._passed(text)
        if passed:
            await self.push_frame(LLMTextFrame(passed))

    def _revealed(self, card: Card) -> Card:
        rows = tuple((name, self._vault.reveal_text(value, "text")) for name, value in card.rows)
        return replace(card, rows=rows)

    def _passed(self, text: str) -> str:
        if self._purpose == "speech":
            text = _CITATION.sub("", text)
        return self._vault.reveal_text(text, self._purpose)
