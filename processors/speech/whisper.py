"""The embedded ear: Whisper on CTranslate2, fast enough for one core, wary of its own inventions.

Three things make it fit for a telephone. The encoder is given only as many frames as somebody spoke (a
whole window of 30 s costs six times as much). Decoding is held by a repetition penalty and a length cap, so that
it cannot run away. And what is probably not speech is dropped by three gates. Nothing here compares a
transcript with what the agent expects: a stranger's own words come out as they were heard.
"""

from __future__ import annotations

import math
import os
import threading
import zlib
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import soxr

from processors.speech import weights

WhisperModel = Literal["whisper-tiny", "whisper-base"]

RATE_HZ = 16_000
MAX_AUDIO_SECS = 28.0
"""One window of the model is 30 s; the rest is the silence that lets it end the last word."""

_HOP = 160
_FLOOR_FRAMES = 800
_TAIL_FRAMES = 300
_MAX_FRAMES = 3000
_MAX_PROMPT_TOKENS = 100
_REPETITION_PENALTY = 1.1
_SURE_LOGPROB = -0.8
_LEAST_LOGPROB = -1.5
_MAX_NO_SPEECH = 0.6
_MAX_NO_SPEECH_IF_UNSURE = 0.25
_MAX_COMPRESSION = 2.4
_COMPRESSED_FROM_CHARACTERS = 30
_MIN_PEAK = 1e-3
_MIN_AUDIO_SECS = 0.1

_DIGIT_WORDS = frozenset("zero oh one two three four five six seven eight nine ten double triple".split())

_models: dict[tuple[str, int], _Model] = {}
_models_lock = threading.Lock()


@dataclass(frozen=True)
class Heard:
    """What the ear made of one stretch of audio; an empty `text` means that nothing was said."""

    text: str
    confidence: float
    """exp(average log-probability), 0 to 1: accept from 0.8, confirm from 0.5, ask again below."""
    no_speech: float
    """The model's probability that nobody spoke."""
    audio_secs: float = 0.0
    decode_secs: float = 0.0
    """How long the decoding took, without waiting for a worker."""


def _nothing(audio_secs: float, no_speech: float = 1.0, decode_secs: float = 0.0) -> Heard:
    return Heard("", 0.0, no_speech, audio_secs, decode_secs)


