"""The clauses of a turn that may each be a wish: "cancel 10004 | and tell me where 10007 is"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from agent.events import EntityFound

_BETWEEN = re.compile(
    r"\s*[.;!?]+\s+(?:(?:and|also|then|plus|oh)\b,?\s*)*|\s*,?\s+(?:and|plus)\s+(?:(?:also|then|please)\s+)*"
    r"|\s*,\s+(?:(?:also|then)\s+)+",
    re.IGNORECASE,
)
_TELLS = re.compile(
    r"(?:my|the|it|it's|i|i'm|i've|we|we're|they|this|that|that's|he|she|there|you|your)\b"
    r"(?!\s+(?:want|need|would|'d|should like|wish|must know)\b)",
    re.IGNORECASE,
)
"""How a clause begins that tells something, where a wish would ask or command."""
_MOST = 3
_FEWEST_WORDS = 3


@dataclass(frozen=True)
class Clause:
    """A stretch of a turn, with the values in it; their places are counted from its own start."""

    text: str
    entities: tuple[EntityFound, ...]


def clauses(text: str, entities: Sequence[EntityFound]) -> list[Clause]:
    """The whole turn, and then its clauses where it has two or three that may be wishes."""
    whole = Clause(text, tuple(entities))
    spans = _spans(text)
    if not 1 < len(spans) <= _MOST:
        return [whole]
    first, *others = [text[a:b] for a, b in spans]
    short = any(len(other.split()) < _FEWEST_WORDS or _TELLS.match(other) for other in others)
    if short or not first.strip():
        return [whole]
    return [whole, *(Clause(text[a:b], _within(entities, a, b)) for a, b in spans)]


def _spans(text: str) -> list[tuple[int, int]]:
    spans, at = [], 0
    for between in _BETWEEN.finditer(text):
        if between.start() > at and between.end() < len(text):
            spans.append((at, between.start()))
            at = between.end()
    return [*spans, (at, len(text))]


def _within(entities: Sequence[EntityFound], start: int, end: int) -> tuple[EntityFound, ...]:
    return tuple(
        e.model_copy(update={"start": e.start - start, "end": e.end - start})
        for e in entities
        if start <= e.start and e.end <= end
    )
