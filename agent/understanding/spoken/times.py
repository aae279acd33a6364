"""Times of day and dates: "half past four" -> "4:30", "the thirteenth of may" -> "the 13th of May"."""

from __future__ import annotations

import re

from agent.understanding.spoken.words import DIGITS, MONTH, MONTHS, ORDINALS, SMALL, TEENS, TENS, suffix

_S = r"\s{1,3}"
_HOURS = {word: value for word, value in {**DIGITS, **TEENS}.items() if value >= 1}
_NAMED_HOUR = rf"(?:{'|'.join(w for w, v in _HOURS.items() if v <= 12)}|1[0-2]|[1-9])"
_HOUR = rf"(?:{'|'.join(_HOURS)}|1\d|[1-9])"
_FIFTHS = {"five": 5, "ten": 10, "quarter": 15, "a quarter": 15, "twenty": 20, "twenty five": 25, "twenty-five": 25}
_ONE_TO_NINE = "|".join(list(DIGITS)[1:])
_MINUTE = (
    rf"(?:(?:oh|o|zero)[ -](?:{_ONE_TO_NINE})|{'|'.join(TEENS)}|"
    rf"(?:twenty|thirty|forty|fifty)(?:[ -](?:{_ONE_TO_NINE}))?)"
)
_PAST = re.compile(
    rf"\b(half|{'|'.join(reversed(_FIFTHS))}|5|10|20|25)(?:{_S}minutes)?{_S}(past|after){_S}({_NAMED_HOUR})\b(?!:)",
    re.I,
)
_QUARTER_TO = re.compile(
    rf"\b((?:a{_S})?quarter){_S}(?:to|till?|of|before){_S}({_NAMED_HOUR})\b(?!:)(?!{_S}(?:of|people|items)\b)", re.I
)
_MINUTES_TO = re.compile(
    r"(?:(?<=\bat\s)|(?<=\bby\s)|(?<=\baround\s)|(?<=\babout\s)|(?<=\buntil\s))"
    rf"({'|'.join(reversed(_FIFTHS))})(?:{_S}minutes)?{_S}(?:to|till?){_S}({_NAMED_HOUR})\b",
    re.I,
)
_MINUTES_TO_HALF = re.compile(
    rf"\b({'|'.join(reversed(_FIFTHS))})(?:{_S}minutes)?{_S}(?:to|till?){_S}({_NAMED_HOUR})(?={_S}(?:[ap]\.?\s?m|in{_S}the{_S}(?:morning|afternoon|evening)|at{_S}night)\b)"
    rf"|\b(five|ten|twenty){_S}minutes{_S}to{_S}({_NAMED_HOUR})\b",
    re.I,
)
_HALF_HOUR = re.compile(
    rf"\b(at|by|around|about|before|after|until|till){_S}half{_S}({_NAMED_HOUR})\b(?=\s*(?:[.,!?]|$|tomorrow|today|on\b))",
    re.I,
)
_COUNTED = (
    "hundred|thousand|million|dollars?|bucks|percent|per|people|items|days|weeks|months|years|hours|minutes|euros|"
    "pounds|cents|point|of|or|pieces|units|zero|oh|double|triple"
)
_AT_TIME = re.compile(
    rf"\b(at|by|around|about|before|after|until|till|from|to|say|between|(?<=:\d\d\s)and){_S}({_HOUR})[ -]({_MINUTE})\b"
    rf"(?![ -]?(?:{_COUNTED}|{_ONE_TO_NINE}|{'|'.join(TENS)}|{'|'.join(TEENS)})\b)",
    re.I,
)
_TIME_HALF = re.compile(rf"\b({_HOUR})(?:[ -]({_MINUTE})|:(\d\d))?\s{{0,3}}\b(a|p)(?:\.\s?m\b\.?|\s?m\b)(?=\W|$)", re.I)
_FIGURES_HALF = re.compile(r"\b(\d{1,2}:\d\d)\s{1,3}(a|p)(?:\.\s?m\b\.?|\s?m\b)(?=\W|$)", re.I)
_OCLOCK = re.compile(rf"\b({_HOUR}){_S}o[’' ]?\s?clock\b", re.I)
_AT_HOUR = re.compile(
    rf"\bat{_S}({'|'.join(w for w, v in _HOURS.items() if v <= 12)})\b"
    rf"(?=\s*(?:[.,!?]|$)|{_S}(?:in{_S}the|tomorrow|today|tonight|sharp|on{_S}\w+day|this)\b)",
    re.I,
)
_ORDINAL_WORDS = re.compile(rf"\b(?:({'|'.join(TENS)})[ -])?({'|'.join(ORDINALS)})\b", re.I)
_BEFORE_DAY = re.compile(
    rf"(?:\b{MONTH}(?:{_S}the)?|\b(?:on|by|until|till|before|since|after|from){_S}the|\d\s?(?:st|nd|rd|th),?)\s*$", re.I
)
_AFTER_DAY = re.compile(rf"^{_S}(?:of{_S})?{MONTH}\b", re.I)
_DAY_ENDS = re.compile(
    rf"^\s*(?:[.,!?]|$)|^{_S}(?:please|instead|at|in{_S}the{_S}(?:morning|afternoon|evening)|thanks|if)\b", re.I
)
_STREET = re.compile(rf"^{_S}(?:street|avenue|ave|road|floor|st)\b", re.I)
_COUNTED_PART = re.compile(r"\b(?:an?|one|every|each)\s*$", re.I)
_DAY_WORD = rf"(?:(?:twenty|thirty)[ -](?:{_ONE_TO_NINE})|{'|'.join({**DIGITS, **TEENS, 'twenty': 20, 'thirty': 30})})"
_MONTH_DAY = re.compile(
    rf"\b({MONTH}){_S}({_DAY_WORD})\b(?![ -](?:hundred|thousand|{_ONE_TO_NINE}|o|oh|{'|'.join(ORDINALS)})\b)",
    re.I,
)
_DAY_MONTH = re.compile(rf"\b({_DAY_WORD}){_S}(?:of{_S})?({MONTH})\b", re.I)


