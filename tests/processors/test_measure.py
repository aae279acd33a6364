"""The waterfall's stages: each takes its part of the wait, and they sum to it."""

from __future__ import annotations

import pytest

from processors.measure import stages_ms

MARKS = {
    "speech_ended": 10.0,
    "noticed": 10.2,
    "transcribed": 10.35,
    "turn_ended": 10.4,
    "understood": 10.41,
    "retrieved": 10.43,
    "first_token": 10.5,
    "first_sentence": 10.6,
    "first_audio": 10.75,
}


def test_the_stages_sum_to_what_the_caller_waited() -> None:
    stages = stages_ms(MARKS, 10.8)
    assert sum(stages.values()) == pytest.approx(800)
    assert stages["stt"] == pytest.approx(150) and stages["endpointing"] == pytest.approx(250)
    assert stages["tts_first_audio"] == pytest.approx(150) and stages["transport"] == pytest.approx(50)


def test_a_mark_that_is_missing_or_early_gives_no_negative_stage() -> None:
    early = {**MARKS, "understood": 10.3}
    del early["retrieved"]
    stages = stages_ms(early, 10.8)
    assert min(stages.values()) >= 0 and sum(stages.values()) == pytest.approx(800)
