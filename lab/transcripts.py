"""A typed text as a recogniser without formatting would have written it down, had it been said."""

from __future__ import annotations

import random
import re

from num2words import num2words

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_MONEY = re.compile(r"\$(\d+)(?:\.(\d\d))?")
_ORDINAL = re.compile(r"\b(\d{1,2})(?:st|nd|rd|th)\b")
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
_GROUPS = re.compile(r"\(?\d{3}\)?[ .-]+(?:\d{3}[ .-]+)?\d{4}\b")
_NUMBER = re.compile(r"\d+")
_SIGNS = {".": "dot", "@": "at", "-": "dash", "_": "underscore", "+": "plus"}
_CLAUSE = re.compile(r"(?:^|(?<=[,;:.!?] ))(?=[A-Za-z])")
_FILLERS = ("um ", "uh ", "", "", "")
_LONGEST_CARDINAL = 3
"""A number of more digits is read digit by digit."""


def as_transcript(text: str, rng: random.Random) -> str:
    """Lower case, no marks, every number and e-mail address in words, and a filler before some clauses.

    >>> as_transcript("It's 10007, mail j.b@example.org", random.Random(1))
    "it's one oh oh oh seven um mail j dot b at example dot org"
    """
    text = _CLAUSE.sub(lambda _: rng.choice(_FILLERS), text)
    text = _EMAIL.sub(lambda m: _address(m[0]), text)
    text = _MONEY.sub(lambda m: _amount(m[1], m[2]), text)
    text = _ORDINAL.sub(lambda m: _spoken(num2words(int(m[1]), to="ordinal")), text)
    text = _YEAR.sub(lambda m: _spoken(num2words(int(m[0]), to="year")), text)
    text = _GROUPS.sub(lambda m: re.sub(r"\D", "", m[0]), text)
    text = _NUMBER.sub(lambda m: f" {_digits(m[0], rng)} ", text)
    return " ".join(re.findall(r"[^\W_]+(?:['’][^\W_]+)*", text.lower()))


def _address(address: str) -> str:
    return "".join(f" {_SIGNS[ch]} " if ch in _SIGNS else ch for ch in address)


def _amount(whole: str, cents: str | None) -> str:
    said = f"{_spoken(num2words(int(whole)))} dollars"
    return f"{said} and {_spoken(num2words(int(cents)))} cents" if cents else said


def _digits(number: str, rng: random.Random) -> str:
    if len(number) <= _LONGEST_CARDINAL and not number.startswith("0"):
        return _spoken(num2words(int(number)))
    zero = rng.choice(("zero", "oh")) if len(number) > 1 else "zero"
    said = [zero if digit == "0" else num2words(int(digit)) for digit in number]
    if rng.random() < 0.5:
        return " ".join(said)
    return re.sub(r"\b(\w+) \1\b", r"double \1", " ".join(said))


def _spoken(number: str) -> str:
    return number.replace("-", " ").replace(",", "")
