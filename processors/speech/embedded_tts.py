"""Puts an embedded voice into a pipeline: the agent's text in, its speech and word times out."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import AsyncGenerator, Generator, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import soxr
from pipecat.frames.frames import Frame, InterruptionFrame, TTSAudioRawFrame
from pipecat.processors.frame_processor import FrameDirection
from pipecat.services.settings import TTSSettings
from pipecat.services.tts_service import TTSService
from pipecat.transcriptions.language import Language

from processors.speech.voice import Samples, Voice, WordTime

_FRAME_SECS = 0.2
_SILENT_TEXT_SECS = 0.04
_FAST_START_BELOW_SECS = 0.4


@cache
def voice_pool() -> ThreadPoolExecutor:
    """The threads in which all calls of this process speak: one per core, at least two."""
    return ThreadPoolExecutor(max(2, os.cpu_count() or 1), thread_name_prefix="voice")


class EmbeddedTTS(TTSService):
    """Text frames in; audio at the pipeline's output rate and written words, each when it was wholly played, out.

    Synthesis runs in a bounded pool, clause by clause, at most `ahead_secs` ahead of what the caller hears:
    the next sentence begins while the first plays, and a long answer does not pile up in memory. An
    interruption ends it in the middle of a sentence.

    A word's time is its end plus `heard_margin_secs`, on the clock of the playing and not of the
    synthesis: a pause of the model between two sentences, and speech still queued, are counted in.
    """

    def __init__(
        self,
        *,
        voice: Voice,
        ahead_secs: float = 2.0,
        heard_margin_secs: float = 0.1,
        pool: Executor | None = None,
        **kwargs: Any,
    ) -> None:
        """`heard_margin_secs` is what the line delays beyond the transport: until then a word is not "heard"."""
        super().__init__(
            push_start_frame=True,
            push_stop_frames=True,
            push_text_frames=False,
            settings=TTSSettings(model="embedded", voice=voice.name, language=Language.EN),
            **kwargs,
        )
        self._speaker = voice
        self._ahead_secs = ahead_secs
        self._heard_margin_secs = heard_margin_secs
        self._pool = pool or voice_pool()
        self._plays_until = 0.0
        self._last_word_at = 0.0
        self._origins: dict[str, float] = {}

    def can_generate_metrics(self) -> bool:
        return True

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        """Speak one text: audio frames of at most 0.2 s, the words' times beside them."""
        await self.start_tts_usage_metrics(text)
        loop = asyncio.get_running_loop()
        fast_start = self._plays_until - loop.time() < _FAST_START_BELOW_SECS
        speech = _Speech(self._speaker, text, self.sample_rate, fast_start=fast_start)
        try:
            while (part := await loop.run_in_executor(self._pool, speech.next)) is not None:
                await self._time_words(part.words, context_id)
                for pcm in _cut(part.pcm, self.sample_rate):
                    await self._keep_pace(len(pcm) / 2 / self.sample_rate)
                    yield TTSAudioRawFrame(pcm, self.sample_rate, 1, context_id=context_id)
        except Exception as failure:
            await self.push_error("speech synthesis failed", exception=failure)
        finally:
            speech.stop()
            self._pool.submit(speech.close)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, InterruptionFrame) and not self.has_active_audio_context():
            self._plays_until = self._last_word_at = 0.0

    async def on_audio_context_completed(self, context_id: str) -> None:
        self._origins.pop(context_id, None)

    async def on_audio_context_interrupted(self, context_id: str) -> None:
        self._origins.pop(context_id, None)

    async def _time_words(self, words: Sequence[WordTime], context_id: str) -> None:
        """Hand on the words of a part that is about to play, in seconds from where their context began."""
        now = asyncio.get_running_loop().time()
        plays_at = max(now, self._plays_until)
        # Pipecat counts a context's word times from its first audio, or from the last word before it.
        origin = self._origins.setdefault(context_id, max(now, self._last_word_at))
        times: list[tuple[str, float]] = []
        for word in words:
            heard_at = plays_at + word.end_secs + self._heard_margin_secs
            self._last_word_at = max(self._last_word_at, heard_at, origin)
            times.append((word.word, self._last_word_at - origin))
        if times:
            await self.add_word_timestamps(times, context_id)

    async def _keep_pace(self, secs: float) -> None:
        """Wait while enough is queued already, then count `secs` more."""
        loop = asyncio.get_running_loop()
        too_early = self._plays_until - loop.time() - self._ahead_secs
        if too_early > 0:
            await asyncio.sleep(too_early)
        self._plays_until = max(self._plays_until, loop.time()) + secs


@dataclass(frozen=True)
class _Part:
    """Speech at the pipeline's rate, and the words that begin with it."""

    pcm: bytes
    words: tuple[WordTime, ...] = ()


class _Speech:
    """One text being spoken, in pool threads: `next` blocks, `stop` does not."""

    def __init__(self, voice: Voice, text: str, rate_hz: int, *, fast_start: bool) -> None:
        self._stopped = threading.Event()
        self._text = text
        self._rate_hz = rate_hz
        self._chunks = voice.synthesise(text, fast_start=fast_start, stop=self._stopped)
        self._parts = self._resampled(voice.rate_hz)
        self._at_work = threading.Lock()

    def next(self) -> _Part | None:
        with self._at_work:
            return None if self._stopped.is_set() else next(self._parts, None)

    def stop(self) -> None:
        self._stopped.set()

    def close(self) -> None:
        """Free the voice, unless a thread is at work with it: that one sees `stop` and ends by itself."""
        if self._at_work.acquire(blocking=False):
            try:
                self._parts.close()
            finally:
                self._at_work.release()

    def _resampled(self, voice_rate_hz: int) -> Generator[_Part, None, None]:
        """Parts at the pipeline's rate; the resampler runs through the text, and its tail is flushed."""
        spoke = False
        stream = None
        if voice_rate_hz != self._rate_hz:
            stream = soxr.ResampleStream(voice_rate_hz, self._rate_hz, 1, dtype="int16", quality="HQ")
        with contextlib.closing(self._chunks) as chunks:
            for chunk in chunks:
                spoke = True
                yield _Part(_through(stream, np.frombuffer(chunk.pcm, np.int16)), chunk.words)
        if spoke and stream is not None and not self._stopped.is_set():
            yield _Part(_through(stream, np.zeros(0, np.int16), last=True))
        if not spoke and not self._stopped.is_set():
            yield self._nothing_to_say()

    def _nothing_to_say(self) -> _Part:
        """A text without a word (an emoji) is said with a moment of silence: it is no failure of the voice."""
        pcm = bytes(2 * int(_SILENT_TEXT_SECS * self._rate_hz))
        return _Part(pcm, tuple(WordTime(word, 0.0, _SILENT_TEXT_SECS) for word in self._text.split()))


def _through(stream: soxr.ResampleStream | None, samples: Samples, *, last: bool = False) -> bytes:
    return samples.tobytes() if stream is None else bytes(stream.resample_chunk(samples, last=last).tobytes())


def _cut(pcm: bytes, rate_hz: int) -> Iterator[bytes]:
    step = int(_FRAME_SECS * rate_hz) * 2
    for start in range(0, len(pcm), step):
        yield pcm[start : start + step]
