"""Typed values in a turn: dates, times, money, numbers, e-mail, phone, and the business's own patterns.

Dates are ISO 8601, times HH:MM on 24 hours, money "12.50 USD", phone numbers E.164, so that typed and
spoken forms give the same value. "On the 3rd" is the next 3rd, "Tuesday" the next one, "next Tuesday"
the one of next week; a date without a year is the coming one, unless the words around it look back.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, timedelta
from functools import lru_cache

from agent.events import EntityFound
from agent.safety.detectors import find_personal


def find_entities(
    text: str,
    *,
    patterns: Mapping[str, str],
    today: date,
    region: str = "US",
    language: str = "en",
) -> list[EntityFound]:
    """Typed values in order of place, without overlaps; the longer of two stands.

    `patterns` (slot type -> regular expression) say what the whole of a business's value looks like;
    its digits may be written with spaces, dashes or a "#". `region` (ISO 3166) settles 3/4.
    """
    found = [
        *((0, entity) for name, pattern in patterns.items() for entity in _by_pattern(text, name, pattern)),
        *((1, entity) for entity in _personal(text, region)),
        *((2, entity) for entity in _dates(text, today, region, language)),
        *((3, entity) for entity in _times(text)),
        *((4, entity) for entity in _money(text)),
        *((5, entity) for entity in _numbers(text)),
    ]
    chosen: list[EntityFound] = []
    taken = bytearray(len(text))
    for _, entity in sorted(found, key=lambda f: (f[1].start - f[1].end, f[0], f[1].start)):
        if not any(taken[entity.start : entity.end]):
            taken[entity.start : entity.end] = b"1" * (entity.end - entity.start)
            chosen.append(entity)
    return sorted(chosen, key=lambda e: e.start)


def _entity(kind: str, value: str, text: str, start: int, end: int) -> EntityFound:
    return EntityFound(type=kind, value=value, text=text[start:end], start=start, end=end)


def _personal(text: str, region: str) -> Iterator[EntityFound]:
    for personal in find_personal(text, region=region):
        if personal.kind in ("EMAIL", "PHONE"):
            yield _entity(personal.kind.lower(), personal.canonical, text, personal.start, personal.end)


# --- the business's patterns -----------------------------------------------------------------------

_GLUED = re.compile(r"(?:order|account|card|number|no|nr|num|id|ref|invoice|booking)(?=\d)", re.IGNORECASE)
_PIECE = re.compile(r"[^\W_]+")
_LINK = re.compile(r"[ \t]?[-–./][ \t]?|[ \t]{1,2}|,(?=\d{3}(?!\d))")
_PART_BEFORE = re.compile(r"[$€£]\s?$|\d[.,:/–-]$")
_PART_AFTER = re.compile(r"[.,:/–-]\d|\s?(?:%|[$€£]|dollars?\b|bucks\b|euros?\b|cents?\b|usd\b|eur\b)", re.IGNORECASE)
_SMALL_WORDS = frozenset(
    "is in on at to my no it or of and the for was not am as by so we he me id are but you its with from has".split()
)
_MOST_PIECES = 20
_LONGEST_CHAIN = 60
"""A chain of more linked pieces is no value; it is not searched."""

Span = tuple[int, int]


def _by_pattern(text: str, name: str, pattern: str) -> Iterator[EntityFound]:
    """Whole values of a pattern, as they stand ("10007", "ord-7") or joined ("1 0 0 0 7", "10-007")."""
    whole = re.compile(pattern)
    for chain in _chains(text):
        at = 0
        while at < len(chain):
            found = _longest(text, chain, at, whole)
            if found:
                last, value = found
                yield _entity(name, value, text, chain[at][0], chain[last][1])
                at = last
            at += 1


def _chains(text: str) -> Iterator[list[Span]]:
    """Runs of letters and digits, those together that may be pieces of one value."""
    chain: list[Span] = []
    for match in _PIECE.finditer(text):
        glued = _GLUED.match(match[0])
        piece = (match.start() + (glued.end() if glued else 0), match.end())
        if chain and (glued or not _linked(text, chain[-1][1], piece[0])):
            yield chain
            chain = []
        chain.append(piece)
    if chain:
        yield chain


def _linked(text: str, end: int, start: int) -> bool:
    link = _LINK.match(text, end)
    return link is not None and link.end() == start


def _longest(text: str, chain: list[Span], first: int, whole: re.Pattern[str]) -> tuple[int, str] | None:
    """The last piece of the longest value that begins with the piece `first`, and the value."""
    most = _MOST_PIECES if len(chain) <= _LONGEST_CHAIN else 1
    best = None
    for last in range(first, min(len(chain), first + most)):
        if last > first and not all(_may_join(text[a:b]) for a, b in (chain[first], chain[last])):
            break
        value = _value(text, chain[first : last + 1], whole)
        if value and not _continues(text, chain, first, last, whole):
            best = (last, value)
    return best


def _may_join(piece: str) -> bool:
    """Whether a piece may be part of a longer value: figures, or letters that are no small word."""
    if any(ch.isdecimal() for ch in piece):
        return True
    return len(piece) <= 5 and (piece.isupper() or piece.lower() not in _SMALL_WORDS) and piece not in ("a", "I")


def _value(text: str, pieces: list[Span], whole: re.Pattern[str]) -> str | None:
    """The value in the pattern's own form, as it stands, without separators or with dashes, in either case."""
    parts = [text[a:b] for a, b in pieces]
    forms = [text[pieces[0][0] : pieces[-1][1]]]
    if len(parts) > 1:
        forms += ["".join(parts), "-".join(parts)]
    for form in forms:
        for cased in (form, form.upper(), form.lower()):
            if whole.fullmatch(cased):
                return cased
    return None


