"""A phone call whose ears are scripted: `phone.py` whole, over Twilio's websocket, no sound understood or spoken.

`ScriptedCall.say` stands for an utterance; its words arrive where the recogniser's would. The agent speaks 20 ms of
silence a sentence, so that a turn takes milliseconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pipecat.audio.turn.base_turn_analyzer import BaseTurnAnalyzer, BaseTurnParams, EndOfTurnState
from pipecat.frames.frames import (
    Frame,
    InputAudioRawFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.metrics.metrics import MetricsData
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.settings import TTSSettings
from pipecat.services.tts_service import TTSService

from agent import events as ev
from agent.events import Event
from lab.carriers.twilio import TwilioCall
from pipelines.runtime import Runtime


class ScriptedEar(FrameProcessor):
    """Caller audio in, nothing out; `hear` gives what a recogniser would."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if not isinstance(frame, InputAudioRawFrame):
            await self.push_frame(frame, direction)

    async def hear(self, text: str) -> None:
        await self.push_frame(VADUserStartedSpeakingFrame())
        await self.push_frame(TranscriptionFrame(text=text, user_id="", timestamp="", finalized=True))
        await self.push_frame(VADUserStoppedSpeakingFrame())


class EveryTurnEnds(BaseTurnAnalyzer):
    """A turn is over when the caller stops."""

    speech_triggered = False
    params = BaseTurnParams()

    def append_audio(self, buffer: bytes, is_speech: bool) -> EndOfTurnState:
        return EndOfTurnState.INCOMPLETE

    async def analyze_end_of_turn(self) -> tuple[EndOfTurnState, MetricsData | None]:
        return EndOfTurnState.COMPLETE, None

    def clear(self) -> None:
        pass


class Mumble(TTSService):
    """Sentences in, 20 ms of silence each out."""

    def __init__(self, rate_hz: int) -> None:
        settings = TTSSettings(model=None, voice=None, language=None)
        super().__init__(sample_rate=rate_hz, push_start_frame=True, push_stop_frames=True, settings=settings)

    async def run_tts(self, text: str, context_id: str) -> AsyncIterator[Frame]:
        silence = bytes(2 * self.sample_rate // 50)
        yield TTSAudioRawFrame(silence, self.sample_rate, 1, context_id=context_id)


class ScriptedCall:
    """One call; `events` is its journal."""

    def __init__(self, runtime: Runtime, conversation_id: str, ear: ScriptedEar) -> None:
        self._runtime = runtime
        self._ear = ear
        self.conversation_id = conversation_id

    async def events(self) -> list[Event]:
        return await self._runtime.journal.read(self.conversation_id)

    async def say(self, text: str) -> None:
        """An utterance; returns when its answer was played to the end."""
        answered = len(await self.events())
        await self._ear.hear(text)
        await self.until_played(after=answered)

    async def until_played(self, after: int = 0) -> None:
        silent = ""
        async with asyncio.timeout(30):
            async for event in self._runtime.journal.watch(self.conversation_id, after):
                match event:
                    case ev.Decided(action="forward"):
                        return
                    case ev.Heard(complete=True) | ev.SessionLeft() if event.turn_id != silent:
                        return


@asynccontextmanager
async def calling(runtime: Runtime, url: str, ears: list[ScriptedEar], **dial: Any) -> AsyncIterator[ScriptedCall]:
    """A call to the server at `url` that `runtime` serves, past its greeting."""
    async with TwilioCall.dial(f"{url}/twilio/voice", **dial) as line:
        async with asyncio.timeout(10):
            while not ears:  # noqa: ASYNC110 - the call's pipeline makes its ear, and sets no event of ours
                await asyncio.sleep(0.01)
        conversation_id = await runtime.journal.find_session(line.call_sid)
        assert conversation_id
        call = ScriptedCall(runtime, conversation_id, ears[-1])
        await call.until_played()
        yield call
