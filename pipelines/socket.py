"""A text chat over one websocket: RTVI in, RTVI out, through the same dialogue as a call."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import suppress
from typing import Any

from fastapi import WebSocket
from pipecat.frames.frames import EndFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.aggregators.llm_text_processor import LLMTextProcessor
from pipecat.processors.frameworks.rtvi import RTVIServerMessageFrame
from pipecat.transports.websocket.fastapi import FastAPIWebsocketParams, FastAPIWebsocketTransport

from pipelines.chat import checked_user, told_turns
from pipelines.dialogue import dialogue
from pipelines.memory import vouch
from pipelines.running import run_to_end
from pipelines.runtime import Busy, Runtime, Session, UnknownToken
from pipelines.text import user_aggregator
from pipelines.turns import finish_cut_turn, present
from pipelines.voice import client_messages
from processors.heard import Heard
from processors.listen import Listen
from processors.measure import TurnMeter
from processors.perform import Perform
from transports.chat_socket import RTVIJson
from transports.faults import EdgeFault


async def join_chat(runtime: Runtime, websocket: WebSocket, token: str | None) -> None:
    """Carry one text session. Raises EdgeFault where it cannot begin."""
    signed = checked_user(runtime.settings, websocket.query_params.get("user"))
    try:
        conversation_id, token = await runtime.find_or_begin(token)
    except UnknownToken:
        raise EdgeFault(404, "unknown_token", "This token leads to no conversation; connect without one.") from None
    live = await runtime.open(conversation_id, f"ws-{uuid.uuid4().hex}", "text")
    try:
        session = runtime.admit(live)
    except Busy:
        await runtime.leave(live, "busy")
        raise EdgeFault(503, "busy", "All lines are busy. Please try again in a moment.") from None
    async with runtime.carrying(session), present(runtime, live):
        if signed:
            await vouch(runtime, live, "user_id", signed)
        with suppress(EdgeFault):  # somebody answers: the history will tell
            await finish_cut_turn(runtime, live)
        await _carry(runtime, session, websocket, token)


async def _carry(runtime: Runtime, session: Session, websocket: WebSocket, token: str) -> None:
    live = session.live
    serializer = RTVIJson(websocket.send_json)
    transport = FastAPIWebsocketTransport(websocket, FastAPIWebsocketParams(serializer=serializer))
    parts = runtime.parts
    pipeline = Pipeline(
        [
            transport.input(),                                   # the client -> RTVI
            Listen(understander=parts.understander, live=live),  # typed text -> clean, protected
            user_aggregator(),                                   # -> a turn
            *dialogue(parts, live, "text"),                      # -> the reply's words and acts
            Perform(),                                           # acts -> messages to the client
            LLMTextProcessor(),                                  # tokens -> sentences
            transport.output(),                                  # -> the client
            Heard(live=live, medium="text"),                     # what was delivered -> the journal
        ]
    )  # fmt: skip
    worker = PipelineWorker(
        pipeline,
        observers=[TurnMeter(live=live, medium="text")],
        rtvi_observer_params=client_messages(pipeline),
        enable_turn_tracking=False,
        idle_timeout_secs=None,
        conversation_id=live.conversation_id,
    )

    async def tell(data: dict[str, Any]) -> None:
        await worker.queue_frame(RTVIServerMessageFrame(data=data))

    @worker.rtvi.event_handler("on_client_ready")
    async def on_ready(rtvi: Any) -> None:
        await tell({"type": "token", "token": token})
        await tell({"type": "history", "turns": told_turns(live.state, live.vault)})

    async def hang_up(*_: object) -> None:
        await worker.cancel()

    async def close() -> None:
        await session.closing.wait()
        await tell({"type": "closing", "text": parts.phrases.say(session.last_words)})
        await worker.queue_frame(EndFrame())

    transport.add_event_handler("on_client_disconnected", hang_up)
    closer = asyncio.create_task(close())
    try:
        await run_to_end(worker, pipeline)
    finally:
        closer.cancel()
