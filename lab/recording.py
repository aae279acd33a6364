"""A call on record: caller left, agent right, every sample where it was played."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile

from lab.carriers.mulaw import Samples

Side = Literal["caller", "agent"]


class Recording:
    """What each side played, by sample offset from the start of the call; silence where nothing was."""

    def __init__(self, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self._pieces: dict[Side, list[tuple[int, Samples]]] = {"caller": [], "agent": []}
        self._ends: dict[Side, int] = {"caller": 0, "agent": 0}

    def add(self, side: Side, at_sample: int, pcm16: Samples) -> None:
        """Put down what `side` played from `at_sample` on.

        Raises ValueError where something already lies: one side cannot play two things at once.
        """
        if at_sample < self._ends[side]:
            raise ValueError(f"{side} already played until sample {self._ends[side]}, not {at_sample}")
        self._pieces[side].append((at_sample, pcm16))
        self._ends[side] = at_sample + len(pcm16)

    @property
    def length_samples(self) -> int:
        return max(self._ends.values())

    @property
    def length_secs(self) -> float:
        return self.length_samples / self.rate_hz

    def side(self, side: Side) -> Samples:
        """One side as int16 of shape (length_samples,)."""
        return self._cut(side, 0, self.length_samples)

    def between(self, side: Side, start_secs: float, end_secs: float) -> Samples:
        """A stretch of one side; times outside the call are cut to it."""
        first, last = (round(secs * self.rate_hz) for secs in (start_secs, end_secs))
        return self._cut(side, max(0, first), min(last, self.length_samples))

    def stereo(self) -> Samples:
        """Both sides as int16 of shape (length_samples, 2): caller, agent."""
        return np.stack([self.side("caller"), self.side("agent")], axis=1)

    def _cut(self, side: Side, first: int, last: int) -> Samples:
        cut = np.zeros(max(0, last - first), dtype=np.int16)
        pieces = self._pieces[side]
        begin = bisect_right(pieces, first, key=_offset)
        for at_sample, pcm16 in pieces[max(0, begin - 1) : bisect_left(pieces, last, key=_offset)]:
            piece = pcm16[max(0, first - at_sample) : max(0, last - at_sample)]
            start = max(0, at_sample - first)
            cut[start : start + len(piece)] = piece
        return cut

    def write(self, path: Path) -> None:
        """A 16-bit stereo WAV; the folder must exist."""
        soundfile.write(path, self.stereo(), self.rate_hz, subtype="PCM_16", format="WAV")


def _offset(piece: tuple[int, Samples]) -> int:
    return piece[0]
