"""From the words of speech to what one would have typed: numbers, addresses, spelled letters, times, sentences.

For English; `from_speech` for what a recogniser heard, `from_typing` for what was typed.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from agent.understanding.cleaning import MAX_CHARS
from agent.understanding.spoken.emails import emails, web_addresses
from agent.understanding.spoken.figures import digit_groups, point_digits, points
from agent.understanding.spoken.letters import (
    capitals,
    double_letters,
    joined_letters,
    letters_as_in,
    spelling_alphabet,
)
from agent.understanding.spoken.money import money
from agent.understanding.spoken.numbers import numbers, spelled_out_numbers
from agent.understanding.spoken.sentences import sentence
from agent.understanding.spoken.slips import without_fillers, without_fragments, without_repeats
from agent.understanding.spoken.streets import house_numbers
from agent.understanding.spoken.times import dates, times
from agent.understanding.spoken.words import CAPITAL, SPELLED

_MOST_ROUNDS = 8
"""What is written after so many rounds stays; two are the rule."""


def from_speech(text: str, *, region: str = "US") -> str:
    """Speech in written form: "I, uh, I want to, want to return" -> "I want to return".

    "one two three four five", "1-2-3-4-5" and "12, 3, 45" -> "12345"; "j dot smith at example dot com"
    -> "j.smith@example.com"; "half past four" -> "4:30"; "twenty five dollars" -> "$25";
    "where is my order" -> "Where is my order?". What is said on purpose ("no, no", "very very late",
    "one of them") stays, and so do the recogniser's own capitals and marks. `region` (ISO 3166) says
    whether pounds are money. The steps are repeated until nothing changes, so that what is written
    stays so. What lies beyond MAX_CHARS is not read.
    """
    text = re.sub(f"[{SPELLED}{CAPITAL}]", "", text[:MAX_CHARS]).strip()
    for _ in range(_MOST_ROUNDS):
        written = _once(text, region)
        if written == text:
            break
        text = written
    return text


def from_typing(text: str) -> str:
    """Typed text as it is, but for a long number or an e-mail address that is spelled out."""
    return emails(spelled_out_numbers(text))


def _once(said: str, region: str) -> str:
    text = said
    for step in _STEPS:
        text = step(text)
    text = joined_letters(web_addresses(emails(money(text, pounds=region in _POUND_REGIONS))))
    return sentence(_tidy(text), said)


def _tidy(text: str) -> str:
    text = _COMMAS.sub(",", _BEFORE_MARK.sub(r"\1", _SPACES.sub(" ", text)))
    text = _LEADING.sub("", text).strip()
    alone = re.fullmatch(r"([A-Z0-9]+)\.", text)
    return alone[1] if alone and any(ch.isdecimal() for ch in text) else text


_SPACES = re.compile(r"[^\S\n]+")
_BEFORE_MARK = re.compile(r"(?<=\S) ([,.!?;:])(?=\s|$)")
_COMMAS = re.compile(r",(?:\s?,)+")
_LEADING = re.compile(r"^[\s,;.]+(?=\w)")
_POUND_REGIONS = frozenset({"GB", "IM", "JE", "GG", "GI"})
_STEPS: tuple[Callable[[str], str], ...] = (
    without_fillers,
    without_fragments,
    without_repeats,
    letters_as_in,
    spelling_alphabet,
    double_letters,
    capitals,
    times,
    dates,
    point_digits,
    numbers,
    points,
    digit_groups,
    house_numbers,
)
