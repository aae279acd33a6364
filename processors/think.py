"""Asks the dialogue core for the reply to a turn and speaks it as it comes."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import structlog
from pipecat.frames.frames import Frame, LLMFullResponseEndFrame, LLMFullResponseStartFrame, LLMTextFrame
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from agent.acts import Act, Done, Say
from agent.live import LiveConversation
from agent.parts import Parts
from agent.reply import reply
from agent.resume import finish
from processors.frames import ActFrame, CutTurnFrame, ReplyEndedFrame, ReplyStartedFrame, TurnFrame

log = structlog.get_logger()


class Think(FrameProcessor):
    """A `TurnFrame`, or a `CutTurnFrame`, in; the words as an LLM's response and the other acts as `ActFrame`s out.

    An interruption cancels this stage in the middle of a reply; the core journals what was said by then.
    """

    def __init__(self, *, parts: Parts, live: LiveConversation, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._parts = parts
        self._live = live

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        match frame:
            case TurnFrame():
                assert frame.turn and frame.understood and frame.found is not None
                acts = reply(frame.turn, frame.understood, frame.found, self._live, self._parts)
                await self._speak(acts, frame.turn.turn_id)
            case CutTurnFrame(cut=cut) if cut is not None:
                await self._speak(finish(cut, self._live, self._parts), cut.turn_id)
            case _:
                await self.push_frame(frame, direction)

    async def _speak(self, reply: AsyncGenerator[Act, None], turn_id: str) -> None:
        said: list[str] = []
        await self.push_frame(ReplyStartedFrame(turn_id=turn_id))
        await self.push_frame(LLMFullResponseStartFrame())
        done = Done(turn_id)
        try:
            async with aclosing(reply) as acts:
                async for act in acts:
                    match act:
                        case Say():
                            said.append(act.text)
                            await self.push_frame(LLMTextFrame(act.text))
                        case Done():
                            done = act
                        case _:
                            await self.push_frame(ActFrame(act=act))
        except Exception as fault:
            log.exception("a reply failed", error=type(fault).__name__)
            trouble = self._parts.phrases.say("trouble")
            said.append(trouble)
            await self.push_frame(LLMTextFrame(trouble))
        await self.push_frame(LLMFullResponseEndFrame())
        await self.push_frame(ReplyEndedFrame(turn_id=turn_id, text="".join(said).strip()))
        await self.push_frame(ActFrame(act=done))
