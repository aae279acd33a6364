from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Generator
from typing import Any

import numpy as np
import pytest
from pipecat.frames.frames import (
    ErrorFrame,
    Frame,
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
    TTSTextFrame,
)

from processors.speech.embedded_tts import EmbeddedTTS
from processors.speech.flite import Flite
from processors.speech.piper import Piper
from processors.speech.voice import Chunk, WordTime
from processors.speech.whisper import Whisper
from tests.processors.speech.bench import Bench, bench
from tests.processors.speech.sounds import likeness

FAR_AHEAD_SECS = 600.0
MARGIN_SECS = 0.1


class Metronome:
    """A voice that says each word in half a second, and notes what becomes of it."""

    name = "metronome"
    rate_hz = 16_000

    def __init__(self, *, fails: bool = False) -> None:
        self.made = 0
        self.stopped = threading.Event()
        self._fails = fails

    def synthesise(
        self, text: str, *, fast_start: bool = True, stop: threading.Event | None = None
    ) -> Generator[Chunk, None, None]:
        try:
            for word in text.split():
                if self._fails:
                    raise RuntimeError("the voice is hoarse")
                self.made += 1
                yield Chunk(np.full(8000, 1000, np.int16).tobytes(), self.rate_hz, (WordTime(word, 0.0, 0.5),))
        finally:
            self.stopped.set()


def reply(*pieces: str) -> list[Frame]:
    return [LLMFullResponseStartFrame(), *map(LLMTextFrame, pieces), LLMFullResponseEndFrame()]


def audio_secs(line: Bench) -> float:
    return sum(frame.num_frames / frame.sample_rate for frame in line.all(TTSAudioRawFrame))


def heard_at(line: Bench) -> list[float]:
    """When each word counts as heard, in seconds from the first."""
    times = [frame.pts / 1e9 for frame in line.all(TTSTextFrame) if frame.pts]
    return [time - times[0] for time in times]


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 22_050, 24_000])
async def test_speech_comes_at_the_pipelines_rate_and_is_understood(
    rate_hz: int, piper: Piper, whisper: Whisper
) -> None:
    said = "Your order was delivered on Tuesday. Would you like to return it?"
    async with bench([EmbeddedTTS(voice=piper, ahead_secs=FAR_AHEAD_SECS)], out_hz=rate_hz) as line:
        await line.send(*reply("Your order was delivered on Tuesday. ", "Would you like to return it?"))
        await line.until(TTSStoppedFrame)
    audio = line.all(TTSAudioRawFrame)
    assert {frame.sample_rate for frame in audio} == {rate_hz}
    assert max(frame.num_frames for frame in audio) <= 0.2 * rate_hz
    pcm = b"".join(frame.audio for frame in audio)
    assert likeness(whisper.transcribe(pcm, rate_hz).text, said) > 0.6


@pytest.mark.parametrize("voice", ["piper", "rms"])
async def test_written_words_come_in_order_each_after_its_sound(voice: str, request: pytest.FixtureRequest) -> None:
    speaker: Piper | Flite = request.getfixturevalue(voice)
    sentences = "Order 12345 costs $5.20. ", "Dr. Smith sent it on 2026-11-24."
    tts = EmbeddedTTS(voice=speaker, ahead_secs=FAR_AHEAD_SECS, heard_margin_secs=MARGIN_SECS)
    async with bench([tts]) as line:
        await line.send(*reply(*sentences))
        await line.until(TTSStoppedFrame)
    assert [frame.text for frame in line.all(TTSTextFrame)] == "".join(sentences).split()
    times = heard_at(line)
    assert all(before <= after for before, after in itertools.pairwise(times))
    assert times[2] - times[0] > 1.5, "12345 takes the time of five digits"
    assert times[-1] < audio_secs(line) + MARGIN_SECS


class Noting(EmbeddedTTS):
    """Notes the word times that it gives to Pipecat, per context."""

    def __init__(self, **options: Any) -> None:
        super().__init__(ahead_secs=FAR_AHEAD_SECS, **options)
        self.noted: list[tuple[str, float]] = []

    async def add_word_timestamps(self, word_times: list[tuple[str, float]], *args: Any, **named: Any) -> None:
        self.noted += word_times
        await super().add_word_timestamps(word_times, *args, **named)


