"""Cleans and protects what came in, before anything else sees it."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from pipecat.frames.frames import Frame, InterimTranscriptionFrame, LLMMessagesAppendFrame, TranscriptionFrame
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from agent.knowledge.prefetch import Prefetch
from agent.live import LiveConversation
from agent.understanding.essence import request
from agent.understanding.understander import Understander
from processors.frames import ConfidenceFrame

LONG_CHARS = 120
"""From this length on a text made to be slow could hold the event loop for more than a few milliseconds."""
NOTHING = "?"
"""What is left of a message that was all disguise; it is a turn that wants an answer like any other."""


class Listen(FrameProcessor):
    """Transcripts and typed text in, the same out: written form, personal data as tokens.

    Stands before the user aggregator, which consumes them. Interim words begin the search for passages.
    """

    def __init__(
        self,
        *,
        understander: Understander,
        live: LiveConversation,
        prefetch: Prefetch | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._prefetch = prefetch
        self._understander = understander
        self._live = live

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        match frame:
            case TranscriptionFrame() if frame.text.strip():
                await self._on_words(frame)
            case InterimTranscriptionFrame() if frame.text.strip():
                frame.text = await self._hear(frame.text, spoken=True)
                if self._prefetch:
                    self._prefetch.hear(request(frame.text))
            case LLMMessagesAppendFrame():
                frame.messages = [await self._typed(message) for message in frame.messages]
        await self.push_frame(frame, direction)

    async def _on_words(self, frame: TranscriptionFrame) -> None:
        result = frame.result if isinstance(frame.result, dict) else {}
        await self.push_frame(ConfidenceFrame(confidence=float(result.get("confidence", 1.0))))
        frame.text = await self._hear(frame.text, spoken=True)
        frame.result = None

    async def _typed(self, message: Any) -> Any:
        content = message.get("content") if isinstance(message, dict) else None
        if message.get("role") != "user" or not isinstance(content, str):
            return message
        heard = await self._hear(content, spoken=False)
        return {**message, "content": heard if heard.strip() else NOTHING}

    async def _hear(self, text: str, *, spoken: bool) -> str:
        """Long text is read in a thread: it may take longer than the event loop can wait."""
        state = self._live.state
        hear = partial(
            self._understander.hear, text, self._live.vault, state.pending, spoken=spoken, slots=dict(state.slots)
        )
        return hear() if len(text) < LONG_CHARS else await asyncio.to_thread(hear)
