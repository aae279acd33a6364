"""The business's own numbers: order, account and card numbers, by their patterns."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agent.events import EntityFound
from agent.understanding.values.found import entity

_GLUED = re.compile(r"(?:order|account|card|number|no|nr|num|id|ref|invoice|booking)(?=\d)", re.IGNORECASE)
_PIECE = re.compile(r"[^\W_]+")
_RUN = re.compile(r"\d+|[^\W\d_]+")
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


def find_by_pattern(text: str, name: str, pattern: str) -> Iterator[EntityFound]:
    """Whole values of a pattern, as they stand ("10007", "ord-7") or joined ("1 0 0 0 7", "10-007")."""
    whole = re.compile(pattern)
    for chain in _chains(text):
        at = 0
        while at < len(chain):
            found = _longest(text, chain, at, whole)
            if found:
                last, value = found
                yield entity(name, value, text, chain[at][0], chain[last][1])
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
    """The value in the pattern's own form, as it stands, without separators or with dashes, in either case.

    A dash may also stand where letters meet figures: nobody says it.
    """
    parts = [text[a:b] for a, b in pieces]
    joined = "".join(parts)
    for form in (text[pieces[0][0] : pieces[-1][1]], joined, "-".join(parts), "-".join(_RUN.findall(joined))):
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