class Whisper:
    """The ear of one business: a shared model, and the business's own vocabulary as the prompt.

    A prompt lifts names and products, and makes digits worse; so it is left out while a number is awaited.
    """

    def __init__(self, model: _Model, vocabulary: Sequence[str] = ()) -> None:
        self._model = model
        self._vocabulary = tuple(word.strip() for word in vocabulary if word.strip())

    @classmethod
    def load(
        cls,
        model: WhisperModel,
        cache_dir: Path,
        vocabulary: Sequence[str] = (),
        *,
        workers: int | None = None,
    ) -> Whisper:
        """Load the weights (0.3 s), or share those that the process has already.

        `vocabulary` are words and names from the business's files, the most important first; what does
        not fit into 100 tokens is left out. `workers` bounds how many utterances are decoded at a time
        (default: one per core, at most four). Raises WeightsUnavailable.
        """
        count = max(1, workers or min(4, os.cpu_count() or 1))
        with _models_lock:
            key = (model, count)
            if key not in _models:
                _models[key] = _Model(model, cache_dir, count)
            return cls(_models[key], vocabulary)

    def with_vocabulary(self, vocabulary: Sequence[str]) -> Whisper:
        """The same model for another business."""
        return Whisper(self._model, vocabulary)

    def warm(self) -> None:
        """Decode a second of faint noise, so that the first caller waits no longer than the others."""
        faint = np.random.default_rng(0).normal(0.0, 100.0, RATE_HZ).astype(np.int16)
        self.transcribe(faint, RATE_HZ)

    @property
    def busy(self) -> bool:
        """Whether every worker has an utterance: what can be left out (captions) is then left out."""
        return self._model.busy

    def submit(
        self, pcm16: bytes | npt.NDArray[np.int16], rate_hz: int, *, numbers: bool = False, hint: str = ""
    ) -> Future[Heard]:
        """`transcribe` in the process's bounded pool; await it with `asyncio.wrap_future`."""
        return self._model.submit(self.transcribe, pcm16, rate_hz, numbers=numbers, hint=hint)

    def transcribe(
        self, pcm16: bytes | npt.NDArray[np.int16], rate_hz: int, *, numbers: bool = False, hint: str = ""
    ) -> Heard:
        """What is said in 16-bit mono audio of any rate; at most 28 s, of which the end counts.

        Blocks for about 0.2 s on one core. `numbers` says that digits are awaited: no prompt then. `hint`
        is a few words about what was just asked; it stands nearest to the speech in the prompt.
        """
        began = perf_counter()
        audio = _at_16_khz(pcm16, rate_hz)
        audio_secs = len(audio) / RATE_HZ
        if audio_secs < _MIN_AUDIO_SECS or float(np.abs(audio).max()) < _MIN_PEAK:
            return _nothing(audio_secs)
        prompt = [] if numbers else self._model.prompt_tokens(self._vocabulary, hint)
        text, average_logprob, no_speech = self._model.decode(audio, prompt)
        decode_secs = perf_counter() - began
        text = without_repeated_beginning(text)
        if not _is_speech(text, average_logprob, no_speech, numbers):
            return _nothing(audio_secs, no_speech, decode_secs)
        return Heard(text, min(1.0, math.exp(average_logprob)), no_speech, audio_secs, decode_secs)


class _Model:
    """One CTranslate2 model, its tokenizer and its workers: one for the process, whatever the calls."""

    def __init__(self, name: WhisperModel, cache_dir: Path, workers: int) -> None:
        import ctranslate2
        import tokenizers
        from faster_whisper.feature_extractor import FeatureExtractor
        from faster_whisper.tokenizer import Tokenizer

        folder = weights.whisper_base(cache_dir) if name == "whisper-base" else weights.whisper_tiny_en(cache_dir)
        self._view = ctranslate2.StorageView
        self._ct2 = ctranslate2.models.Whisper(
            str(folder), device="cpu", compute_type="int8", intra_threads=1, inter_threads=workers
        )
        self._features = FeatureExtractor()
        multilingual = self._ct2.is_multilingual
        self._tokens = Tokenizer(
            tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json")),
            multilingual,
            task="transcribe" if multilingual else None,
            language="en" if multilingual else None,
        )
        self._workers = workers
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="whisper")
        self._waiting = 0
        self._waiting_lock = threading.Lock()

    @property
    def busy(self) -> bool:
        return self._waiting >= self._workers

    def submit(self, work: Any, *args: Any, **named: Any) -> Future[Heard]:
        with self._waiting_lock:
            self._waiting += 1
        future: Future[Heard] = self._pool.submit(work, *args, **named)
        future.add_done_callback(self._done)
        return future

    def _done(self, _: Future[Heard]) -> None:
        with self._waiting_lock:
            self._waiting -= 1

    def prompt_tokens(self, vocabulary: Sequence[str], hint: str) -> list[int]:
        """At most 100 tokens: the vocabulary as a list, then the hint."""
        nearest = self._tokens.encode(f" {hint.strip()}") if hint.strip() else []
        nearest = nearest[-_MAX_PROMPT_TOKENS:]
        listed: list[int] = []
        for word in vocabulary:
            more = self._tokens.encode(f" {word}" if not listed else f", {word}")
            if len(listed) + len(more) + len(nearest) >= _MAX_PROMPT_TOKENS:
                break
            listed += more
        if listed:
            listed += self._tokens.encode(".")
        return listed + nearest

    def decode(self, audio: npt.NDArray[np.float32], previous: list[int]) -> tuple[str, float, float]:
        """Text, average log-probability of its tokens, and the probability that nobody spoke."""
        prompt = [self._tokens.sot_prev, *previous] if previous else []
        prompt += [*self._tokens.sot_sequence, self._tokens.no_timestamps]
        spoken_frames = len(audio) // _HOP
        result = self._ct2.generate(
            self._ct2.encode(self._view.from_array(self._mel(audio, spoken_frames))),
            [prompt],
            beam_size=1,
            repetition_penalty=_REPETITION_PENALTY,
            max_length=len(prompt) + 8 + spoken_frames // 10,
            suppress_blank=True,
            suppress_tokens=[-1],
            return_scores=True,
            return_no_speech_prob=True,
        )[0]
        text = self._tokens.decode(result.sequences_ids[0]).strip()
        return text, float(result.scores[0]), float(result.no_speech_prob)

    def _mel(self, audio: npt.NDArray[np.float32], spoken_frames: int) -> npt.NDArray[np.float32]:
        """[1, 80, frames]: never fewer than 800 frames, or short answers are said twice."""
        frames = min(_MAX_FRAMES, max(_FLOOR_FRAMES, spoken_frames + _TAIL_FRAMES)) // 2 * 2
        mel = self._features(audio, padding=0)[:, :frames]
        missing = frames - mel.shape[1]
        mel = np.pad(mel, ((0, 0), (0, missing)), constant_values=float(mel.min()))
        return np.ascontiguousarray(mel[None].astype(np.float32))