def _continues(text: str, chain: list[Span], first: int, last: int, whole: re.Pattern[str]) -> bool:
    """Whether the stretch is but a part of a longer number, an amount or a date."""
    start, end = chain[first][0], chain[last][1]
    if _PART_BEFORE.search(text[max(0, start - 2) : start]) or _PART_AFTER.match(text[end : end + 10]):
        return True
    if first == last:
        return False
    around = [text[a:b] for i in (first - 1, last + 1) if 0 <= i < len(chain) for a, b in [chain[i]]]
    return any(piece.isdecimal() and not whole.fullmatch(piece) for piece in around)


# --- dates -----------------------------------------------------------------------------------------

_MONTHS = {name.lower(): i for i, name in enumerate(calendar.month_name) if name}
_MONTHS |= {name[:3]: i for name, i in _MONTHS.items()} | {"sept": 9}
_MONTH = rf"(?:{'|'.join(sorted(_MONTHS, key=len, reverse=True))})\b\.?"
_DAYS = {name.lower(): i for i, name in enumerate(calendar.day_name)}
_DAYS |= {"mon": 0, "tue": 1, "tues": 1, "wed": 2, "weds": 2, "thu": 3, "thur": 3, "thurs": 3, "fri": 4}
_DAY = rf"(?:{'|'.join(sorted(_DAYS, key=len, reverse=True))})\b"
_COUNTS = {
    "a": 1, "an": 1, "one": 1, "two": 2, "a couple of": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7,
    "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12,
}  # fmt: skip
_COUNT = rf"(?:{'|'.join(sorted(_COUNTS, key=len, reverse=True))}|\d{{1,3}})"
_ORDINALS = {
    word: place
    for place, word in enumerate(
        "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth "
        "fifteenth sixteenth seventeenth eighteenth nineteenth twentieth".split(),
        1,
    )
}
_ORDINALS |= {f"twenty{sep}{w}": 20 + _ORDINALS[w] for w in list(_ORDINALS)[:9] for sep in (" ", "-")}
_ORDINALS |= {"thirtieth": 30, "thirty first": 31, "thirty-first": 31}
_ORDINAL = rf"(?:{'|'.join(sorted(_ORDINALS, key=len, reverse=True))}|\d{{1,2}}(?:st|nd|rd|th))"
_YEAR = r"(?:,?\s+(?:of\s+)?((?:19|20)\d{2})\b(?!\s*\d))?"
_LOOKS_BACK = re.compile(
    r"\b(?:last|ago|since|was|were|bought|ordered|received|arrived|got|delivered|came|happened|paid|purchased|did|had)\b",
    re.IGNORECASE,
)
_MONTH_FIRST = frozenset({"US", "PH", "FM", "MH", "PW"})
"""Regions that write the month first."""


