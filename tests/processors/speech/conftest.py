"""The embedded ear and voices, loaded once for all speech tests."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from processors.speech.flite import Flite, FliteUnavailable
from processors.speech.piper import Piper
from processors.speech.whisper import Whisper

with warnings.catch_warnings():  # Pipecat's own TTS module defines classes that it has deprecated
    warnings.simplefilter("ignore", DeprecationWarning)
    import pipecat.services.tts_service  # noqa: F401


@pytest.fixture(scope="session")
def speech_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where verified weights are remembered."""
    return tmp_path_factory.mktemp("speech")


@pytest.fixture(scope="session")
def whisper(speech_cache: Path) -> Whisper:
    ear = Whisper.load("whisper-tiny", speech_cache, workers=2)
    ear.warm()
    return ear


@pytest.fixture(scope="session")
def piper(speech_cache: Path) -> Piper:
    return Piper.load(speech_cache)


@pytest.fixture(scope="session")
def rms() -> Flite:
    try:
        return Flite("rms")
    except FliteUnavailable as missing:
        pytest.skip(str(missing))
