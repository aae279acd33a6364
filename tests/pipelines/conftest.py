"""What tests of calls share: ears that hear what a test says."""

from __future__ import annotations

from typing import Any

import pytest
from pipecat.processors.filters.identity_filter import IdentityFilter

from pipelines import voice
from tests.pipelines.scripted_call import EveryTurnEnds, Mumble, ScriptedEar


@pytest.fixture
def scripted_ears(monkeypatch: pytest.MonkeyPatch) -> list[ScriptedEar]:
    """The ears of the calls that are made from now on, newest last."""
    ears: list[ScriptedEar] = []

    def make_ear(*_: Any) -> ScriptedEar:
        ears.append(ScriptedEar())
        return ears[-1]

    monkeypatch.setattr(voice, "shared_smart_turn", EveryTurnEnds)
    monkeypatch.setattr(voice, "make_vad", lambda turn: IdentityFilter())
    monkeypatch.setattr(voice, "make_ear", make_ear)
    monkeypatch.setattr(voice, "expectations", lambda *_: [])
    monkeypatch.setattr(voice, "make_voice", lambda settings, engines, business, rate_hz: Mumble(rate_hz))
    return ears
