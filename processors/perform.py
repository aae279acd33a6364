"""Tells a client beside the words: what the agent is doing, sources, quick replies, receipts, the end of a turn."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pipecat.frames.frames import Frame
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.processors.frameworks.rtvi import RTVIServerMessageFrame

from agent.acts import Act, Done, HandOff, Show, Working
from processors.frames import ActFrame, HeardFrame


class Perform(FrameProcessor):
    """`ActFrame`s in; RTVI server messages beside them out."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        message = None
        if isinstance(frame, ActFrame):
            message = _act_message(frame.act)
        elif isinstance(frame, HeardFrame):
            message = {"type": "heard", "turn_id": frame.turn_id, "text": frame.text, "complete": frame.complete}
        if message:
            await self.push_frame(RTVIServerMessageFrame(data=message))
        await self.push_frame(frame, direction)


def _act_message(act: Act | None) -> dict[str, Any] | None:
    match act:
        case Working():
            return {"type": "state", "state": act.state, "words": act.words}
        case Show():
            return {"type": "show", **asdict(act)}
        case HandOff():
            return {"type": "state", "state": "handed_off", "words": ""}
        case Done():
            return {"type": "done", **asdict(act)}
    return None