def times(text: str) -> str:
    """ "half past four" -> "4:30", "at four thirty" -> "at 4:30", "three p m" -> "3 pm", "at nine" -> "at 9"."""

    def past(match: re.Match[str]) -> str:
        name = match[1].lower()
        minutes = 30 if name == "half" else int(name) if name.isdecimal() else _FIFTHS[name]
        return f"{_hour(match[3])}:{minutes:02}"

    text = _PAST.sub(past, text)
    text = _QUARTER_TO.sub(_to, _MINUTES_TO_HALF.sub(_to, text))
    text = _MINUTES_TO.sub(_to, text)
    text = _HALF_HOUR.sub(lambda m: f"{m[1]} {_hour(m[2])}:30", text)
    text = _FIGURES_HALF.sub(lambda m: f"{m[1]} {m[2].lower()}m", _TIME_HALF.sub(_with_half, text))
    text = _AT_TIME.sub(_at, _AT_TIME.sub(_at, text))
    text = _AT_HOUR.sub(lambda m: f"{m[0].rpartition(m[1])[0]}{_hour(m[1])}", text)
    return _OCLOCK.sub(lambda m: f"{_hour(m[1])} o'clock", text)


def _to(match: re.Match[str]) -> str:
    name, hour = (group for group in match.groups() if group)
    minutes = _FIFTHS[re.sub(r"\s+", " ", name.lower())]
    return f"{(_hour(hour) - 2) % 12 + 1}:{60 - minutes}"


def _with_half(match: re.Match[str]) -> str:
    if _hour(match[1]) > 12:
        return match[0]
    minutes = f":{match[3]}" if match[3] else f":{_minutes(match[2]):02}" if match[2] else ""
    return f"{_hour(match[1])}{minutes} {match[4].lower()}m"


def _at(match: re.Match[str]) -> str:
    return f"{match[1]} {_hour(match[2])}:{_minutes(match[3]):02}"


def _hour(word: str) -> int:
    return int(word) if word.isdecimal() else _HOURS[word.lower()]


def _minutes(words: str) -> int:
    value = 0
    for word in re.split(r"[ -]", words.lower()):
        value += 0 if word in ("oh", "o") else SMALL[word]
    return value


def dates(text: str) -> str:
    """ "may thirteenth" -> "May 13th", "the first of april" -> "the 1st of April", "march three" -> "March 3".

    "the second one", "one second", "a third of it" and "may I" stay.
    """
    text = _MONTH_DAY.sub(lambda m: f"{m[1].capitalize()} {_minutes(m[2])}", text)
    text = _DAY_MONTH.sub(_day_month, text)
    text = _ORDINAL_WORDS.sub(_ordinal, text)
    text = re.sub(rf"\b({MONTH})(?=\s{{1,3}}(?:the\s{{1,3}})?\d)", lambda m: m[1].capitalize(), text, flags=re.I)
    return re.sub(
        rf"(\d(?:st|nd|rd|th)?\s{{1,3}}(?:of\s{{1,3}})?)({MONTH})\b",
        lambda m: m[1] + m[2].capitalize(),
        text,
        flags=re.I,
    )


def _day_month(match: re.Match[str]) -> str:
    """ "twenty five december" -> "25 December"; "one may ask" is no date."""
    value = _minutes(match[1])
    if not 1 <= value <= 31 or (value < 10 and match[2].lower() in ("may", "march")):
        return match[0]
    return f"{value}{match[0][len(match[1]) : -len(match[2])]}{match[2].capitalize()}"


def _ordinal(match: re.Match[str]) -> str:
    tens, unit = (match[1] or "").lower(), ORDINALS[match[2].lower()]
    if tens and unit >= 10:
        return match[0]
    value = (TENS[tens] if tens else 0) + unit
    before, after = match.string[: match.start()][-30:], match.string[match.end() :][:30]
    dated = _AFTER_DAY.match(after) or (_BEFORE_DAY.search(before) and _DAY_ENDS.match(after))
    month_before = before.split()[-1:] and before.split()[-1].lower().strip(",.") in MONTHS
    if not (dated or month_before or _STREET.match(after)) and (value < 4 or _COUNTED_PART.search(before)):
        return match[0]
    return f"{value}{suffix(value)}"
