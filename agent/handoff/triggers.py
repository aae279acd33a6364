"""When a human is called: pure functions that the policy asks."""

from __future__ import annotations

import re

from agent.understanding.understander import Understanding

SURE = 0.5
"""From this confidence on a wish for a human is granted."""
NAMED = 0.2
"""The same, where the words name somebody to talk to."""
_SOMEBODY = re.compile(
    r"\b(?:talk|speak|chat|explain|discuss|tell|connect|transfer|put|pass|hand|get|reach|rather|prefer|need|want)\b"
    r".{0,40}\b(?:human|person|people|some(?:one|body)|agent|representative|rep|operator|advis[eo]r|staff|colleagues?|"
    r"employees?|manager|supervisor|team)\b",
    re.IGNORECASE,
)


def asks_for_human(understood: Understanding) -> bool:
    """Whether the customer wants to talk to a person."""
    likely = dict(understood.alternatives).get("human", 0.0)
    if understood.intent == "human":
        likely = max(likely, understood.confidence)
    return likely >= (NAMED if _SOMEBODY.search(understood.text) else SURE)
