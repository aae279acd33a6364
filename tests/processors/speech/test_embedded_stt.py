from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from pipecat.audio.vad.vad_analyzer import VADParams
from pipecat.frames.frames import (
    ErrorFrame,
    Frame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    STTMetadataFrame,
    STTUpdateSettingsFrame,
    TranscriptionFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.audio.vad_processor import VADProcessor
from pipecat.processors.frame_processor import FrameDirection

from processors.speech.embedded_stt import NOTHING_HEARD, EmbeddedSTT
from processors.speech.flite import Flite
from processors.speech.vad import SharedSilero
from processors.speech.whisper import Heard, Whisper
from tests.processors.speech.bench import bench
from tests.processors.speech.sounds import likeness, say, spoken_frames

RATE_HZ = 16_000
SECOND = np.full(RATE_HZ, 1000, np.int16)


class SlowEar:
    """An ear that answers when the test lets it: the nth utterance is heard as "utterance n"."""

    def __init__(self, *, fails: bool = False, silent: bool = False) -> None:
        self.asked: list[dict[str, Any]] = []
        self.may_answer = threading.Event()
        self.busy = False
        self._fails, self._silent = fails, silent
        self._pool = ThreadPoolExecutor(1)

    def submit(self, pcm16: bytes, rate_hz: int, *, numbers: bool = False, hint: str = "") -> Future[Heard]:
        self.asked.append({"secs": len(pcm16) / 2 / rate_hz, "numbers": numbers, "hint": hint})
        return self._pool.submit(self._answer, len(self.asked))

    def _answer(self, number: int) -> Heard:
        assert self.may_answer.wait(20)
        if self._fails:
            raise RuntimeError("the model is gone")
        return Heard("" if self._silent else f"utterance {number}", 0.9, 0.1)


def ear(slow: SlowEar, **options: Any) -> EmbeddedSTT:
    return EmbeddedSTT(whisper=slow, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("rate_hz", [16_000, 8_000])
async def test_a_call_through_silero_and_whisper_becomes_words(rate_hz: int, whisper: Whisper, rms: Flite) -> None:
    said = "Where is my order?"
    silence = np.zeros(rate_hz, np.int16)
    sound = np.concatenate([silence, say(rms, said, rate_hz), silence])
    step = rate_hz // 50
    audio = [InputAudioRawFrame(sound[at : at + step].tobytes(), rate_hz, 1) for at in range(0, len(sound), step)]
    vad = VADProcessor(vad_analyzer=SharedSilero(params=VADParams(stop_secs=0.2)), audio_idle_timeout=0)
    async with bench([vad, EmbeddedSTT(whisper=whisper)], in_hz=rate_hz) as line:
        await line.send(*audio)
        heard = await line.until(TranscriptionFrame)
    assert likeness(heard.text, said) > 0.7
    assert heard.finalized
    assert heard.result["confidence"] > 0.5
    assert 0.5 < heard.result["audio_secs"] < 3
    assert not line.all(InputAudioRawFrame), "the caller's audio stops at the STT"


async def test_audio_goes_on_where_it_is_asked_to() -> None:
    async with bench([ear(SlowEar(), audio_passthrough=True)]) as line:
        await line.send(InputAudioRawFrame(bytes(640), RATE_HZ, 1))
        await line.until(InputAudioRawFrame)


async def test_the_speech_before_the_vad_noticed_is_kept() -> None:
    slow = SlowEar()
    slow.may_answer.set()
    quiet = [InputAudioRawFrame(bytes(640), RATE_HZ, 1) for _ in range(200)]
    async with bench([ear(slow, pre_roll_secs=0.4)]) as line:
        await line.send(*quiet, VADUserStartedSpeakingFrame(), *quiet[:50], VADUserStoppedSpeakingFrame())
        await line.until(TranscriptionFrame)
    assert slow.asked[0]["secs"] == pytest.approx(1.4)


async def test_who_resumes_before_the_first_words_are_decoded_is_heard_in_order_and_final_once() -> None:
    slow = SlowEar()
    async with bench([ear(slow)]) as line:
        await line.send(*spoken_frames(SECOND, RATE_HZ), *spoken_frames(SECOND, RATE_HZ))
        await line.until(VADUserStoppedSpeakingFrame, 2)
        slow.may_answer.set()
        await line.until(TranscriptionFrame, 2)
    heard = [(frame.text, frame.finalized) for frame in line.all(TranscriptionFrame)]
    assert heard == [("utterance 1", False), ("utterance 2", True)]


async def test_words_decoded_while_the_speaker_goes_on_do_not_end_the_turn() -> None:
    slow = SlowEar()
    async with bench([ear(slow)]) as line:
        await line.send(*spoken_frames(SECOND, RATE_HZ), VADUserStartedSpeakingFrame())
        await line.until(VADUserStartedSpeakingFrame, 2)
        slow.may_answer.set()
        assert not (await line.until(TranscriptionFrame)).finalized


async def test_nothing_heard_releases_an_open_turn() -> None:
    slow = SlowEar(silent=True)
    slow.may_answer.set()
    async with bench([ear(slow)]) as line:
        await line.send(UserStartedSpeakingFrame(), *spoken_frames(SECOND, RATE_HZ))
        heard = await line.until(TranscriptionFrame)
    assert heard.text == NOTHING_HEARD
    assert heard.finalized and heard.result["confidence"] == 0.9


async def test_nothing_heard_without_a_turn_starts_none() -> None:
    slow = SlowEar(silent=True)
    slow.may_answer.set()
    async with bench([ear(slow)]) as line:
        await line.send(UserStartedSpeakingFrame(), UserStoppedSpeakingFrame(), *spoken_frames(SECOND, RATE_HZ))
        await line.finish()
    assert slow.asked and not line.all(TranscriptionFrame)


async def test_a_failure_is_an_error_frame_and_the_turn_is_released() -> None:
    slow = SlowEar(fails=True)
    slow.may_answer.set()
    stt = ear(slow)
    async with bench([stt]) as line:
        await line.send(UserStartedSpeakingFrame(), *spoken_frames(SECOND, RATE_HZ))
        error = await line.until(ErrorFrame, upstream=True)
        assert (await line.until(TranscriptionFrame)).text == NOTHING_HEARD
        assert "speech recognition failed" in error.error
        assert stt.is_usable


async def test_the_end_of_a_call_waits_for_the_last_words() -> None:
    slow = SlowEar()
    async with bench([ear(slow)]) as line:
        await line.send(*spoken_frames(SECOND, RATE_HZ))
        await line.until(VADUserStoppedSpeakingFrame)
        slow.may_answer.set()
        await line.finish()
    assert [frame.text for frame in line.all(TranscriptionFrame)] == ["utterance 1"]


@pytest.mark.parametrize("direction", list(FrameDirection))
async def test_a_frame_from_either_side_says_that_a_number_is_awaited(direction: FrameDirection) -> None:
    slow = SlowEar()
    slow.may_answer.set()
    delta = EmbeddedSTT.Settings(numbers=True, hint="order number")
    async with bench([ear(slow)]) as line:
        await line.send(STTUpdateSettingsFrame(delta=delta), direction=direction)
        await line.send(_Mark(), direction=direction)
        await line.until(_Mark, upstream=direction is FrameDirection.UPSTREAM)
        await line.send(*spoken_frames(SECOND, RATE_HZ))
        await line.until(TranscriptionFrame)
    assert slow.asked[0]["numbers"] is True
    assert slow.asked[0]["hint"] == "order number"


class _Mark(STTUpdateSettingsFrame):
    """For another service: passes through, behind the one that is meant."""

    def __init__(self) -> None:
        super().__init__(delta=None, service=object())  # type: ignore[arg-type]


async def test_captions_come_while_somebody_speaks_and_stop_with_the_voice() -> None:
    slow = SlowEar()
    slow.may_answer.set()
    async with bench([ear(slow, interims=True, interim_period_secs=0.01)]) as line:
        frames = spoken_frames(SECOND, RATE_HZ)
        await line.send(*frames[:-1])
        await line.until(InterimTranscriptionFrame, 2)
        await line.send(frames[-1])
        final = await line.until(TranscriptionFrame)
        await line.finish()
    assert line.down.index(final) > max(line.down.index(f) for f in line.all(InterimTranscriptionFrame))


async def test_captions_are_left_out_while_the_pool_is_needed() -> None:
    slow = SlowEar()
    slow.may_answer.set()
    slow.busy = True
    async with bench([ear(slow, interims=True, interim_period_secs=0.001)]) as line:
        frames = spoken_frames(SECOND, RATE_HZ)
        await line.send(*frames)
        await line.until(TranscriptionFrame)
    assert not line.all(InterimTranscriptionFrame)


async def test_a_speech_without_end_is_cut_at_a_quiet_spot_and_lost_nowhere() -> None:
    slow = SlowEar()
    slow.may_answer.set()
    loud = np.full(RATE_HZ * 40, 5000, np.int16)
    loud[RATE_HZ * 25 : RATE_HZ * 25 + 3200] = 0
    async with bench([ear(slow)]) as line:
        await line.send(*spoken_frames(loud, RATE_HZ))
        await line.until(TranscriptionFrame, 2)
    assert [frame.finalized for frame in line.all(TranscriptionFrame)] == [False, True]
    assert 25 < slow.asked[0]["secs"] < 25.4
    assert sum(asked["secs"] for asked in slow.asked) == pytest.approx(40.2)


async def test_turn_strategies_are_told_how_long_to_wait() -> None:
    async with bench([ear(SlowEar(), ttfs_p99_latency=0.7)]) as line:
        metadata: Frame = await line.until(STTMetadataFrame)
        assert metadata.ttfs_p99_latency == 0.7
