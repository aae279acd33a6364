"""Personal values in texts: the token that stands for each, what a purpose may have of it, where it hides."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

Purpose = Literal["tool", "speech", "text", "desk"]

TOKEN = re.compile(r"\[([A-Z]+)_([0-9]+)\]")
_LOOKS_LIKE_TOKEN = re.compile(r"\[(\s*[^\W\d_]+_\w+\s*)\]")
_MORE_ADDRESS_BEFORE = re.compile(r"[._+-]")
_MORE_ADDRESS_AFTER = re.compile(r"[_+-]|\.\w")

_IN_FULL = frozenset({"EMAIL", "PHONE", "ADDRESS", "STREET", "NAME"})
"""Kinds that speech, text and desk may have in full; tools have every kind in full."""
_LAST_FOUR = {"CARD": "card", "SSN": "Social Security number", "IBAN": "account"}
"""Kinds of which speech, text and desk have the last four characters. Of any other kind they have nothing."""

_IN_NUMBERS = frozenset(" \t\n\u00a0\u2009\u202f-\u2010\u2011\u2013./()")
_IN_WORDS = _IN_NUMBERS | frozenset(",'\u2019")
_MAX_SEPARATORS = 3
"""What may stand between the letters and digits of a value where `hide` finds it, and how much of it."""


def token_of(kind: str, number: int) -> str:
    """The token of the `number`th value of a kind."""
    return f"[{kind}_{number}]"


@dataclass(frozen=True)
class PersonalValue:
    """One value and the token that stands for it."""

    kind: str
    number: int
    value: str
    canonical: str

    @property
    def token(self) -> str:
        """`[KIND_n]`."""
        return token_of(self.kind, self.number)

    def shown(self, purpose: Purpose) -> str:
        """What a purpose may have of it."""
        if purpose == "tool" or self.kind in _IN_FULL:
            return self.value
        return self.last_four() or f"the {_LAST_FOUR.get(self.kind, self.kind.lower())}"

    def last_four(self) -> str | None:
        """`card ending in 1234`; None for kinds and values of which not even that is shown."""
        characters = [ch for ch in self.canonical if ch.isalnum()]
        if self.kind not in _LAST_FOUR or len(characters) < 8:
            return None
        return f"{_LAST_FOUR[self.kind]} ending in {''.join(characters[-4:])}"


@dataclass(frozen=True)
class _Form:
    """One way in which a value may stand in a text."""

    value: PersonalValue
    text: str
    letters: str


class _Hiding:
    """A text in which values are looked for by their letters and digits alone."""

    def __init__(self, text: str) -> None:
        self._text = text
        letters: list[str] = []
        self._at: list[int] = []
        """Where in the text each of the letters stands."""
        for i, ch in enumerate(TOKEN.sub(lambda match: "\0" * len(match[0]), text)):
            if ch.isalnum() or ch == "\0":
                folded = ch.casefold()
                letters.append(folded)
                self._at += [i] * len(folded)
        self._letters = "".join(letters)

    def of(self, forms: Iterable[_Form]) -> str:
        """The text with the values as their tokens; where two overlap, the longer one is hidden."""
        found: list[tuple[int, int, str]] = []
        for form in sorted(forms, key=lambda form: -len(form.letters)):
            for start, end in self._stretches(form):
                if all(end <= other or start >= other_end for other, other_end, _ in found):
                    found.append((start, end, form.value.token))
        text = self._text
        for start, end, token in sorted(found, reverse=True):
            text = text[:start] + token + text[end:]
        return text

    def _stretches(self, form: _Form) -> Iterator[tuple[int, int]]:
        position = self._letters.find(form.letters)
        while position >= 0:
            last = position + len(form.letters) - 1
            start, end = self._at[position], self._at[last] + 1
            if self._is_whole(position, last) and self._is_written_so(start, end, form):
                yield self._with_opening(start, end), end
            position = self._letters.find(form.letters, position + 1)

    def _is_whole(self, position: int, last: int) -> bool:
        """Whether no letter or digit touches the stretch."""
        start, end = self._at[position], self._at[last] + 1
        before, after = self._text[start - 1 : start], self._text[end : end + 1]
        cut = (position > 0 and self._at[position - 1] == start) or self._at[last + 1 : last + 2] == [end - 1]
        return not (before.isalnum() or after.isalnum() or cut)

    def _is_written_so(self, start: int, end: int, form: _Form) -> bool:
        """Whether capitals and what stands in between leave it the same value. A name may also be a word."""
        stretch = self._text[start:end]
        if form.value.kind == "EMAIL":
            same = stretch.casefold() == _trimmed(form.text).casefold()
            return (
                same
                and not _MORE_ADDRESS_BEFORE.search(self._text, max(0, start - 1), start)
                and not (_MORE_ADDRESS_AFTER.match(self._text, end))
            )
        if form.value.kind == "NAME" and stretch.isalnum():
            return stretch == form.value.value or not stretch[0].islower()
        between = _IN_NUMBERS if form.letters.isdigit() else _IN_WORDS
        gaps = re.split(r"[^\W_]+", stretch)
        return all(len(gap) <= _MAX_SEPARATORS and between.issuperset(gap) for gap in gaps)

    def _with_opening(self, start: int, end: int) -> int:
        """The start, with the sign or bracket that opens a telephone number."""
        if self._text[start - 1 : start] == "(" and ")" in self._text[start:end]:
            start -= 1
        return start - 1 if self._text[start - 1 : start] == "+" else start


def hidden(text: str, values: Iterable[PersonalValue]) -> str:
    """A text with the values as their tokens, however spaced, dashed or capitalised."""
    letters = _letters(text)
    forms = [
        _Form(value, form, _letters(form))
        for value in values
        for form in {value.value, value.canonical, value.last_four() or value.value}
    ]
    present = [form for form in forms if form.letters and form.letters in letters]
    return _Hiding(text).of(present) if present else text


def neutralise(text: str) -> str:
    """Text as a user typed it, with what looks like a token, `[EMAIL_1]`, put into round brackets."""
    return _LOOKS_LIKE_TOKEN.sub(r"(\1)", text)


def _letters(text: str) -> str:
    """Letters and digits alone, without regard to capitals."""
    return re.sub(r"[\W_]+", "", text).casefold()


def _trimmed(text: str) -> str:
    """From the first letter or digit to the last."""
    return re.sub(r"^[\W_]+|[\W_]+$", "", text)
