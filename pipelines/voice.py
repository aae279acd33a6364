"""What all voice channels share: the ears, the shared stage, the voice, and the life of a session."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence

import structlog
from pipecat.audio.turn.base_turn_analyzer import BaseTurnAnalyzer
from pipecat.frames.frames import EndFrame, Frame, TTSSpeakFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMUserAggregator, LLMUserAggregatorParams
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.processors.frameworks.rtvi import RTVIObserverParams, RTVIProcessor, RTVIServerMessageFrame
from pipecat.transports.base_transport import BaseTransport
from pipecat.turns.user_start import TranscriptionUserTurnStartStrategy, VADUserTurnStartStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies

from agent import events as ev
from agent.dialogue.greeting import first_words
from agent.knowledge.prefetch import Prefetch
from agent.live import LiveConversation
from pipelines.dialogue import dialogue
from pipelines.running import run_to_end
from pipelines.runtime import Runtime, Session
from pipelines.services import expectations, make_ear, make_vad, make_voice
from processors.frames import ReplyEndedFrame, ReplyStartedFrame
from processors.heard import Heard
from processors.listen import Listen
from processors.measure import TurnMeter
from processors.perform import Perform
from processors.speech.vad import SmartTurnStop, shared_smart_turn
from processors.think import Think

log = structlog.get_logger()


def call_pipeline(
    transport: BaseTransport,
    runtime: Runtime,
    live: LiveConversation,
    *,
    rate_hz: int,
    keypad: Sequence[FrameProcessor] = (),
) -> Pipeline:
    """A call, in the order that sound travels."""
    parts, engines = runtime.parts, runtime.engines
    turn, prefetch = shared_smart_turn(), Prefetch(parts.retrieval)
    return Pipeline(
        [
            transport.input(),                                   # the caller -> audio
            make_vad(turn),                                      # audio -> speech begins, ends
            make_ear(runtime.settings, engines, rate_hz),  # speech -> words; caller audio stops here
            *keypad,                                             # digits -> words
            Listen(understander=parts.understander, live=live, prefetch=prefetch),  # words -> written, protected
            _turns(turn),                                        # words -> turns
            *dialogue(parts, live, "voice", prefetch),           # turn -> the reply's words and acts
            *expectations(runtime.settings, runtime.business, live),  # what is awaited -> the ear
            Perform(),                                           # acts -> messages to the client
            make_voice(runtime.settings, engines, runtime.business, rate_hz),  # words -> audio
            transport.output(),                                  # audio -> the caller
            Heard(live=live, medium="voice"),                    # what was played -> the journal
            Perform(),                                           # -> the client
        ]
    )  # fmt: skip


def _turns(turn: BaseTurnAnalyzer) -> FrameProcessor:
    """Pipecat's user aggregator: speech or words begin a turn, Smart Turn ends it."""
    params = LLMUserAggregatorParams(
        user_turn_strategies=UserTurnStrategies(
            start=[VADUserTurnStartStrategy(), TranscriptionUserTurnStartStrategy()],
            stop=[SmartTurnStop(turn_analyzer=turn)],
        ),
        empty_user_turn=None,
    )
    return LLMUserAggregator(LLMContext(), params=params)


def greeting(runtime: Runtime, live: LiveConversation) -> tuple[list[Frame], ev.AgentSaid]:
    """The first words of a session, as frames and as an event."""
    text = first_words(live.state, runtime.business, runtime.parts.phrases, "voice")
    turn_id = f"greeting-{uuid.uuid4().hex}"
    said = ev.AgentSaid(text=text, **live.stamp(turn_id))
    return [ReplyStartedFrame(turn_id=turn_id), TTSSpeakFrame(text), ReplyEndedFrame(turn_id=turn_id, text=text)], said


async def run_call(
    runtime: Runtime,
    session: Session,
    transport: BaseTransport,
    pipeline: Pipeline,
    *,
    rate_hz: int,
    rtvi: bool,
    token: str = "",
    starts_by_itself: bool = False,
    meet: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Carry a call from the first word to its end; returns when the caller or the agent has hung up.

    `meet` looks who has come, before they are greeted.
    """
    live = session.live
    worker = PipelineWorker(
        pipeline,
        params=PipelineParams(audio_in_sample_rate=rate_hz, audio_out_sample_rate=rate_hz),
        observers=[TurnMeter(live=live, medium="voice")],
        enable_rtvi=rtvi,
        rtvi_observer_params=client_messages(pipeline) if rtvi else None,
        enable_turn_tracking=False,
        idle_timeout_secs=None,
        conversation_id=live.conversation_id,
    )

    async def greet(*_: object) -> None:
        if meet:
            await meet()
        frames, said = greeting(runtime, live)
        await live.record(said)
        await worker.queue_frames(frames)

    async def hang_up(*_: object) -> None:
        await worker.cancel()

    async def close() -> None:
        await session.closing.wait()
        await worker.queue_frames([TTSSpeakFrame(runtime.parts.phrases.say(session.last_words)), EndFrame()])

    @worker.event_handler("on_pipeline_finished")
    async def on_finished(_: PipelineWorker, frame: Frame) -> None:
        if isinstance(frame, EndFrame) and not session.closing.is_set():
            session.reason = "ended"

    if token:

        @worker.rtvi.event_handler("on_client_ready")
        async def on_ready(_: RTVIProcessor) -> None:
            await worker.queue_frame(RTVIServerMessageFrame(data={"type": "token", "token": token}))

    if starts_by_itself:
        worker.add_event_handler("on_pipeline_started", greet)
    else:
        transport.add_event_handler("on_client_connected", greet)
        transport.add_event_handler("on_client_disconnected", hang_up)
    closer = asyncio.create_task(close())
    try:
        await run_to_end(worker, pipeline)
    finally:
        closer.cancel()


def client_messages(pipeline: Pipeline) -> RTVIObserverParams:
    """What an untrusted client may see: its own words, the agent's as they are said, never context or metrics."""
    return RTVIObserverParams(
        user_llm_enabled=False,
        metrics_enabled=False,
        llm_raw_text_enabled=True,
        ignored_sources=[p for p in pipeline.processors if isinstance(p, Think)],
    )
