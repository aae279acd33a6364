"""The phone line without clock and socket: what is played, when, and what a clear throws away."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from lab.carriers import mulaw
from lab.carriers.line import FRAME_SAMPLES, Line, Stretch, audible_samples
from lab.carriers.mulaw import Samples


def _tone(samples: int, loudness: int = 8000) -> Samples:
    return (loudness * np.sign(np.sin(np.arange(samples) + 0.5))).astype(np.int16)


def _silence(samples: int) -> Samples:
    return np.zeros(samples, dtype=np.int16)


def _ticks(line: Line, count: int) -> list[str]:
    return [mark for _ in range(count) for mark in line.tick().marks]


def _kinds(line: Line) -> list[str]:
    return [event.kind for event in line.events]


def test_mulaw_is_g711_to_the_bit() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        audioop = pytest.importorskip("audioop")
    codes = bytes(range(256))
    assert mulaw.decode(codes).tobytes() == audioop.ulaw2lin(codes, 2)
    positive = np.arange(1, 32768, dtype=np.int32).astype(np.int16)
    assert mulaw.encode(positive) == audioop.lin2ulaw(positive.tobytes(), 2)
    negative = np.frombuffer(mulaw.encode(-positive), np.uint8)
    assert (negative ^ 0x80).tobytes() == mulaw.encode(positive)
    assert mulaw.encode(np.array([0, 32767, -32768], np.int16)) == b"\xff\x80\x00"


def test_mulaw_codes_of_decoded_sound_are_the_same_codes() -> None:
    codes = bytes(code for code in range(256) if code != 0x7F)
    assert mulaw.encode(mulaw.decode(codes)) == codes
    assert mulaw.decode(b"\x7f")[0] == mulaw.decode(b"\xff")[0] == 0


def test_a_silent_line_still_sends_a_frame_each_tick() -> None:
    line = Line()
    assert line.tick().caller_mulaw == b"\xff" * 160
    assert line.now_secs == 0.02
    assert line.events == []


def test_the_caller_is_on_record_where_it_spoke() -> None:
    line = Line()
    _ticks(line, 5)
    said = line.say(np.concatenate([_silence(100), _tone(1000), _silence(60)]))
    _ticks(line, 10)
    assert said.stretch == Stretch((800 + 100) / 8000, (800 + 1100) / 8000)
    assert [(event.kind, event.at_secs) for event in line.events] == [
        ("caller_began", 900 / 8000),
        ("caller_ended", 1900 / 8000),
    ]
    caller = line.recording.side("caller")
    assert audible_samples(caller) == (900, 1900)
    assert not line.recording.side("agent").any()


def test_utterances_are_said_one_after_the_other() -> None:
    line = Line()
    first, second = line.say(_tone(1600)), line.say(_tone(160))
    _ticks(line, 10)
    assert first.stretch == Stretch(0.0, 0.2)
    assert second.stretch is None
    _ticks(line, 1)
    assert second.stretch == Stretch(0.2, 0.22)


def test_a_room_s_noise_behind_the_words_is_not_speech() -> None:
    line = Line()
    said = line.say(np.concatenate([_tone(1600, 20000), _tone(1600, 400)]))
    _ticks(line, 20)
    assert said.stretch == Stretch(0.0, 0.2)


def test_silence_cannot_be_said() -> None:
    with pytest.raises(ValueError, match="nothing to be heard"):
        Line().say(_silence(8000))


def test_the_agent_plays_in_real_time_however_fast_it_sends() -> None:
    line = Line()
    _ticks(line, 2)
    line.play(_tone(4000))
    assert line.agent_waiting_secs == 0.5
    _ticks(line, 10)
    assert line.agent_speaking
    assert line.agent_waiting_secs == pytest.approx(0.3)
    assert audible_samples(line.recording.side("agent")) == (320, 1920)


def test_a_short_pause_belongs_to_the_agent_s_speech_and_a_long_one_ends_it() -> None:
    line = Line()
    line.play(np.concatenate([_tone(800), _silence(1600), _tone(800), _silence(4000), _tone(800)]))
    _ticks(line, 70)
    assert line.agent_stretches == [Stretch(0.0, 0.4), Stretch(0.9, 1.0)]
    assert _kinds(line) == ["agent_began", "agent_ended", "agent_began", "agent_ended"]


def test_a_mark_comes_back_when_the_audio_before_it_was_played() -> None:
    line = Line()
    line.play(_tone(400))
    assert line.mark("first") == ()
    line.play(_tone(400))
    assert line.mark("second") == ()
    assert _ticks(line, 2) == []
    assert _ticks(line, 1) == ["first"]
    assert _ticks(line, 2) == ["second"]


def test_a_mark_with_nothing_before_it_comes_back_at_once() -> None:
    line = Line()
    assert line.mark("now") == ("now",)


def test_a_clear_empties_the_buffer_gives_back_its_marks_and_knows_what_was_played() -> None:
    line = Line()
    line.play(_tone(8000))
    line.mark("cut off")
    _ticks(line, 7)
    assert line.clear() == ("cut off",)
    _ticks(line, 30)
    clear = line.clears[0]
    assert (clear.played_samples, clear.dropped_samples) == (7 * FRAME_SAMPLES, 8000 - 7 * FRAME_SAMPLES)
    assert line.agent_played_samples == 7 * FRAME_SAMPLES
    assert audible_samples(line.recording.side("agent")) == (0, 7 * FRAME_SAMPLES)
    assert _kinds(line) == ["agent_began", "cleared", "mark_cleared", "agent_ended"]


def test_after_a_clear_marks_count_from_the_new_audio() -> None:
    line = Line()
    line.play(_tone(8000))
    line.clear()
    line.play(_tone(160))
    assert line.mark("new") == ()
    assert _ticks(line, 1) == ["new"]
    assert _kinds(line)[-1] == "mark_played"


def test_the_agent_has_answered_only_after_the_caller_s_last_word() -> None:
    line = Line()
    line.play(_tone(800))
    _ticks(line, 60)
    assert line.agent_has_answered(quiet_secs=0.8)
    line.say(_tone(800))
    _ticks(line, 60)
    assert not line.agent_has_answered(quiet_secs=0.8)
    line.play(_tone(800))
    _ticks(line, 30)
    assert not line.agent_has_answered(quiet_secs=0.8)
    _ticks(line, 20)
    assert line.agent_has_answered(quiet_secs=0.8)
    assert line.last_answer() == Stretch(2.4, 2.5)


def test_an_answer_of_several_stretches_is_one_answer() -> None:
    line = Line()
    line.play(np.concatenate([_tone(800), _silence(4000), _tone(800)]))
    _ticks(line, 100)
    assert line.last_answer() == Stretch(0.0, 0.7)
    assert len(line.agent_stretches) == 2


def test_speech_that_is_under_way_at_the_end_ends_with_the_call() -> None:
    line = Line()
    line.play(_tone(8000))
    _ticks(line, 10)
    line.end("agent")
    assert line.agent_stretches == [Stretch(0.0, 0.2)]
    assert _kinds(line) == ["agent_began", "agent_ended", "ended"]
