"""Whether a turn asks something, by its wording."""

from __future__ import annotations

import re

_QUESTION = re.compile(
    r"\?\s*$|^(?:(?:actually|and|but|so|well|ok(?:ay)?|um|oh|wait|hold on|hey|hi|hello)\b[\s,]*)*"
    r"(?:(?:at|by|from|for|in|on|to|until|with) (?=what|which|when|whom|how))?"
    r"(?:what|which|when|where|who|whom|why|how|can|could|do|does|is|are|will|would|should)(?:'?s)?\b",
    re.IGNORECASE,
)


def is_question(text: str) -> bool:
    """Whether the wording asks something."""
    return bool(_QUESTION.search(text))
