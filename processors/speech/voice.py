"""What every embedded voice gives: sound in chunks, and when each written word of it is said."""

from __future__ import annotations

import threading
from collections.abc import Generator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]

AUDIBLE = 200
"""What is quieter than this (of 32767) is silence."""


@dataclass(frozen=True)
class WordTime:
    """One written word, in seconds from the start of the chunk that carries it."""

    word: str
    start_secs: float
    end_secs: float


@dataclass(frozen=True)
class Chunk:
    """A piece of speech: 16-bit mono PCM, and the times of the words that begin with it.

    A word's time may reach beyond this chunk's own sound, into the chunks that follow it.
    """

    pcm: bytes
    rate_hz: int
    words: tuple[WordTime, ...] = ()

    @property
    def secs(self) -> float:
        return len(self.pcm) / 2 / self.rate_hz


class Voice(Protocol):
    """A voice that is loaded; usable from several threads at a time."""

    name: str
    rate_hz: int

    def synthesise(
        self, text: str, *, fast_start: bool = True, stop: threading.Event | None = None
    ) -> Generator[Chunk, None, None]:
        """Say `text`. With `fast_start` the first chunk is small and comes soon. `stop` ends it early."""
        ...


def audible_span(samples: Samples) -> tuple[int, int]:
    """The first audible sample and the one after the last; (0, 0) for silence."""
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > AUDIBLE)
    return (int(loud[0]), int(loud[-1]) + 1) if len(loud) else (0, 0)