class _Calendar:
    """Dates seen from `today`."""

    def __init__(self, today: date, text: str, month_first: bool) -> None:
        self.today = today
        self.month_first = month_first
        self._past = bool(_LOOKS_BACK.search(text))

    def on(self, year: int | None, month: int, day: int) -> date | None:
        """A day of a month; without a year the coming one, or the last one where the text looks back."""
        if year is not None:
            return _real(year, month, day)
        candidates = [d for y in range(-4, 9) if (d := _real(self.today.year + y, month, day))]
        return self._nearest(candidates)

    def day_of_month(self, day: int) -> date | None:
        """The next such day, or the last one where the text looks back."""
        months = [divmod(self.today.year * 12 + self.today.month - 1 + step, 12) for step in range(-3, 4)]
        return self._nearest([d for year, month in months if (d := _real(year, month + 1, day))])

    def weekday(self, day: int, which: str) -> date:
        ahead = (day - self.today.weekday()) % 7
        if which in ("last", "past"):
            return self.today - timedelta(days=(self.today.weekday() - day) % 7 or 7)
        if which == "next":
            return self.today + timedelta(days=7 - self.today.weekday() + day)
        if which == "this":
            return self.today + timedelta(days=ahead)
        if not which and self._past:
            return self.today - timedelta(days=(self.today.weekday() - day) % 7 or 7)
        return self.today + timedelta(days=ahead or 7)

    def shifted(self, count: int, unit: str) -> date | None:
        try:
            if unit.startswith(("day", "week", "fortnight")):
                days = {"d": 1, "w": 7, "f": 14}[unit[0]]
                return self.today + timedelta(days=days * count)
            months = count * (12 if unit.startswith("year") else 1)
            year, month = divmod(self.today.year * 12 + self.today.month - 1 + months, 12)
            return date(year, month + 1, min(self.today.day, calendar.monthrange(year, month + 1)[1]))
        except (ValueError, OverflowError):
            return None

    def _nearest(self, dates: Iterable[date]) -> date | None:
        past = [d for d in dates if d <= self.today]
        coming = [d for d in dates if d >= self.today]
        if self._past:
            return max(past, default=None)
        return min(coming, default=None)