async def test_a_word_is_heard_when_its_sound_has_ended_plus_the_margin() -> None:
    tts = Noting(voice=Metronome(), heard_margin_secs=0.25)
    async with bench([tts]) as line:
        await line.send(TTSSpeakFrame("one two three"), TTSSpeakFrame("four five"))
        await line.until(TTSStoppedFrame, 2)
    assert [time for _, time in tts.noted[:3]] == pytest.approx([0.75, 1.25, 1.75], abs=0.02)
    assert heard_at(line) == pytest.approx([0.0, 0.5, 1.0, 1.5, 2.0], abs=0.02)


async def test_silence_between_two_sentences_of_a_reply_delays_the_second() -> None:
    tts = EmbeddedTTS(voice=Metronome(), ahead_secs=FAR_AHEAD_SECS)
    async with bench([tts]) as line:
        await line.send(LLMFullResponseStartFrame(), LLMTextFrame("One. "), LLMTextFrame("Two "))
        await line.until(TTSAudioRawFrame)
        await asyncio.sleep(0.9)
        await line.send(LLMTextFrame("then."), LLMFullResponseEndFrame())
        await line.until(TTSStoppedFrame)
    one, two, _ = heard_at(line)
    assert two - one >= 0.85


async def test_synthesis_waits_while_enough_is_queued() -> None:
    metronome = Metronome()
    async with bench([EmbeddedTTS(voice=metronome, ahead_secs=1.0)]) as line:
        await line.send(TTSSpeakFrame("word " * 100))
        await line.until(TTSAudioRawFrame, 5)
        await asyncio.sleep(0.2)
        assert 2 <= metronome.made <= 4
        assert audio_secs(line) <= 1.6


async def test_an_interruption_ends_speech_and_frees_the_voice() -> None:
    metronome = Metronome()
    async with bench([EmbeddedTTS(voice=metronome, ahead_secs=1.0)]) as line:
        await line.send(*reply("word " * 100))
        await line.until(TTSAudioRawFrame, 3)
        await line.send(InterruptionFrame())
        await line.until(InterruptionFrame)
        assert await asyncio.to_thread(metronome.stopped.wait, 10)
        made = metronome.made
        await line.send(TTSSpeakFrame("Yes?"))
        after = line.down.index(await line.until(TTSStartedFrame, 2))
        stale = line.down[line.down.index(line.all(InterruptionFrame)[0]) : after]
        assert not any(isinstance(frame, TTSAudioRawFrame | TTSTextFrame) for frame in stale)
        await line.until(TTSTextFrame, len(line.all(TTSTextFrame)) + 1)
        assert line.all(TTSTextFrame)[-1].text == "Yes?"
        assert metronome.made == made + 1


async def test_flite_is_stopped_in_the_middle_of_a_sentence(rms: Flite) -> None:
    async with bench([EmbeddedTTS(voice=rms, ahead_secs=0.2)]) as line:
        await line.send(TTSSpeakFrame("and then " * 300))
        await line.until(TTSAudioRawFrame, 2)
        await line.send(InterruptionFrame())
        await line.until(InterruptionFrame)
        for _ in range(200):
            if not any(thread.name.startswith("flite") for thread in threading.enumerate()):
                break
            await asyncio.sleep(0.01)
        assert not any(thread.name.startswith("flite") for thread in threading.enumerate())


async def test_a_text_without_a_word_is_no_failure_of_the_voice(piper: Piper) -> None:
    tts = EmbeddedTTS(voice=piper, ahead_secs=FAR_AHEAD_SECS)
    async with bench([tts]) as line:
        for _ in range(4):
            await line.send(TTSSpeakFrame("👍"))
        await line.until(TTSStoppedFrame, 4)
        assert tts.is_usable
        assert not [frame for frame in line.up if isinstance(frame, ErrorFrame)]


async def test_a_voice_that_fails_is_an_error_frame_and_the_reply_still_ends() -> None:
    async with bench([EmbeddedTTS(voice=Metronome(fails=True))]) as line:
        await line.send(*reply("Hello there."))
        error = await line.until(ErrorFrame, upstream=True)
        await line.until(LLMFullResponseEndFrame)
        assert "speech synthesis failed" in error.error
