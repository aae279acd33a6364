"""Speech that costs almost nothing and can be counted: each word is a tone of its own.

`ToneVoice` says words, `ToneEar` knows a phrase by its audio; both share a `Lexicon`, so that what one says
the other hears, at any rate from 8 kHz, whole words only.
"""

from __future__ import annotations

import threading
from collections.abc import Generator

import numpy as np

from processors.speech.voice import AUDIBLE, Chunk, Samples, WordTime

TONE_SECS = 0.2
GAP_SECS = 0.06
_LOWEST_HZ, _STEP_HZ, _WORDS = 300, 50, 60
_LOUDNESS = 8000
_SHORTEST = 0.8
"""A shorter part of a tone is a word that was cut."""


class Lexicon:
    """The words and their tones, numbered as they are first said."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._lock = threading.Lock()

    def hz(self, word: str) -> int:
        """The tone of a word, punctuation and case aside. Raises ValueError beyond sixty words."""
        with self._lock:
            number = self._numbers.setdefault(_bare(word), len(self._numbers))
        if number >= _WORDS:
            raise ValueError(f"a lexicon of tones has {_WORDS} words")
        return _LOWEST_HZ + number * _STEP_HZ

    def word(self, hz: float) -> str:
        number = round((hz - _LOWEST_HZ) / _STEP_HZ)
        return next((word for word, own in self._numbers.items() if own == number), "?")


class ToneVoice:
    """A `Voice`: one chunk a word, a tone and a gap."""

    name = "tones"
    rate_hz = 8_000

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon

    def synthesise(
        self, text: str, *, fast_start: bool = True, stop: threading.Event | None = None
    ) -> Generator[Chunk, None, None]:
        for word in text.split():
            if stop is not None and stop.is_set():
                return
            yield Chunk(self._tone(word).tobytes(), self.rate_hz, (WordTime(word, 0.0, TONE_SECS),))

    def _tone(self, word: str) -> Samples:
        at = np.arange(int(TONE_SECS * self.rate_hz)) / self.rate_hz
        tone = _LOUDNESS * np.sin(2 * np.pi * self._lexicon.hz(word) * at)
        return np.concatenate([tone, np.zeros(int(GAP_SECS * self.rate_hz))]).astype(np.int16)


class ToneEar:
    """Finds the words in audio; a tone that was cut short is heard as the word with "-" behind it."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon

    def hear(self, pcm16: bytes, rate_hz: int) -> str:
        samples = np.frombuffer(pcm16, np.int16, len(pcm16) // 2)
        return " ".join(self._word(tone, rate_hz) for tone in _tones(samples, rate_hz))

    def _word(self, tone: Samples, rate_hz: int) -> str:
        spectrum = np.abs(np.fft.rfft(tone * np.hanning(len(tone)), 4 * rate_hz))
        word = self._lexicon.word(float(np.argmax(spectrum)) / 4)
        return word if len(tone) >= _SHORTEST * TONE_SECS * rate_hz else f"{word}-"


def _tones(samples: Samples, rate_hz: int) -> list[Samples]:
    """The stretches of sound between gaps."""
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > AUDIBLE)
    if not len(loud):
        return []
    breaks = np.flatnonzero(np.diff(loud) > GAP_SECS / 2 * rate_hz)
    starts = [loud[0], *loud[breaks + 1]]
    ends = [*loud[breaks], loud[-1]]
    return [samples[start : end + 1] for start, end in zip(starts, ends, strict=True)]


def _bare(word: str) -> str:
    return "".join(character for character in word.lower() if character.isalnum())
