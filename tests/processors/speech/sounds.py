"""Real audio for the speech tests: what a voice says, a telephone line, and things that are no speech."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import SequenceMatcher

import numpy as np
import numpy.typing as npt
import soxr
from pipecat.frames.frames import (
    Frame,
    InputAudioRawFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)

from processors.speech.voice import Voice

Samples = npt.NDArray[np.int16]


def say(voice: Voice, text: str, rate_hz: int) -> Samples:
    """A whole text at the given rate; at 8 kHz it has passed mu-law, as on a telephone."""
    samples = np.frombuffer(b"".join(chunk.pcm for chunk in voice.synthesise(text)), np.int16)
    heard = soxr.resample(samples, voice.rate_hz, rate_hz) if rate_hz != voice.rate_hz else samples
    return through_mu_law(heard) if rate_hz == 8000 else heard


def through_mu_law(samples: Samples) -> Samples:
    """G.711's companding to 8 bits and back."""
    linear = samples.astype(np.float64) / 32768
    coded = np.round(np.sign(linear) * np.log1p(255 * np.abs(linear)) / np.log(256) * 127) / 127
    return (np.sign(coded) * (np.power(256, np.abs(coded)) - 1) / 255 * 32767).astype(np.int16)


def not_speech(rate_hz: int = 16_000) -> Iterator[tuple[str, Samples]]:
    """Silence, hiss, hum, keys of a telephone, ringback, a cough and a melody."""
    noise = np.random.default_rng(7)
    time = np.arange(2 * rate_hz) / rate_hz

    def tone(*frequencies: float) -> npt.NDArray[np.float64]:
        return np.sum([4000 * np.sin(2 * np.pi * hz * time) for hz in frequencies], axis=0)

    fading = np.exp(-time * 10)
    melody = np.concatenate([tone(220 * 2 ** (step / 12))[: rate_hz // 4] for step in (0, 4, 7, 12, 7, 4)])
    sounds = {
        "silence": np.zeros(rate_hz),
        "a faint hiss": noise.normal(0, 60, 2 * rate_hz),
        "a loud hiss": noise.normal(0, 2500, 2 * rate_hz),
        "mains hum": tone(60, 120),
        "the key 5": tone(770, 1336)[: rate_hz // 4],
        "ringback": tone(440, 480),
        "a cough": noise.normal(0, 8000, 2 * rate_hz) * fading,
        "a melody": melody,
    }
    for name, sound in sounds.items():
        yield name, np.clip(sound, -32767, 32767).astype(np.int16)


def words(text: str) -> list[str]:
    return re.sub("[^a-z0-9' ]", " ", text.lower()).split()


def likeness(heard: str, said: str) -> float:
    """How much of the words agrees, 0 to 1."""
    return SequenceMatcher(None, words(heard), words(said), autojunk=False).ratio()


def spoken_frames(samples: Samples, rate_hz: int, *, stop_secs: float = 0.2) -> list[Frame]:
    """A stretch of speech as a VADProcessor gives it: 20 ms frames, start a little late, stop after silence."""
    step = rate_hz // 50
    audio = [InputAudioRawFrame(samples[at : at + step].tobytes(), rate_hz, 1) for at in range(0, len(samples), step)]
    silence = [InputAudioRawFrame(bytes(2 * step), rate_hz, 1) for _ in range(int(stop_secs * 50))]
    return [
        *audio[:10],
        VADUserStartedSpeakingFrame(start_secs=0.2),
        *audio[10:],
        *silence,
        VADUserStoppedSpeakingFrame(stop_secs=stop_secs),
    ]
