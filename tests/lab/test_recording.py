"""Stereo recordings: every sample where it was played."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from lab.recording import Recording


def _ones(count: int, value: int) -> np.ndarray:
    return np.full(count, value, dtype=np.int16)


def test_both_sides_lie_at_their_true_offsets_in_the_file(tmp_path: Path) -> None:
    recording = Recording(8000)
    recording.add("caller", 100, _ones(50, 1000))
    recording.add("agent", 120, _ones(10, -2000))
    recording.add("caller", 400, _ones(20, 3000))
    recording.write(tmp_path / "call.wav")
    samples, rate_hz = soundfile.read(tmp_path / "call.wav", dtype="int16")
    assert rate_hz == 8000
    assert samples.shape == (420, 2)
    assert np.flatnonzero(samples[:, 0]).tolist() == [*range(100, 150), *range(400, 420)]
    assert np.flatnonzero(samples[:, 1]).tolist() == list(range(120, 130))
    assert (samples[120, 0], samples[120, 1], samples[410, 0]) == (1000, -2000, 3000)


def test_one_side_cannot_play_two_things_at_once() -> None:
    recording = Recording(8000)
    recording.add("agent", 0, _ones(100, 1))
    with pytest.raises(ValueError, match="already played until sample 100"):
        recording.add("agent", 99, _ones(1, 1))


def test_a_stretch_is_cut_to_the_call() -> None:
    recording = Recording(100)
    recording.add("agent", 0, np.arange(100, dtype=np.int16))
    assert recording.between("agent", 0.5, 0.6).tolist() == list(range(50, 60))
    assert recording.between("agent", -1.0, 0.02).tolist() == [0, 1]
    assert len(recording.between("agent", 0.9, 5.0)) == 10
    assert recording.length_secs == 1.0


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 20))), st.integers(0, 300), st.integers(0, 300))
def test_any_stretch_is_the_same_stretch_of_the_whole(pieces: list[tuple[int, int]], first: int, last: int) -> None:
    recording = Recording(100)
    end = 0
    for gap, length in pieces:
        recording.add("caller", end + gap, np.arange(end + 1, end + 1 + length, dtype=np.int16))
        end += gap + length
    stretch = recording.between("caller", first / 100, last / 100)
    assert stretch.tolist() == recording.side("caller")[first:last].tolist()


def test_an_empty_call_is_an_empty_file(tmp_path: Path) -> None:
    Recording(8000).write(tmp_path / "call.wav")
    assert soundfile.info(tmp_path / "call.wav").frames == 0