def _real(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _count(words: str) -> int:
    words = re.sub(r"\s+", " ", words.lower())
    return _COUNTS[words] if words in _COUNTS else int(words)


def _ordinal(words: str) -> int:
    words = re.sub(r"\s+", " ", words.lower())
    return _ORDINALS[words] if words in _ORDINALS else int(words[:-2])


def _day_number(words: str) -> int:
    return int(words) if words.isdecimal() else _ordinal(words)


def _month(word: str) -> int:
    return _MONTHS[word.lower().rstrip(".")]


def _year(figures: str | None) -> int | None:
    if not figures:
        return None
    return int(figures) if len(figures) == 4 else 2000 + int(figures)


def _with_slashes(match: re.Match[str], seen: _Calendar) -> date | None:
    first, second, year = int(match[1]), int(match[2]), _year(match[3])
    month, day = (first, second) if seen.month_first else (second, first)
    if (first, second) == (24, 7):
        return None
    if month > 12:
        month, day = day, month
    return seen.on(year, month, day)


_WORDS_FOR_DAYS = {"today": 0, "tonight": 0, "this": 0, "tomorrow": 1, "yesterday": -1}
_Reading = Callable[["re.Match[str]", _Calendar], "date | None"]
_WRITTEN: list[tuple[str, _Reading]] = [
    (r"(?<![\d/-])(\d{4})-(\d{1,2})-(\d{1,2})(?![\d-])", lambda m, c: c.on(int(m[1]), int(m[2]), int(m[3]))),
    (r"(?<![\d/.,$€£-])(\d{1,2})/(\d{1,2})(?:/(\d{4}|\d{2}))?(?![\d/]|\s*(?:of|inch)\b)", _with_slashes),
    (r"(?<![\d/-])(\d{1,2})-(\d{1,2})-(\d{4})(?![\d-])", _with_slashes),
    (
        r"(?<![\d.])(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{4}|\d{2})?(?![\d.])",
        lambda m, c: c.on(_year(m[3]), int(m[2]), int(m[1])),
    ),
]
_SPOKEN: list[tuple[str, _Reading]] = [
    (r"\b(?:the\s+)?day after tomorrow\b", lambda m, c: c.shifted(2, "day")),
    (r"\b(?:the\s+)?day before yesterday\b", lambda m, c: c.shifted(-2, "day")),
    (
        r"\b(today|tonight|tomorrow|yesterday|this (?:morning|afternoon|evening))\b",
        lambda m, c: c.shifted(_WORDS_FOR_DAYS[m[1].split()[0].lower()], "day"),
    ),
    (r"\b(?:tomm?or+ow|tmrw|tmr)\b", lambda m, c: c.shifted(1, "day")),
    (
        rf"\b(?:in|within)\s+({_COUNT})\s+(days?|weeks?|fortnights?|months?|years?)(?:['’]s?)?(?:\s+time)?\b",
        lambda m, c: c.shifted(_count(m[1]), m[2].lower()),
    ),
    (
        rf"\b({_COUNT})\s+(days?|weeks?|fortnights?|months?|years?)\s+ago\b",
        lambda m, c: c.shifted(-_count(m[1]), m[2].lower()),
    ),
    (
        rf"\b({_COUNT})\s+(days?|weeks?|months?)\s+from\s+(?:now|today)\b",
        lambda m, c: c.shifted(_count(m[1]), m[2].lower()),
    ),
    (
        rf"\b(?:a\s+week\s+from\s+)(today|tomorrow|{_DAY})",
        lambda m, c: _week_from(m[1].lower(), c),
    ),
    (
        rf"\b(?:on\s+)?(?:(this|next|last|past|coming|this\s+coming)\s+)?({_DAY})(?:\s+(?:the\s+)?({_ORDINAL})\b)?"
        rf"(?!\s*,?\s+(?:{_MONTH}|the\s+{_ORDINAL}|\d{{1,2}}\s+{_MONTH}))",
        lambda m, c: c.day_of_month(_ordinal(m[3])) if m[3] else c.weekday(_DAYS[m[2].lower()], (m[1] or "").lower()),
    ),
    (
        rf"\b({_MONTH})\s+(?:the\s+)?({_ORDINAL}|\d{{1,2}})\b(?![:/]\d|\s*(?:am|pm)\b){_YEAR}",
        lambda m, c: c.on(_year(m[3]), _month(m[1]), _day_number(m[2])),
    ),
    (
        rf"\b(?:the\s+)?({_ORDINAL}|\d{{1,2}})\s+(?:day\s+)?(?:of\s+)?({_MONTH}){_YEAR}",
        lambda m, c: c.on(_year(m[3]), _month(m[2]), _day_number(m[1])),
    ),
    (
        rf"\b(?:(?:on|by|until|till|before|after|for|from|since)\s+the|the)\s+(\d{{1,2}}(?:st|nd|rd|th)|{_ORDINAL})\b"
        r"(?!\s+(?:one|time|order|item|floor|day|week|option|of\s+(?!this|the\s+month|next)|\w+\s+(?:one|time)))",
        lambda m, c: c.day_of_month(_ordinal(m[1])) if _is_date_like(m) else None,
    ),
    (
        r"\b(?:the\s+)?end\s+of\s+(?:the|this)\s+month\b",
        lambda m, c: c.today.replace(day=calendar.monthrange(c.today.year, c.today.month)[1]),
    ),
]


def _is_date_like(match: re.Match[str]) -> bool:
    """ "the 13th" is a date; "the third" only after "on", "by"..."""
    return match[1][0].isdecimal() or not match[0].lower().startswith("the") or _ordinal(match[1]) > 12


def _week_from(words: str, seen: _Calendar) -> date | None:
    if words in _WORDS_FOR_DAYS:
        return seen.shifted(7 + _WORDS_FOR_DAYS[words], "day")
    return seen.weekday(_DAYS[words], "") + timedelta(days=7)


@lru_cache(maxsize=1)
def _date_rules() -> list[tuple[re.Pattern[str], _Reading]]:
    return [(re.compile(pattern, re.IGNORECASE), reading) for pattern, reading in [*_WRITTEN, *_SPOKEN]]


def _dates(text: str, today: date, region: str, language: str) -> Iterator[EntityFound]:
    seen = _Calendar(today, text, region in _MONTH_FIRST)
    for pattern, reading in _date_rules():
        for match in pattern.finditer(text):
            value = reading(match, seen)
            if value:
                yield _entity("date", value.isoformat(), text, match.start(), match.end())
    if language != "en":
        yield from _dates_by_library(text, today, region, language)


def _dates_by_library(text: str, today: date, region: str, language: str) -> Iterator[EntityFound]:
    """Dates in other languages, by dateparser; bare numbers are none."""
    from datetime import datetime

    from dateparser.search import search_dates

    settings = {
        "RELATIVE_BASE": datetime(today.year, today.month, today.day),
        "PREFER_DATES_FROM": "future",
        "DATE_ORDER": "MDY" if region in _MONTH_FIRST else "DMY",
    }
    at = 0
    for words, moment in search_dates(text, languages=[language], settings=settings) or []:
        start = text.find(words, at)
        if start >= 0 and re.search(r"[^\W\d]{3}", words):
            at = start + len(words)
            yield _entity("date", moment.date().isoformat(), text, start, at)


# --- times, money, numbers -------------------------------------------------------------------------

_HOUR_WORDS = {w: n for w, n in _COUNTS.items() if " " not in w and n <= 12 and w not in ("a", "an")}
_HOUR = rf"(?:{'|'.join(_HOUR_WORDS)}|\d{{1,2}})"
_DAYTIME = r"(?:\s*(?:(a|p)\.?\s?m\b\.?)|\s+in\s+the\s+(morning|afternoon|evening)|\s+at\s+(night))"
_CLOCK = re.compile(rf"(?<![\d:./$€£-])(\d{{1,2}}):(\d{{2}})(?!\d|:\d){_DAYTIME}?", re.IGNORECASE)
_HALF_DAY = re.compile(rf"(?<![\d:.,$€£-])\b({_HOUR})(?:\s+o['’]?\s?clock)?{_DAYTIME}", re.IGNORECASE)
_OCLOCK = re.compile(rf"\b({_HOUR})\s+o['’]?\s?clock\b", re.IGNORECASE)
_AT_HOUR = re.compile(
    rf"\b(?:at|around|by|before|after)\s+({_HOUR})"
    rf"(?=\s*(?:[.!?,;]|$)|\s+(?:on|tomorrow|today|tonight|next|this|please|and|or|if|{_DAY}))",
    re.IGNORECASE,
)
_NAMED = re.compile(r"\b(noon|midday|midnight)\b", re.IGNORECASE)
_PAST = re.compile(rf"\b(half|a?\s?quarter|twenty|ten|five)\s+(past|to|after|before)\s+({_HOUR})\b(?!:)", re.IGNORECASE)
_FIRST_HOUR_OF_DAY = 7
"""A bare hour before this one is taken for the afternoon: nobody is called at four in the morning."""


def _times(text: str) -> Iterator[EntityFound]:
    for match in _CLOCK.finditer(text):
        yield from _time(text, match, int(match[1]), int(match[2]), _half(match, 3))
    for match in _HALF_DAY.finditer(text):
        yield from _time(text, match, _hour(match[1]), 0, _half(match, 2))
    for pattern in (_OCLOCK, _AT_HOUR):
        for match in pattern.finditer(text):
            yield from _time(text, match, _hour(match[1]), 0, "", match.start(1))
    for match in _NAMED.finditer(text):
        yield from _time(text, match, 0 if match[1].lower() == "midnight" else 12, 0, "24")
    for match in _PAST.finditer(text):
        minutes = {"half": 30, "quarter": 15, "twenty": 20, "ten": 10, "five": 5}[match[1].lower().split()[-1][-7:]]
        back = match[2].lower() in ("to", "before")
        yield from _time(text, match, _hour(match[3]) - back, 60 - minutes if back else minutes, "")


def _hour(word: str) -> int:
    return int(word) if word.isdecimal() else _HOUR_WORDS[word.lower()]


def _half(match: re.Match[str], first: int) -> str:
    """`a`, `p` or nothing, from "am", "in the evening", "at night"."""
    letter, part, night = match[first], match[first + 1], match[first + 2]
    if letter:
        return letter.lower()
    if part:
        return "a" if part.lower() == "morning" else "p"
    return "p" if night else ""


def _time(
    text: str, match: re.Match[str], hour: int, minute: int, half: str, start: int | None = None
) -> Iterator[EntityFound]:
    if half in ("a", "p"):
        if not 1 <= hour <= 12:
            return
        hour = hour % 12 + (12 if half == "p" else 0)
    elif half != "24" and 0 < hour < _FIRST_HOUR_OF_DAY and not match[0].startswith("0"):
        hour += 12
    if 0 <= hour < 24 and 0 <= minute < 60:
        begin = match.start() if start is None else start
        yield _entity("time", f"{hour:02}:{minute:02}", text, begin, match.end())


_CURRENCIES = {
    "$": "USD", "dollar": "USD", "dollars": "USD", "bucks": "USD", "usd": "USD", "€": "EUR", "euro": "EUR",
    "euros": "EUR", "eur": "EUR", "£": "GBP", "gbp": "GBP", "quid": "GBP", "pounds sterling": "GBP",
}  # fmt: skip
_AMOUNT = r"(\d{1,3}(?:,\d{3})+(?:\.\d{1,2})?|\d{1,3}(?:\.\d{3})+(?:,\d{1,2})?(?!\d)|\d{1,9}(?:[.,]\d{1,2})?)"
_SIGNED = re.compile(rf"([$€£])\s?{_AMOUNT}(?![\d])")
_UNIT_AFTER = re.compile(
    rf"(?<![\d.,$€£]){_AMOUNT}\s?([$€£](?!\d)|(?:dollars?|bucks|usd|euros?|eur|gbp|quid|pounds sterling)\b)"
    r"(?:\s+(?:and\s+)?(\d{1,2})\s+cents?\b)?",
    re.IGNORECASE,
)


def _money(text: str) -> Iterator[EntityFound]:
    for match in _SIGNED.finditer(text):
        yield _entity("money", f"{_amount(match[2])} {_CURRENCIES[match[1]]}", text, match.start(), match.end())
    for match in _UNIT_AFTER.finditer(text):
        amount = _amount(match[1]) if not match[3] else f"{match[1].replace(',', '')}.{int(match[3]):02}"
        unit = _CURRENCIES[match[2].lower()]
        yield _entity("money", f"{amount} {unit}", text, match.start(), match.end())


def _amount(figures: str) -> str:
    """ "1,299.50" and "1299,50" -> "1299.50"; whole amounts keep no decimals."""
    decimal = re.search(r"[.,](\d{1,2})$", figures)
    whole = re.sub(r"[.,]", "", figures[: decimal.start()] if decimal else figures)
    return f"{int(whole)}.{decimal[1]:0<2}" if decimal else str(int(whole))


_NUMBER = re.compile(
    r"(?<![\w.,:/$€£#@+-])-?\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\w%]|[.,:/-]\d)"
    r"|(?<![\w.,:/$€£#@+-])\d+(?:\.\d+)?(?![\w]|[.,:/-]\d)"
)
_NUMBER_WORD = re.compile(
    r"\b(two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)\b(?!\s+of\b|['’-])"
    r"|\b(?:have|want|need|bought|ordered|got|just|only|about|for|take|add)\s+(one)\b(?!\s+(?:of|more|another)\b|['’-])",
    re.IGNORECASE,
)


def _numbers(text: str) -> Iterator[EntityFound]:
    for match in _NUMBER.finditer(text):
        yield _entity("number", match[0].replace(",", ""), text, match.start(), match.end())
    for match in _NUMBER_WORD.finditer(text):
        group = match.lastindex or 1
        yield _entity("number", str(_COUNTS[match[group].lower()]), text, match.start(group), match.end(group))
