"""Dates, written ("3 June", "6/1", "2026-06-01") and told ("the day after tomorrow", "a week on Friday")."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from functools import cache

from agent.events import EntityFound
from agent.understanding.values.counts import COUNT, ORDINAL, count, ordinal
from agent.understanding.values.days import DateOrder, Days
from agent.understanding.values.found import entity

_MONTHS = {name.lower(): i for i, name in enumerate(calendar.month_name) if name}
_MONTHS |= {name[:3]: i for name, i in _MONTHS.items()} | {"sept": 9}
_MONTH = rf"(?:{'|'.join(sorted(_MONTHS, key=len, reverse=True))})\b\.?"
_WEEKDAYS = {name.lower(): i for i, name in enumerate(calendar.day_name)}
_WEEKDAYS |= {"mon": 0, "tue": 1, "tues": 1, "wed": 2, "weds": 2, "thu": 3, "thur": 3, "thurs": 3, "fri": 4}
WEEKDAY = rf"(?:{'|'.join(sorted(_WEEKDAYS, key=len, reverse=True))})\b"
_UNIT = r"(days?|weeks?|fortnights?|months?|years?)"
_YEAR = r"(?:,?\s+(?:of\s+)?((?:19|20)\d{2})\b(?!\s*\d))?"
_LOOKS_BACK = re.compile(
    r"\b(?:last|ago|since|was|were|bought|ordered|received|arrived|got|delivered|came|happened|paid|purchased|did|had)\b",
    re.IGNORECASE,
)
_HOLIDAYS = {
    "new year's eve": (12, 31), "new year's day": (1, 1), "new year's": (1, 1), "valentine's day": (2, 14),
    "halloween": (10, 31), "christmas eve": (12, 24), "christmas day": (12, 25), "christmas": (12, 25),
    "boxing day": (12, 26),
}  # fmt: skip
_NEAR = {"today": 0, "tonight": 0, "this": 0, "tomorrow": 1, "yesterday": -1}
_Reading = Callable[["re.Match[str]", Days], "date | tuple[date, date] | None"]
"""What a rule makes of its match: a date, two that are in doubt, or none."""


def find_dates(
    text: str,
    today: date,
    orders: Sequence[DateOrder],
    *,
    language: str = "en",
    awaited: bool = False,
    anchor: date | None = None,
) -> Iterator[EntityFound]:
    """Dates as ISO 8601; a doubtful one has the other reading as its `alternative`.

    `awaited`: the agent has asked for a day, so that "the third" is one. `anchor` is the day last
    spoken of, for "the day after".
    """
    days = Days(today, looks_back=bool(_LOOKS_BACK.search(text)), orders=orders, anchor=anchor)
    for pattern, reading in _rules(awaited):
        for match in pattern.finditer(text):
            value = reading(match, days)
            first, other = value if isinstance(value, tuple) else (value, None)
            if first:
                yield entity(
                    "date", first.isoformat(), text, match.start(), match.end(), other.isoformat() if other else None
                )
    if language != "en":
        yield from _by_library(text, today, language, orders[0])


def _in_figures(match: re.Match[str], days: Days) -> date | tuple[date, date] | None:
    """ "3/4" in the customer's order; both readings where that is in doubt."""
    one, two, year = int(match[1]), int(match[2]), _year(match[3])
    if (one, two) == (24, 7):
        return None
    readings = {order: days.on(year, *((one, two) if order == "MDY" else (two, one))) for order in ("MDY", "DMY")}
    likely = [d for d in (readings[order] for order in days.orders) if d]
    if not likely:
        return readings["MDY"] or readings["DMY"]
    return (likely[0], likely[1]) if len(likely) > 1 and likely[0] != likely[1] else likely[0]


def _year(figures: str | None) -> int | None:
    if not figures:
        return None
    return int(figures) if len(figures) == 4 else 2000 + int(figures)


def _month(word: str) -> int:
    return _MONTHS[word.lower().rstrip(".")]


def _place(words: str) -> int:
    return int(words) if words.isdecimal() else ordinal(words)


def _a_week_from(match: re.Match[str], days: Days) -> date | None:
    words = match[1].lower()
    start = days.after(_NEAR[words]) if words in _NEAR else days.weekday(_WEEKDAYS[words])
    return days.after(7, start)


def _weekday(match: re.Match[str], days: Days) -> date | None:
    if match[3]:
        return days.day_of_month(ordinal(match[3]))
    return days.weekday(_WEEKDAYS[match[2].lower()], (match[1] or "").lower())


def _place_in_month(match: re.Match[str], days: Days) -> date | None:
    """ "the 13th" is a date; "the third" only after "on", "by"..."""
    told = match[1][0].isdecimal() or not match[0].lower().startswith("the") or ordinal(match[1]) > 12
    return days.day_of_month(ordinal(match[1])) if told else None


def _ahead(word: str | None) -> int:
    """How many months ahead "this", "next" and "last" are."""
    return {"next": 1, "last": -1}.get((word or "").lower(), 0)


def _relative_to_anchor(match: re.Match[str], days: Days) -> date | None:
    return days.after(1 if match[1].lower() == "after" else -1, days.anchor) if days.anchor else None


