"""Callers: sound files of any kind, four voices, an ear of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from lab.caller import (
    CALLER_VOICES,
    CallerVoiceName,
    FliteCaller,
    UnreadableSound,
    WhisperEar,
    read_wav,
)
from lab.carriers import mulaw

TONE = 0.5 * np.sin(np.arange(4410) * 0.1)


def test_any_rate_and_any_number_of_channels_become_mono_16_bit(tmp_path: Path) -> None:
    for rate_hz, channels, subtype in ((44100, 2, "PCM_24"), (8000, 1, "PCM_16"), (16000, 3, "FLOAT")):
        path = tmp_path / f"{rate_hz}.wav"
        soundfile.write(path, np.stack([TONE] * channels, axis=1), rate_hz, subtype=subtype)
        pcm16, rate = read_wav(path)
        assert (pcm16.dtype, pcm16.shape, rate) == (np.int16, (4410,), rate_hz)
        assert np.abs(pcm16 - TONE * 32768).max() <= 1.0


def test_channels_are_mixed_not_dropped(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "s.wav", np.stack([np.zeros(4410), TONE], axis=1), 8000)
    pcm16, _ = read_wav(tmp_path / "s.wav")
    assert np.abs(pcm16 - TONE * 16384).max() <= 2.0


def test_full_scale_does_not_wrap_around(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "loud.wav", np.full(100, 1.5), 8000, subtype="FLOAT")
    assert read_wav(tmp_path / "loud.wav")[0].min() == 32767


def test_what_cannot_be_played_says_why(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no sound")
    soundfile.write(tmp_path / "silent.wav", np.zeros(8000), 8000)
    for name, word in (
        ("none.wav", "there is no file"),
        ("text.wav", "no sound file"),
        ("silent.wav", "silent"),
    ):
        with pytest.raises(UnreadableSound, match=word):
            read_wav(tmp_path / name)


@pytest.fixture(scope="module")
def ear(tmp_path_factory: pytest.TempPathFactory) -> WhisperEar:
    return WhisperEar(tmp_path_factory.mktemp("cache"))


@pytest.mark.parametrize("name", CALLER_VOICES)
def test_every_caller_is_understood_over_the_phone(name: CallerVoiceName, ear: WhisperEar) -> None:
    pcm16, rate_hz = FliteCaller(name).synthesise("Where is my order? I am still waiting for it.")
    assert (pcm16.dtype, pcm16.ndim) == (np.int16, 1)
    assert 1.0 < len(pcm16) / rate_hz < 6.0
    on_the_line = mulaw.decode(mulaw.encode(np.asarray(soxr.resample(pcm16, rate_hz, 8000))))
    heard = ear.hear(on_the_line, 8000).lower()
    assert sum(word in heard for word in ("where", "my order", "still", "waiting")) >= 3


def test_callers_sound_different() -> None:
    lengths = {len(FliteCaller(name).synthesise("Good morning to you")[0]) for name in CALLER_VOICES}
    assert len(lengths) == len(CALLER_VOICES)


def test_a_text_without_a_word_cannot_be_said() -> None:
    with pytest.raises(UnreadableSound, match="no word"):
        FliteCaller("kal16").synthesise("... !")


def test_silence_is_heard_as_nothing(ear: WhisperEar) -> None:
    assert ear.hear(np.zeros(16000, np.int16), 8000) == ""
