"""A caller's speech and hearing: a voice that is never the agent's own, a recording, an ear of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Protocol, get_args

import numpy as np
import soundfile

from lab.carriers.line import speech_samples
from lab.carriers.mulaw import Samples
from processors.speech.flite import Flite
from processors.speech.whisper import Whisper

CallerVoiceName = Literal["slt", "rms", "awb", "kal16"]
CALLER_VOICES: tuple[CallerVoiceName, ...] = get_args(CallerVoiceName)
"""Flite's voices; the agent's embedded voice is Piper's."""


class CallerVoice(Protocol):
    """Text in, speech out."""

    def synthesise(self, text: str) -> tuple[Samples, int]:
        """Mono 16-bit speech and its rate in Hz. Blocks while it computes; UnreadableSound for no words."""
        ...


class UnreadableSound(Exception):
    """A file that cannot be played, or a text that cannot be said; says why."""


def read_wav(path: Path) -> tuple[Samples, int]:
    """A sound file of any rate and number of channels, mixed to mono 16 bit, and its rate in Hz.

    Raises UnreadableSound where there is none, or nothing to be heard in it.
    """
    if not path.is_file():
        raise UnreadableSound(f"there is no file {path}")
    try:
        samples, rate_hz = soundfile.read(path, dtype="float64", always_2d=True)
    except soundfile.LibsndfileError as fault:
        raise UnreadableSound(f"{path} is no sound file that can be read: {fault}") from None
    mono: Samples = np.clip(np.rint(samples.mean(axis=1) * 32768), -32768, 32767).astype(np.int16)
    if speech_samples(mono) is None:
        raise UnreadableSound(f"{path} is silent")
    return mono, rate_hz


class FliteCaller:
    """A caller with one of flite's voices."""

    def __init__(self, voice: CallerVoiceName) -> None:
        """Raises FliteUnavailable where libflite1 is not installed."""
        self._flite = Flite(voice)

    def synthesise(self, text: str) -> tuple[Samples, int]:
        """The whole of `text` as mono 16-bit speech, and its rate in Hz. Blocks while it computes.

        Raises UnreadableSound for a text without a word.
        """
        sound = b"".join(chunk.pcm for chunk in self._flite.synthesise(text))
        if not sound:
            raise UnreadableSound(f"there is no word to say in {text!r}")
        return np.frombuffer(sound, dtype=np.int16), self._flite.rate_hz


class WhisperEar:
    """The caller's ear: no vocabulary, so that it hears the agent as a stranger does."""

    def __init__(self, cache_dir: Path) -> None:
        """Raises WeightsUnavailable."""
        self._whisper = Whisper.load("whisper-tiny", cache_dir, workers=1)

    def hear(self, pcm16: Samples, rate_hz: int) -> str:
        """The words of at most 28 s of mono speech, empty for none. Blocks while it computes."""
        return self._whisper.transcribe(pcm16, rate_hz).text
