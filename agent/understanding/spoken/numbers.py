"""Number words to figures, and figures that dictate one number to that number.

A run is a stretch of number words and figures with nothing but space, commas, hyphens or "hundred and"
between them. It is parsed into numbers ("twenty three forty five" -> 23, 45), which are joined where
together they spell one out (2345). A lone small word stays a word: "two kettles", "no one".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from agent.understanding.spoken.cardinals import cardinal
from agent.understanding.spoken.words import (
    CAPITAL,
    MONTH,
    NOUGHTS,
    SCALES,
    SMALL,
    SPELLED,
    TIMES,
    TOKEN,
    digit,
    is_digit_word,
)

_A_HUNDRED = re.compile(
    r"\b(?<!half )(?:a|one)\s{1,3}(hundred|thousand|million)\b(?=\s{1,3}(?:and\s{1,3}(?:a\s)?(?:"
    + "|".join(SMALL)
    + r")|"
    + "|".join(SMALL)
    + r"|hundred|thousand|dollars?|bucks|euros?|pounds|percent|per\s?cent)\b)",
    re.I,
)
_COUNTED = re.compile(
    rf"\b(?:number|option|extension|ext|line|room|apartment|apt|unit|suite|chapter|step|platform|terminal|gate|"
    rf"{MONTH})\s+$",
    re.I,
)
_UNITS = frozenset("dollar dollars bucks cents cent pence euro euros percent pm am p.m. o'clock o’clock".split())
_SIZES = frozenset("pack packs inch inches year foot volt watt ounce piece person seater litre liter gallon".split())
"""Two numbers before one of these are a count and a size: "two twelve packs"."""
_PRICED = re.compile(
    r"\b(?:costs?|paid|paying|pay|charged|charges?|price(?:\s+is|\s+was|\s+of)?|priced\s+at)(?:\s+(?:me|us|you|only))?\s+$",
    re.I,
)
_INDEFINITE = re.compile(r"\b(?:a|several|few|couple|couple\s+of|many|some|half\s+a)\s*$", re.I)
_LETTERS_BEFORE = re.compile(
    rf"[{SPELLED}{CAPITAL}][A-Za-z]\s+$|(?:^|(?<=\s))[B-HJ-Zb-hj-z](?:[\s,]{{1,2}}[A-Za-z]){{1,12}}[\s,]{{1,2}}$"
)
"""Spelled letters, which make one code with the digits that follow."""
_CODED = re.compile(r"\d\s+(?:forward\s+)?(?:slash|dash|hyphen)\s+$", re.I)
_CODE_GOES_ON = re.compile(
    rf"\s{{1,3}}(?:forward\s)?(?:slash|dash|hyphen)\s{{1,3}}(?:\d|(?:{'|'.join([*SMALL, *NOUGHTS])})\b)", re.I
)
_HUNDREDTH = re.compile(r"\b([1-9]00) (?:and )?(\d{1,2})(st|nd|rd|th)\b")
_SPELLED_FIGURES = re.compile(r"(?<![\w$€£.,:/@-])\d(?:\s{1,3}\d){3,}(?![\w%@]|[:/.,-]\d)")
_WRITTEN_OUT = 4
"""From so many digits on a number that is typed in words is one to be written in figures."""


@dataclass(frozen=True)
class _Number:
    """One number within a run, in figures; `word` says that it was a lone small word."""

    figures: str
    word: bool = False


def numbers(text: str) -> str:
    """Number words to figures; neighbours that dictate one number are joined."""
    return _HUNDREDTH.sub(_hundredth, _each_run(_A_HUNDRED.sub(r"one \1", text), 1))


def _hundredth(match: re.Match[str]) -> str:
    """ "100 25th" -> "125th"."""
    return f"{int(match[1]) + int(match[2])}{match[3]}"


def spelled_out_numbers(text: str) -> str:
    """Only what is long enough to be an order or phone number: "one two three four five", "1 2 3 4 5"."""
    text = _each_run(text, _WRITTEN_OUT)
    return _SPELLED_FIGURES.sub(lambda m: re.sub(r"\s", "", m[0]), text)


def _each_run(text: str, least_digits: int) -> str:
    tokens = TOKEN.findall(text)
    out: list[str] = []
    at = 0
    while at < len(tokens):
        end, spoken = _run_end(tokens, at)
        if spoken:
            said = "".join(tokens[at:end])
            form = _run(tokens[at:end], "".join(out[-8:])[-60:], tokens[end : end + 4])
            out.append(form if least_digits == 1 or re.search(rf"\d{{{least_digits}}}", form) else said)
        else:
            end = max(end, at + 1)
            out.extend(tokens[at:end])
        at = end
    return "".join(out)


def _is_number_word(token: str) -> bool:
    word = token.lower()
    return word in SMALL or word in SCALES or word in TIMES or word in NOUGHTS or word == "hundred"


def _run_end(tokens: Sequence[str], at: int) -> tuple[int, bool]:
    """Where a run of number words and figures that begins at `at` ends, and whether it is a spoken number."""
    end, place, words = at, at, 0
    while place < len(tokens):
        token = tokens[place]
        if _is_number_word(token):
            words += 1
        elif not (token.isdecimal() or _bridge(tokens, place, end > at)):
            break
        place += 1
        if _is_number_word(token) or token.isdecimal():
            end = place
    return end, words > 0 and not _no_number(tokens[at:end])


def _no_number(run: Sequence[str]) -> bool:
    """ "oh", "double", "thousand" by themselves: an exclamation, or a word that only goes with numbers."""
    words = [t.lower() for t in run if t.strip(" ,.-\t\n")]
    if all(w in NOUGHTS or w in TIMES or w in SCALES or w == "hundred" for w in words):
        return not (len(words) >= 2 and words[0] in TIMES and words[1] in NOUGHTS)
    return False


def _bridge(tokens: Sequence[str], place: int, inside: bool) -> bool:
    """Whether a token between two numbers does not end the run: space, comma, hyphen, "and" after hundred."""
    token = tokens[place].lower()
    if not inside:
        return False
    if token.isspace() or token in (",", "-", "–"):
        return True
    if token == "and":
        before = [t.lower() for t in tokens[max(0, place - 4) : place] if not t.isspace()]
        after = [t.lower() for t in tokens[place + 1 : place + 3] if not t.isspace()]
        return bool(before and after and before[-1] in ("hundred", *SCALES) and after[0] in SMALL)
    return False


def _run(run: Sequence[str], before: str, after: Sequence[str]) -> str:
    """One run as it is written; `before` and `after` are its surroundings."""
    words = [t.lower() for t in run if t.strip(" \t\n,-–") and t.lower() != "and"]
    lead = ""
    coded = bool(_CODED.search(before) or (after and _CODE_GOES_ON.match("".join(after))))
    if words[0] in NOUGHTS and not coded and not _dictated_nought(run, words):
        skipped = next(i for i, t in enumerate(run[1:], 1) if _is_number_word(t) or t.isdecimal())
        lead, run, words = "".join(run[:skipped]), run[skipped:], words[1:]
    if words[0] in SCALES or words[0] == "hundred":
        if _INDEFINITE.search(before):
            return lead + "".join(run)
        words = ["one", *words]
    parsed = _parse(words)
    if parsed is None:
        return lead + "".join(run)
    if coded and all(len(n.figures) <= 4 for n in parsed):
        return lead + "".join(n.figures for n in parsed)
    if len(parsed) == 1 and parsed[0].word:
        return lead + (parsed[0].figures if _counts(before, after) else "".join(run))
    return lead + _written_run(parsed, "".join(run), before, after)


def _dictated_nought(run: Sequence[str], words: Sequence[str]) -> bool:
    """Whether "oh" before numbers is a zero ("oh one two"), not an exclamation ("oh one hundred people")."""
    paused = "," in "".join(run[:2])
    digits = len(words) >= 3 and all(is_digit_word(w) or w in TIMES for w in words[1:3])
    return not paused and (digits or len(words) >= 5)


def _counts(before: str, after: Sequence[str]) -> bool:
    """Whether a lone small number word is to be a figure: before a unit, or after "number", a month, "room"."""
    following = next((t.lower() for t in after if not t.isspace()), "")
    return following in _UNITS or following[:-1].startswith("point") or bool(_COUNTED.search(before))


def _written_run(parsed: Sequence[_Number], said: str, before: str, after: Sequence[str]) -> str:
    """A run in figures: as one number where it was dictated, else number by number."""
    figures = [n.figures for n in parsed]
    if re.search(rf"\b{MONTH}\s+$", before, re.I):
        return _after_month(figures)
    if len(figures) == 2 and len(figures[1]) == 2 and len(figures[0]) <= 3 and _PRICED.search(before):
        return ".".join(figures)
    following = next((t.lower() for t in after if not t.isspace() and t != "-"), "")
    if len(figures) == 2 and parsed[0].word and not parsed[1].word and following in _SIZES:
        return f"{said[: re.match(r'[A-Za-z]+', said).end()]} {figures[1]}"  # type: ignore[union-attr]  # a word
    if belong_together(figures) or _LETTERS_BEFORE.search(before):
        return "".join(figures)
    if len(parsed) > 1 and all(n.word for n in parsed):
        return said
    return (", " if "," in said else " ").join(figures)


def _after_month(figures: Sequence[str]) -> str:
    """A day, a year, or a day and a year: "3 20 26" -> "3 2026", "19 90" -> "1990"."""
    year = "".join(figures[1:])
    if len(year) == 4:
        return f"{figures[0]} {year}"
    return "".join(figures) if figures[0] in ("19", "20") and len(year) == 2 else " ".join(figures)


def belong_together(figures: Sequence[str]) -> bool:
    """Whether groups of figures dictate one number, rather than being several numbers."""
    if len(figures) == 1:
        return True
    if sum(len(f) >= 3 and f.endswith("00") and f.strip("0") != "" for f in figures) > 1:
        return False
    if any(len(f) >= 5 for f in figures) or sum(len(f) == 4 for f in figures) > 1:
        return sum(len(f) == 4 for f in figures) == len(figures) and len(figures) >= 3
    return sum(map(len, figures)) >= 3


def _parse(words: Sequence[str]) -> list[_Number] | None:
    """The numbers of a run, greedily; None where it is not well formed."""
    parsed: list[_Number] = []
    at = 0
    while at < len(words):
        word = words[at]
        if word in TIMES:
            figure = digit(words[at + 1]) if at + 1 < len(words) else None
            if figure is None:
                return None
            parsed.append(_Number(figure * TIMES[word]))
            at += 2
        elif word.isdecimal() and not (words[at + 1 : at + 2] and words[at + 1] in ("hundred", *SCALES)):
            parsed.append(_Number(word))
            at += 1
        elif word in NOUGHTS:
            parsed.append(_Number("0"))
            at += 1
        else:
            value, used = cardinal(words[at:])
            if not used:
                return None
            parsed.append(_Number(str(value), word=used == 1 and value < 10))
            at += used
    return parsed
