"""Puts the embedded ear into a pipeline: the caller's audio in, what was said out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pipecat.frames.frames import (
    CancelFrame,
    EndFrame,
    Frame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    StartFrame,
    TranscriptionFrame,
    UserAudioRawFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessorSetup
from pipecat.services.settings import STTSettings
from pipecat.services.stt_service import STTService
from pipecat.transcriptions.language import Language
from pipecat.utils.time import time_now_iso8601
from pipecat.utils.types import NOT_GIVEN, NotGiven

from processors.speech.whisper import MAX_AUDIO_SECS, Heard, Whisper

NOTHING_HEARD = " "
"""The text of a transcription in which nobody said a word: it ends the wait of Pipecat's turn strategies,
which an empty text does not, and the user aggregator leaves it out of the turn."""

_TTFS_P99_SECS = 0.9
_CUT_WITHIN_SECS = 3.0
_QUIET_SPOT_SECS = 0.1


@dataclass
class EmbeddedSTTSettings(STTSettings):
    """What may change while a call goes on, by `STTUpdateSettingsFrame(delta=EmbeddedSTT.Settings(...))`.

    The frame may come from either side; a dialogue stage pushes it upstream.
    """

    numbers: bool | NotGiven = field(default_factory=lambda: NOT_GIVEN)
    """The next utterances are expected to hold digits: no vocabulary prompt then, it makes digits worse."""
    hint: str | NotGiven = field(default_factory=lambda: NOT_GIVEN)
    """A few words about what was just asked, for the prompt; empty for none."""


@dataclass(frozen=True)
class _Utterance:
    pcm: bytes
    user_id: str
    goes_on: bool
    """Cut off while the speaker was still speaking."""


class EmbeddedSTT(STTService):
    """Caller audio and VAD frames in, transcriptions out; the audio itself stops here.

    A VADProcessor stands before it. Each stretch between the VAD's start and stop, with a little audio before it,
    is decoded in the ear's bounded pool, one after the other, so that transcripts keep their order. A
    `TranscriptionFrame` has `result={"confidence", "no_speech", "audio_secs", "decode_secs"}`.

    It is `finalized` unless more of the same speaker is under way: a turn then ends with the last of them.

        VAD    __/~~~~~~~~~\\____/~~~~~~\\________
        frames             . [1 final=no]  [2 final=yes]     (the speaker resumed before 1 was decoded)

    While a turn is open every stretch is answered, if need be with NOTHING_HEARD, so that no turn waits for
    words that do not come; without a turn it would start one. A failure becomes an ErrorFrame, and is
    answered the same way.
    """

    Settings = EmbeddedSTTSettings
    _settings: EmbeddedSTTSettings

    def __init__(
        self,
        *,
        whisper: Whisper,
        interims: bool = False,
        interim_period_secs: float = 0.6,
        pre_roll_secs: float = 0.4,
        audio_passthrough: bool = False,
        ttfs_p99_latency: float = _TTFS_P99_SECS,
        **kwargs: Any,
    ) -> None:
        """`interims` decodes the growing utterance every `interim_period_secs` while the pool has room.

        `pre_roll_secs` is the audio kept from before the VAD's start, which comes 0.2 s after the voice.
        `audio_passthrough` lets audio go on, for a turn analyser that stands after this processor.
        """
        super().__init__(
            audio_passthrough=audio_passthrough,
            ttfs_p99_latency=ttfs_p99_latency,
            settings=EmbeddedSTTSettings(model="whisper", language=Language.EN, numbers=False, hint=""),
            **kwargs,
        )
        self._whisper = whisper
        self._interims = interims
        self._interim_period_secs = interim_period_secs
        self._pre_roll_secs = pre_roll_secs
        self._pre_roll_bytes = 0
        self._max_bytes = 0
        self._audio = bytearray()
        self._utterances: asyncio.Queue[_Utterance | None] = asyncio.Queue()
        self._pending = 0
        self._turn_open = False
        self._decoding: asyncio.Task[None] | None = None
        self._captions: asyncio.Task[None] | None = None

    def can_generate_metrics(self) -> bool:
        return True

    async def setup(self, setup: FrameProcessorSetup) -> None:
        await super().setup(setup)
        self._pre_roll_bytes = self._bytes(self._pre_roll_secs)
        self._max_bytes = self._bytes(MAX_AUDIO_SECS - 1)

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        if self._decoding is None:
            self._decoding = self.create_task(self._decode_in_order())

    async def stop(self, frame: EndFrame) -> None:
        """What was said before the end is still transcribed."""
        await self._stop_captions()
        if self._decoding is not None:
            self._utterances.put_nowait(None)
            await self._decoding
            self._decoding = None
        await super().stop(frame)

    async def cancel(self, frame: CancelFrame) -> None:
        await self._stop_tasks()
        await super().cancel(frame)

    async def cleanup(self) -> None:
        await super().cleanup()
        await self._stop_tasks()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        match frame:
            case UserStartedSpeakingFrame():
                self._turn_open = True
            case UserStoppedSpeakingFrame():
                self._turn_open = False
        await super().process_frame(frame, direction)

    async def process_audio_frame(self, frame: InputAudioRawFrame, direction: FrameDirection) -> None:
        """Keep the audio: all of it while somebody speaks, else the last moment."""
        if self.is_muted:
            self._audio.clear()
            return
        self._user_id = frame.user_id if isinstance(frame, UserAudioRawFrame) else ""
        self._audio += frame.audio
        if not self._user_speaking:
            del self._audio[: max(0, len(self._audio) - self._pre_roll_bytes)]
        elif len(self._audio) >= self._max_bytes:
            cut = self._quiet_spot()
            self._take(bytes(self._audio[:cut]), goes_on=True)
            del self._audio[:cut]

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame | None, None]:
        """Decode one stretch of audio at the service's rate; yields its transcription."""
        heard = await self._hear(audio)
        yield self._transcription(heard, self._user_id, finalized=True)

    async def _handle_vad_user_started_speaking(self, frame: VADUserStartedSpeakingFrame) -> None:
        await super()._handle_vad_user_started_speaking(frame)
        if self._interims and self._captions is None:
            self._captions = self.create_task(self._caption())

    async def _handle_vad_user_stopped_speaking(self, frame: VADUserStoppedSpeakingFrame) -> None:
        was_speaking = self._user_speaking
        await super()._handle_vad_user_stopped_speaking(frame)
        await self._stop_captions()
        if was_speaking:
            self._take(bytes(self._audio), goes_on=False)
        self._audio.clear()

    def _take(self, pcm: bytes, *, goes_on: bool) -> None:
        self._pending += 1
        self._utterances.put_nowait(_Utterance(pcm, self._user_id, goes_on))

    async def _decode_in_order(self) -> None:
        while (utterance := await self._utterances.get()) is not None:
            heard = await self._heard_or_error(utterance.pcm)
            self._pending -= 1
            finalized = not (utterance.goes_on or self._pending or self._user_speaking)
            self._record_stt_audio_usage(utterance.pcm)
            await self.emit_stt_usage_metrics()
            if heard.text or self._turn_open:
                await self.push_frame(self._transcription(heard, utterance.user_id, finalized=finalized))

    async def _heard_or_error(self, pcm: bytes) -> Heard:
        try:
            return await self._hear(pcm)
        except Exception as failure:
            await self.push_error("speech recognition failed", exception=failure)
            return Heard("", 0.0, 1.0, len(pcm) / self._bytes(1.0))

    async def _hear(self, pcm: bytes) -> Heard:
        numbers, hint = bool(self._settings.numbers), str(self._settings.hint or "")
        decoded = self._whisper.submit(pcm, self.sample_rate, numbers=numbers, hint=hint)
        return await asyncio.wrap_future(decoded)

    def _transcription(self, heard: Heard, user_id: str, *, finalized: bool) -> TranscriptionFrame:
        return TranscriptionFrame(
            heard.text or NOTHING_HEARD,
            user_id,
            time_now_iso8601(),
            Language.EN,
            result=_result(heard),
            finalized=finalized,
        )

    async def _caption(self) -> None:
        """Interim transcriptions while somebody speaks; none when the pool is needed for finals."""
        while True:
            await asyncio.sleep(self._interim_period_secs)
            if self._whisper.busy or self._pending or not self._audio:
                continue
            try:
                heard = await self._hear(bytes(self._audio))
            except Exception as failure:
                await self.push_error("speech recognition failed", exception=failure)
                continue
            if heard.text:
                await self.push_frame(
                    InterimTranscriptionFrame(
                        heard.text, self._user_id, time_now_iso8601(), Language.EN, result=_result(heard)
                    )
                )

    async def _stop_captions(self) -> None:
        if self._captions is not None:
            captions, self._captions = self._captions, None
            await self.cancel_task(captions)

    async def _stop_tasks(self) -> None:
        await self._stop_captions()
        if self._decoding is not None:
            decoding, self._decoding = self._decoding, None
            await self.cancel_task(decoding)
        self._audio.clear()

    def _bytes(self, secs: float) -> int:
        return int(secs * self.sample_rate) * 2

    def _quiet_spot(self) -> int:
        """Where to cut a speech without end: the quietest tenth of a second of the last three seconds."""
        step = self._bytes(_QUIET_SPOT_SECS)
        tail_start = len(self._audio) - self._bytes(_CUT_WITHIN_SECS)
        tail = np.frombuffer(bytes(self._audio[tail_start:]), np.int16).astype(np.float32)
        spots = tail[: len(tail) // (step // 2) * (step // 2)].reshape(-1, step // 2)
        quietest = int(np.argmin((spots**2).mean(axis=1)))
        return tail_start + quietest * step + step // 4 * 2


def _result(heard: Heard) -> dict[str, float]:
    return {
        "confidence": heard.confidence,
        "no_speech": heard.no_speech,
        "audio_secs": heard.audio_secs,
        "decode_secs": heard.decode_secs,
    }
