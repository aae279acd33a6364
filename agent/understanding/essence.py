"""What a turn means, apart from how it is written: the same words typed and said come out alike."""

from __future__ import annotations

import re

from agent.understanding.questions import is_question

_WORDS = re.compile(r"\b(?!(?:um+|uh+|hm+|er+m?)\b)[^\W_]+(?:'[^\W_]+)*")
_EMAIL = re.compile(r"\be mail(?=s?\b)")
_OPENING = re.compile(
    r"(?:(?:hello|hi|hey|hiya|good (?:morning|afternoon|evening|day)|excuse me|so|well|ok(?:ay)?|hold on|"
    r"actually|by the way|one more thing)(?: there)? )*"
    r"(?:(?:i(?: am|'m| was| would|'d)? (?:just )?)?(?:wondering|calling to (?:ask|find out|know)|"
    r"(?:like|want(?:ed)?) to (?:ask|know|find out))(?: if| whether| about)? |"
    r"do you (?:happen to )?know )?"
)
"""Politeness at the start of a request, which says nothing of what is wanted."""


def request(text: str) -> str:
    """A turn without capitals, marks, fillers and its polite opening; a question ends in its mark.

    >>> request("Hi, I'd like to know when you open.")
    'when you open?'
    """
    said = _EMAIL.sub("email", " ".join(_WORDS.findall(text.lower().replace("’", "'"))))
    core = _OPENING.sub("", said, count=1)
    core = core if len(core.split()) >= 3 else said or text
    return f"{core}?" if is_question(text) or is_question(core) else core
