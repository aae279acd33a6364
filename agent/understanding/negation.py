"""Whether a turn says that something is not wanted: "please don't cancel 10002", "I never asked for a return"."""

from __future__ import annotations

import re

_NOT = r"(?:do not|don['’]?t|did not|didn['’]?t|never|not)"
_COMMAND = re.compile(
    r"^(?:(?:no|please|but|and|wait|stop|actually|sorry|hey|hi|hello)\b[\s,.!]*)*(?:do not|don['’]?t)\s+"
    r"(?!(?:you|know|understand|like|think|have|need|want|care|mind|see|get|remember|worry|forget|even|we|they)\b)\w",
    re.IGNORECASE,
)
_GENERAL = frozenset("my your the an a for to of order orders number update change start get".split())
"""Words of an intent's name that do not say what is done."""


def negated(text: str, intent: str | None) -> bool:
    """Whether the wording forbids or denies what an intent stands for, by the words of the intent's name."""
    if not intent:
        return False
    if _COMMAND.match(text):
        return True
    told = "|".join(re.escape(word) for word in intent.lower().split("_") if word not in _GENERAL)
    if not told:
        return False
    wish = r"(?:(?:ever|really|actually|even)\s+)?(?:(?:want|wanted|wish|ask|asked|need|mean|meant)\s+)?"
    what = rf"(?:(?:you|to|for|any|a|an|the|my|that|it|please|return|have)\s+)*(?:{told})"
    return bool(re.search(rf"(?<!why )\b{_NOT}\s+{wish}{what}", text, re.IGNORECASE))
