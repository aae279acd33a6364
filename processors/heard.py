"""Follows what was played or delivered of each reply, and journals it."""

from __future__ import annotations

from typing import Any

from pipecat.frames.frames import (
    CancelFrame,
    EndFrame,
    Frame,
    InterruptionFrame,
    LLMTextFrame,
    TTSTextFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from agent import events as ev
from agent.live import LiveConversation
from agent.llm.prompt import Medium
from processors.frames import HeardFrame, ReplyEndedFrame, ReplyStartedFrame


class Heard(FrameProcessor):
    """Played words (`TTSTextFrame`) or delivered text in, `Heard` events into the journal.

    Stands after the transport's output, so that a word arrives here when its audio was played.

        reply    |started ........ words ........ ended|            heard: all of it
        reply    |started ... words ...| interruption               heard: the words until then
    """

    def __init__(self, *, live: LiveConversation, medium: Medium, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._live = live
        self._medium = medium
        self._turn_id: str | None = None
        self._words: list[str] = []

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        match frame:
            case ReplyStartedFrame():
                await self._close(complete=False)
                self._turn_id = frame.turn_id
            case TTSTextFrame() if self._medium == "voice":
                self._words.append(frame.text.strip())
            case LLMTextFrame() if self._medium == "text":
                self._words.append(frame.text)
            case ReplyEndedFrame():
                await self._on_ended(frame)
            case InterruptionFrame() | CancelFrame() | EndFrame():
                await self._close(complete=False)
        await self.push_frame(frame, direction)

    async def _on_ended(self, frame: ReplyEndedFrame) -> None:
        """The end of the reply came through the output: everything before it was played."""
        if self._turn_id == frame.turn_id:
            self._words = [frame.text]
            await self._close(complete=True)

    async def _close(self, *, complete: bool) -> None:
        turn_id, words = self._turn_id, self._words
        self._turn_id, self._words = None, []
        if turn_id is None:
            return
        joined = ("" if self._medium == "text" else " ").join(words).strip()
        text = self._live.vault.hide(joined)
        await self._live.record(ev.Heard(text=text, complete=complete, **self._live.stamp(turn_id)))
        await self.push_frame(HeardFrame(turn_id=turn_id, text=joined, complete=complete))
