"""When a wish for a human is granted."""

from __future__ import annotations

from typing import Any

import pytest

from agent.handoff.triggers import asks_for_human
from agent.understanding.understander import Understanding


def understood(text: str, intent: str | None, confidence: float, **more: Any) -> Understanding:
    return Understanding(text=text, request=text, intent=intent, confidence=confidence, **more)


@pytest.mark.parametrize(
    ("text", "intent", "confidence", "alternatives", "granted"),
    [
        ("human", "human", 0.9, (), True),
        ("is anybody out there", "human", 0.4, (), False),
        ("I'd rather explain it to one of your staff", "human", 0.4, (), True),
        ("I'd rather explain it to one of your staff", None, 0.4, (("human", 0.3),), True),
        ("I want to give it to a person I love", "gift", 0.8, (("human", 0.1),), False),
        ("my agent told me so", "human", 0.3, (), False),
    ],
)
def test_a_named_person_makes_a_likely_wish_a_sure_one(
    text: str, intent: str | None, confidence: float, alternatives: Any, granted: bool
) -> None:
    assert asks_for_human(understood(text, intent, confidence, alternatives=alternatives)) is granted
