"""Times of day as HH:MM on 24 hours: "half past four", "5.30pm", "noon", "at seven tonight"."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agent.events import EntityFound
from agent.understanding.values.counts import SMALL
from agent.understanding.values.dates import WEEKDAY
from agent.understanding.values.found import entity

_HOURS = {word: n for word, n in SMALL.items() if n <= 12}
_HOUR = rf"(?:{'|'.join(_HOURS)}|\d{{1,2}})"
_DAYTIME = (
    r"(?:\s*(?:(a|p)\.?\s?m\b\.?)|\s+in\s+the\s+(morning|afternoon|evening)|\s+(?:at\s+)?(night)"
    r"|(?=\s+(tonight|(?:this|tomorrow|yesterday)\s+(?:morning|afternoon|evening)|tomorrow\s+night)))"
)
_CLOCK = re.compile(rf"(?<![\d:./$€£-])(\d{{1,2}}):(\d{{2}})(?!\d|:\d){_DAYTIME}?", re.IGNORECASE)
_POINT = re.compile(rf"(?<![\d:./,$€£-])(\d{{1,2}})\.(\d{{2}}){_DAYTIME}", re.IGNORECASE)
_HALF_DAY = re.compile(rf"(?<![\d:.,$€£-])\b({_HOUR})(?:\s+o['’]?\s?clock)?{_DAYTIME}", re.IGNORECASE)
_MINUTES = re.compile(rf"\b({_HOUR})\s+(fifteen|thirty|forty[ -]five){_DAYTIME}", re.IGNORECASE)
_OCLOCK = re.compile(rf"\b({_HOUR})\s+o['’]?\s?clock\b", re.IGNORECASE)
_AT_HOUR = re.compile(
    rf"\b(?:at|around|by|before|after)\s+({_HOUR})"
    rf"(?=\s*(?:[.!?,;]|$)|\s+(?:on|tomorrow|today|tonight|next|this|please|and|or|if|{WEEKDAY}))",
    re.IGNORECASE,
)
_NAMED = re.compile(r"\b(noon|midday|midnight)\b", re.IGNORECASE)
_PAST = re.compile(
    rf"\b(half|(?:a\s+)?quarter|twenty[ -]five|twenty|ten|five|25|20|10|5)\s+(past|to|after|before|of)\s+({_HOUR})\b"
    rf"(?!:){_DAYTIME}?",
    re.IGNORECASE,
)
_MINUTES_OF = {
    "half": 30, "quarter": 15, "five": 5, "ten": 10, "twenty": 20, "twenty five": 25, "fifteen": 15, "thirty": 30,
    "forty five": 45,
}  # fmt: skip
_FIRST_HOUR_OF_DAY = 7
"""A bare hour before this one is taken for the afternoon: nobody is called at four in the morning."""


def find_times(text: str) -> Iterator[EntityFound]:
    for pattern in (_CLOCK, _POINT):
        for match in pattern.finditer(text):
            yield from _time(text, match, int(match[1]), int(match[2]), _half(match, 3))
    for match in _HALF_DAY.finditer(text):
        yield from _time(text, match, _hour(match[1]), 0, _half(match, 2))
    for match in _MINUTES.finditer(text):
        yield from _time(text, match, _hour(match[1]), _minutes(match[2]), _half(match, 3))
    for pattern in (_OCLOCK, _AT_HOUR):
        for match in pattern.finditer(text):
            yield from _time(text, match, _hour(match[1]), 0, "", match.start(1))
    for match in _NAMED.finditer(text):
        yield from _time(text, match, 0 if match[1].lower() == "midnight" else 12, 0, "24")
    for match in _PAST.finditer(text):
        if match[2].lower() == "of" and not _half(match, 4):
            continue  # "ten of twelve" is a share; "a quarter of nine pm" is a time
        minutes = _minutes(match[1])
        back = match[2].lower() in ("to", "before", "of")
        yield from _time(text, match, _hour(match[3]) - back, 60 - minutes if back else minutes, _half(match, 4))


def _hour(word: str) -> int:
    return int(word) if word.isdecimal() else _HOURS[word.lower()]


def _minutes(words: str) -> int:
    words = re.sub(r"^a\s+|-", lambda m: " " if m[0] == "-" else "", words.lower())
    return int(words) if words.isdecimal() else _MINUTES_OF[words]


def _half(match: re.Match[str], first: int) -> str:
    """`a`, `p` or nothing, from "am", "in the evening", "at night", "this afternoon"."""
    letter, part, night, day = (match[first + n] for n in range(4))
    if letter:
        return letter.lower()
    if part or day:
        return "a" if (part or day).lower().endswith("morning") else "p"
    return "p" if night else ""


def _time(
    text: str, match: re.Match[str], hour: int, minute: int, half: str, start: int | None = None
) -> Iterator[EntityFound]:
    if half in ("a", "p"):
        if not 0 <= hour <= 12:
            return
        hour = hour % 12 + (12 if half == "p" else 0)
    elif half != "24" and 0 < hour < _FIRST_HOUR_OF_DAY and not match[0].startswith("0"):
        hour += 12
    if 0 <= hour < 24 and 0 <= minute < 60:
        yield entity("time", f"{hour:02}:{minute:02}", text, match.start() if start is None else start, match.end())
