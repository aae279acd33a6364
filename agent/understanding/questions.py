"""Whether a turn asks something, and whether it asks who is speaking, by its wording."""

from __future__ import annotations

import re

_QUESTION = re.compile(
    r"\?\s*$|^(?:(?:actually|and|but|so|well|ok(?:ay)?|um|oh|wait|hold on|hey|hi|hello)\b[\s,]*)*"
    r"(?:(?:at|by|from|for|in|on|to|until|with) (?=what|which|when|whom|how))?"
    r"(?:what|which|when|where|who|whom|why|how|can|could|do|does|is|are|will|would|should)(?:'?s)?\b",
    re.IGNORECASE,
)
_WHO = re.compile(
    r"\b(?:(?:are|r) (?:you|u)|is (?:this|that|it)|(?:am i|do i) (?:speak|talk|chat)(?:t?ing)? (?:to|with)) "
    r"(?:an? |really |actually |just |still )*"
    r"(?:(?:real|live|actual|human) )*(?:human|person|being|(?:chat)?bot|robot|machine|computer|ai|program|software|"
    r"automated|real|live)(?= ?(?:[.,!?]|$|or\b|i'?m\b|i am\b|here\b|talking|speaking|chatting|working|on the))",
    re.IGNORECASE,
)


def is_question(text: str) -> bool:
    """Whether the wording asks something."""
    return bool(_QUESTION.search(text))


def asks_who(text: str) -> bool:
    """Whether the wording asks if a person or a program is speaking."""
    return bool(_WHO.search(text))