def _is_speech(text: str, average_logprob: float, no_speech: float, numbers: bool) -> bool:
    """Whether the model heard words rather than made them up.

    Noise, music, tones and coughs score above 0.6 for `no_speech` or below -1.5 on average; so words between
    -1.5 and -0.8 pass only where a voice is certain. An awaited number passes with less: digits are unlikely words.
    """
    if not any(character.isalnum() for character in text) or no_speech > _MAX_NO_SPEECH:
        return False
    if len(text) > _COMPRESSED_FROM_CHARACTERS and _compression(text) > _MAX_COMPRESSION:
        return False
    if average_logprob >= _SURE_LOGPROB:
        return True
    awaited = numbers and any(_is_digits(word) for word in text.lower().split())
    return average_logprob >= _LEAST_LOGPROB and (awaited or no_speech <= _MAX_NO_SPEECH_IF_UNSURE)


def _compression(text: str) -> float:
    raw = text.encode()
    return len(raw) / len(zlib.compress(raw))


def without_repeated_beginning(text: str) -> str:
    """Cut what starts again from the beginning: "Where is it? Where is it? Where" becomes "Where is it?".

    Digits may well repeat (a number ends as it began), so a beginning with digits is left alone, and so
    is a single word ("no no", "bye bye").
    """
    words = text.split()
    keys = ["".join(c for c in word.lower() if c.isalnum()) for word in words]
    for length in range(2, len(keys)):
        again = keys[length:]
        cycled = [keys[index % length] for index in range(len(again))]
        long_enough = len(again) >= min(3, length)
        if again == cycled and long_enough and not any(_is_digits(key) for key in keys[:length]):
            return " ".join(words[:length])
    return text


def _is_digits(word: str) -> bool:
    return any(character.isdigit() for character in word) or word in _DIGIT_WORDS


def _at_16_khz(pcm16: bytes | npt.NDArray[np.int16], rate_hz: int) -> npt.NDArray[np.float32]:
    samples = np.frombuffer(pcm16, np.int16, len(pcm16) // 2) if isinstance(pcm16, bytes) else pcm16
    audio = samples[-int(MAX_AUDIO_SECS * rate_hz) :].astype(np.float32) / 32768.0
    if rate_hz != RATE_HZ and len(audio):
        audio = soxr.resample(audio, rate_hz, RATE_HZ, quality="HQ")
    return np.ascontiguousarray(audio, dtype=np.float32)
