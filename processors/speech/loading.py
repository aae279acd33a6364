"""Loads everything that hears and speaks without a key, at once, before the first call comes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from processors.speech import vad
from processors.speech.flite import Flite
from processors.speech.piper import Piper
from processors.speech.voice import Voice
from processors.speech.whisper import Whisper, WhisperModel

EmbeddedVoice = Literal["piper", "flite-slt", "flite-rms", "flite-awb", "flite-kal16"]


@dataclass(frozen=True)
class Embedded:
    """The process's ear and voice, loaded and warm; each call wraps them in its own services."""

    ear: Whisper | None
    voice: Voice | None


async def load_embedded(
    cache_dir: Path,
    *,
    ear: WhisperModel | None = "whisper-tiny",
    voice: EmbeddedVoice | None = "piper",
    vocabulary: Sequence[str] = (),
    workers: int | None = None,
) -> Embedded:
    """Load ear, voice, Silero and Smart Turn side by side in threads (see weights.py for what can be missing).

    None for an ear or a voice that a provider gives.

    Raises WeightsUnavailable or FliteUnavailable, each with the command that helps.
    """
    loaded_ear, loaded_voice, _ = await asyncio.gather(
        asyncio.to_thread(lambda: _warm_ear(ear, cache_dir, vocabulary, workers) if ear else None),
        asyncio.to_thread(lambda: load_voice(voice, cache_dir) if voice else None),
        asyncio.to_thread(vad.warm),
    )
    return Embedded(loaded_ear, loaded_voice)


def load_voice(voice: EmbeddedVoice, cache_dir: Path) -> Voice:
    """One voice by its name in the settings; blocks while it loads."""
    match voice:
        case "piper":
            return Piper.load(cache_dir)
        case "flite-slt":
            return Flite("slt")
        case "flite-rms":
            return Flite("rms")
        case "flite-awb":
            return Flite("awb")
        case "flite-kal16":
            return Flite("kal16")


def _warm_ear(model: WhisperModel, cache_dir: Path, vocabulary: Sequence[str], workers: int | None) -> Whisper:
    ear = Whisper.load(model, cache_dir, vocabulary, workers=workers)
    ear.warm()
    return ear
