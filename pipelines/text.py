"""A typed turn through the dialogue: one pipeline per message, its frames handed out as they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from pipecat.frames.frames import (
    Frame,
    LLMMessagesAppendFrame,
    LLMTextFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMUserAggregator,
    LLMUserAggregatorParams,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.turns.user_turn_strategies import ExternalUserTurnStrategies

from agent.acts import Act, Done, Say
from agent.live import LiveConversation
from agent.parts import Parts
from agent.resume import CutTurn
from pipelines.dialogue import dialogue
from pipelines.running import run_to_end
from processors.frames import ActFrame, CutTurnFrame
from processors.heard import Heard
from processors.listen import Listen


class _Outlet(FrameProcessor):
    """Frames in; what the customer is to see into a queue."""

    def __init__(self, queue: asyncio.Queue[Act | None], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._queue = queue

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        match frame:
            case LLMTextFrame():
                self._queue.put_nowait(Say(frame.text))
            case ActFrame(act=act) if act is not None:
                self._queue.put_nowait(act)
        await self.push_frame(frame, direction)


def user_aggregator() -> LLMUserAggregator:
    """Pipecat's user aggregator for typed messages, each of which is a whole turn."""
    params = LLMUserAggregatorParams(user_turn_strategies=ExternalUserTurnStrategies(), empty_user_turn=None)
    return LLMUserAggregator(LLMContext(), params=params)


async def answer(said: str | CutTurn, live: LiveConversation, parts: Parts) -> AsyncGenerator[Act, None]:
    """The acts that answer one typed message, or finish a cut turn; closing the iterator early cuts the reply off."""
    acts: asyncio.Queue[Act | None] = asyncio.Queue()
    pipeline = Pipeline(
        [
            Listen(understander=parts.understander, live=live),  # typed text -> clean, protected
            user_aggregator(),                                   # -> a turn
            *dialogue(parts, live, "text"),                      # -> the reply's words and acts
            _Outlet(acts),                                       # -> the customer
            Heard(live=live, medium="text"),                     # -> what was delivered
        ]
    )  # fmt: skip
    worker = PipelineWorker(pipeline, enable_rtvi=False, enable_turn_tracking=False, idle_timeout_secs=None)
    running = asyncio.create_task(run_to_end(worker, pipeline))
    running.add_done_callback(lambda _: acts.put_nowait(None))

    @worker.event_handler("on_pipeline_error")
    async def on_error(*_: object) -> None:
        acts.put_nowait(None)

    finished = False
    try:
        if isinstance(said, CutTurn):
            await worker.queue_frame(CutTurnFrame(cut=said))
        else:
            await worker.queue_frame(LLMMessagesAppendFrame([{"role": "user", "content": said}], run_llm=True))
        while not finished and (act := await acts.get()) is not None:
            finished = isinstance(act, Done)
            yield act
        if not finished:
            yield Say(parts.phrases.say("trouble"))
    finally:
        await (worker.stop_when_done() if finished else worker.cancel())
        await asyncio.wait({running})
