"""Cardinals: "one hundred twenty three thousand" -> 123000, by the words they are made of."""

from __future__ import annotations

from collections.abc import Sequence

from agent.understanding.spoken.words import DIGITS, SCALES, SMALL, TEENS, TENS

_OVER_ALL = 10**12
"""More than any scale reaches."""


def cardinal(words: Sequence[str]) -> tuple[int, int]:
    """The longest cardinal at the start of `words` and how many words it takes; 0 words where none is."""
    total, used = 0, 0
    limit = _OVER_ALL
    while used < len(words):
        value, taken = _below_thousand(words[used : used + 8])
        if not taken:
            break
        scale = SCALES.get(words[used + taken]) if used + taken < len(words) else None
        if scale and scale < limit:
            total, used, limit = total + value * scale, used + taken + 1, scale
            continue
        if not scale and (limit == _OVER_ALL or value < limit):
            total, used = (total + value, used + taken) if limit < _OVER_ALL else (value, taken)
        break
    return total, used


def _below_thousand(words: Sequence[str]) -> tuple[int, int]:
    value, used = _below_hundred(words)
    if not used:
        return 0, 0
    if used < len(words) and words[used] == "hundred" and 0 < value < 100:
        rest, taken = _below_hundred(words[used + 1 :])
        dictated = [word in DIGITS for word in words[used + 1 : used + 3]] == [True, True]
        next_hundred = words[used + 1 + taken : used + 2 + taken] == ["hundred"]
        if dictated or next_hundred or words[used + 1 : used + 2] == ["zero"]:
            taken = 0
        return value * 100 + (rest if taken else 0), used + 1 + taken
    return value, used


def _below_hundred(words: Sequence[str]) -> tuple[int, int]:
    if not words:
        return 0, 0
    word = words[0]
    if word.isdecimal() and len(word) <= 3:
        return int(word), 1
    if word in TENS:
        unit = DIGITS.get(words[1], 0) if len(words) > 1 else 0
        return (TENS[word] + unit, 2) if unit else (TENS[word], 1)
    if word in TEENS or word in DIGITS:
        return SMALL[word], 1
    return 0, 0
