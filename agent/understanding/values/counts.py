"""Counts and places in words: "a couple of", "twenty-one", "a hundred and five", "thirteenth"."""

from __future__ import annotations

import re

_UNITS = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
SMALL = {word: n for n, word in enumerate(_UNITS, 1)}
_WORTH = SMALL | {word: 10 * n for n, word in enumerate(_TENS, 2)} | {"fourty": 40, "ninty": 90}
_FEW = {
    "a couple of": 2, "a couple": 2, "a pair of": 2, "a pair": 2, "half a dozen": 6, "a half dozen": 6, "a dozen": 12,
    "a": 1, "an": 1,
}  # fmt: skip
_TEN = rf"(?:{'|'.join(_TENS)}|fourty|ninty)"
_UNIT = rf"(?:{'|'.join(sorted(_UNITS, key=len, reverse=True))})"
_BELOW_100 = rf"(?:{_TEN}(?:[ -]{_UNIT})?|{_UNIT})"
_BELOW_1000 = rf"(?:(?:a|{_UNIT}) hundred(?: (?:and )?{_BELOW_100})?|{_BELOW_100})"
IN_WORDS = rf"(?:(?:(?:a|{_BELOW_1000}) thousand(?: (?:and )?{_BELOW_1000})?|{_BELOW_1000})\b)"
"""A number below a million in words; the single spaces of a cleaned text between them."""
COUNT = rf"(?:{'|'.join(sorted(_FEW, key=len, reverse=True))}|\d{{1,3}}|{IN_WORDS})"

_PLACES = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth "
    "fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
).split()
_ORDINALS = {word: place for place, word in enumerate(_PLACES, 1)}
_ORDINALS |= {f"twenty{sep}{word}": 20 + _ORDINALS[word] for word in _PLACES[:9] for sep in (" ", "-")}
_ORDINALS |= {"thirtieth": 30, "thirty first": 31, "thirty-first": 31}
ORDINAL = rf"(?:{'|'.join(sorted(_ORDINALS, key=len, reverse=True))}|\d{{1,2}}(?:st|nd|rd|th))"
"""A place from 1 to 31."""


def count(words: str) -> int:
    """What `COUNT` or `IN_WORDS` has matched."""
    words = words.lower()
    if words in _FEW:
        return _FEW[words]
    return int(words) if words.isdecimal() else _in_words(words)


def _in_words(words: str) -> int:
    total = part = 0
    for word in re.split(r"[ -]", words):
        if word == "hundred":
            part = (part or 1) * 100
        elif word == "thousand":
            total, part = (part or 1) * 1000, 0
        else:
            part += _WORTH.get(word, 1 if word == "a" else 0)
    return total + part


def ordinal(words: str) -> int:
    """What `ORDINAL` has matched."""
    words = words.lower()
    return _ORDINALS[words] if words in _ORDINALS else int(words[:-2])
