"""Figures that belong together: decimals, the recogniser's own groups of digits, "5 slash 12"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agent.understanding.spoken.numbers import belong_together
from agent.understanding.spoken.words import MONTHS, NOUGHTS, SCALES, SHORT_MONTHS, SMALL, TENS, digit

_GROUPS = re.compile(
    r"(?<![\w$€£.,:/@-])\d+(?:(?:\s{0,3},\s{0,3}|\s{0,2}-\s{0,2}|\s{1,3}|\.\s?)\d+)+(?![\w%@]|[:/.,-]\d|\s{0,3}(?:am|pm)\b)"
)
_THOUSANDS = re.compile(
    r"(?<![\w$€£.,])\d{1,3}(?:,\d{3})+(?![\d,]|\.\d)(?!\s{0,3}(?:dollars|bucks|euros|pounds|cents)\b)"
)
_DASHED = re.compile(r"(?<=\d)\s{1,3}(?:dash|hyphen)\s{1,3}(?=\d)", re.I)
_SLASHED = re.compile(r"(?<=\d)\s{1,3}(?:forward\s)?slash\s{1,3}(?=\d)", re.I)
_PLUS = re.compile(r"(?:^|(?<=\s))plus\s{1,3}(?=[1-9]\d{0,2}[\d ()-]{6,16}(?!\w))", re.I)
_POINT = re.compile(r"\bpoint((?:[\s-]{1,3}(?:" + "|".join([*SMALL, *NOUGHTS]) + r"|\d{1,4})\b){1,12})", re.I)
_WHOLE_BEFORE = re.compile(r"(?:\d|\b(?:" + "|".join([*SMALL, *NOUGHTS, "hundred", *SCALES]) + r"))\s{1,3}$", re.I)
_PERCENT_AFTER = re.compile(r"^\s{0,3}(?:%|percent|per\s?cent|million|billion)", re.I)
_POINTED = re.compile(r"(?:\b(\d+|oh|o|nought)\s{1,3})?\bpoint(\d{1,12})\b", re.I)


def point_digits(text: str) -> str:
    """ "three point one four" -> "three point14", before the number words around it are read."""

    def figures(match: re.Match[str]) -> str:
        after = text[match.end() : match.end() + 20]
        if not (_WHOLE_BEFORE.search(text[: match.start()][-20:]) or _PERCENT_AFTER.match(after)):
            return match[0]
        words = re.split(r"[\s-]+", match[1].lower().strip(" -"))
        return f"point{_digits_after_point(words)}"

    return _POINT.sub(figures, text)


def _digits_after_point(words: Sequence[str]) -> str:
    out = ""
    for place, word in enumerate(words):
        follows_tens = place > 0 and words[place - 1] in TENS
        if follows_tens and (unit := digit(word)) and unit != "0":
            out = out[:-1] + unit
        else:
            out += digit(word) or (word if word.isdecimal() else str(SMALL[word]))
    return out


def points(text: str) -> str:
    """ "3 point14" -> "3.14", "point5" -> "0.5"."""
    return _POINTED.sub(lambda m: f"{m[1] if m[1] and m[1].isdecimal() else 0}.{m[2]}", text)


def digit_groups(text: str) -> str:
    """The recogniser's own groups of figures that dictate one number: "1-2-3-4-5", "12, 3, 45", "555 123 4567"."""

    def joined(match: re.Match[str]) -> str:
        groups = re.findall(r"\d+", match[0])
        before = match.string[: match.start()][-16:].rstrip(", ").rpartition(" ")[2].lower()
        hyphened = set(re.findall(r"\D", match[0])) == {"-"}
        dotted = "." in match[0]
        if before in MONTHS or before in SHORT_MONTHS:
            return match[0]
        if (hyphened or dotted) and any(len(g) > 1 for g in groups):
            return match[0]
        return "".join(groups) if belong_together(groups) else match[0]

    bare = _THOUSANDS.sub(lambda m: m[0].replace(",", ""), text)
    return _PLUS.sub("+", _SLASHED.sub("/", _DASHED.sub("-", _GROUPS.sub(joined, bare))))