_RULES: list[tuple[str, _Reading]] = [
    (r"(?<![\d/-])(\d{4})-(\d{1,2})-(\d{1,2})(?![\d-])", lambda m, d: d.on(int(m[1]), int(m[2]), int(m[3]))),
    (r"(?<![\d/.,$€£-])(\d{1,2})/(\d{1,2})(?:/(\d{4}|\d{2}))?(?![\d/]|\s*(?:of|inch)\b)", _in_figures),
    (r"(?<![\d/-])(\d{1,2})-(\d{1,2})-(\d{4})(?![\d-])", _in_figures),
    (
        r"(?<![\d.])(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{4}|\d{2})?(?![\d.])",
        lambda m, d: d.on(_year(m[3]), int(m[2]), int(m[1])),
    ),
    (r"\b(?:the\s+)?day after (?:tomorrow|tmrw)\b", lambda m, d: d.after(2)),
    (r"\b(?:the\s+)?day before yesterday\b", lambda m, d: d.after(-2)),
    (r"\bthe\s+(?:(?:very\s+)?next\s+)?day\s+(after|before)\b(?!\s+(?:tomorrow|yesterday))", _relative_to_anchor),
    (
        r"\b(today|tonight|tomorrow|yesterday|this (?:morning|afternoon|evening))\b",
        lambda m, d: d.after(_NEAR[m[1].split()[0].lower()]),
    ),
    (r"\blast night\b", lambda m, d: d.after(-1)),
    (r"\b(?:tomm?or+ow|tmrw|tmr)\b", lambda m, d: d.after(1)),
    (
        rf"\b(?:in|within)\s+({COUNT})\s+{_UNIT}(?:['’]s?)?(?:\s+time)?\b",
        lambda m, d: d.shifted(count(m[1]), m[2].lower()),
    ),
    (rf"\b({COUNT})\s+{_UNIT}\s+(?:ago|back)\b", lambda m, d: d.shifted(-count(m[1]), m[2].lower())),
    (
        rf"\b({COUNT})\s+{_UNIT}\s+(?:from\s+(?:now|today)|today)\b",
        lambda m, d: d.shifted(count(m[1]), m[2].lower()),
    ),
    (rf"\ba\s+week\s+(?:(?:from|on)\s+)?(today|tomorrow|{WEEKDAY})", _a_week_from),
    (
        rf"\b(?:on\s+)?(?:(this|next|last|past|coming|this\s+coming)\s+)?({WEEKDAY})(?:\s+(?:the\s+)?({ORDINAL})\b)?"
        rf"(?!\s*,?\s+(?:{_MONTH}|the\s+{ORDINAL}|\d{{1,2}}\s+{_MONTH}))",
        _weekday,
    ),
    (rf"\b({WEEKDAY})\s+week\b", _a_week_from),
    (r"\b(?:at\s+the|this|the|on\s+the)\s+weekend\b", lambda m, d: d.weekday(5, "this")),
    (r"\bnext\s+weekend\b", lambda m, d: d.weekday(5, "next")),
    (
        rf"\b({_MONTH})\s+(?:the\s+)?({ORDINAL}|\d{{1,2}})\b(?![:/]\d|\s*(?:am|pm)\b){_YEAR}",
        lambda m, d: d.on(_year(m[3]), _month(m[1]), _place(m[2])),
    ),
    (
        rf"\b(?:the\s+)?({ORDINAL}|\d{{1,2}})\s+(?:day\s+)?(?:of\s+)?({_MONTH}){_YEAR}",
        lambda m, d: d.on(_year(m[3]), _month(m[2]), _place(m[1])),
    ),
    (
        rf"\b(?:the\s+)?({ORDINAL})\s+(?:of\s+)(this|next|last|the)\s+month\b",
        lambda m, d: d.day_of_month(ordinal(m[1]), _ahead(m[2])),
    ),
    (
        rf"\b(?:(?:on|by|until|till|before|after|for|from|since)\s+the|the)\s+(\d{{1,2}}(?:st|nd|rd|th)|{ORDINAL})\b"
        r"(?!\s+(?:one|time|order|item|floor|day|week|option|of\s+(?!this|the\s+month|next)|\w+\s+(?:one|time)))",
        _place_in_month,
    ),
    (
        r"\b(?:the\s+)?end\s+of\s+(the|this|next|last)\s+month\b|\bmonth[ -]end\b",
        lambda m, d: d.end_of_month(_ahead(m[1])),
    ),
    (
        r"\b(?:the\s+)?(?:beginning|start|first\s+day)\s+of\s+(the|this|next)\s+month\b",
        lambda m, d: d.day_of_month(1, _ahead(m[1])),
    ),
    (
        r"\b(?:the\s+)?end\s+of\s+(the|this|next)\s+week\b",
        lambda m, d: d.weekday(4, "next" if m[1].lower() == "next" else "this"),
    ),
    (
        rf"\b(?:{'|'.join(_HOLIDAYS)})(?!\w)",
        lambda m, d: d.on(None, *_HOLIDAYS[m[0].lower()]),
    ),
]
_AWAITED: list[tuple[str, _Reading]] = [
    (
        rf"(?:^|\b(?:no|sorry|mean|meant|the|it's|on|make it)[ ,]+)({ORDINAL})\b"
        r"(?!\s+(?:one|time|order|item|option)\b)",
        lambda m, d: d.day_of_month(ordinal(m[1])),
    ),
]


@cache
def _rules(awaited: bool) -> list[tuple[re.Pattern[str], _Reading]]:
    rules = [*_RULES, *_AWAITED] if awaited else _RULES
    return [(re.compile(pattern, re.IGNORECASE), reading) for pattern, reading in rules]


def _by_library(text: str, today: date, language: str, order: DateOrder) -> Iterator[EntityFound]:
    """Dates in other languages, by dateparser; bare numbers are none."""
    from dateparser.search import search_dates

    settings = {
        "RELATIVE_BASE": datetime(today.year, today.month, today.day),
        "PREFER_DATES_FROM": "future",
        "DATE_ORDER": order,
    }
    at = 0
    for words, moment in search_dates(text, languages=[language], settings=settings) or []:
        start = text.find(words, at)
        if start >= 0 and re.search(r"[^\W\d]{3}", words):
            at = start + len(words)
            yield entity("date", moment.date().isoformat(), text, start, at)
