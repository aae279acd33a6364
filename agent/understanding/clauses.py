"""The clauses of a turn that may each be a wish: "cancel 10004 | and tell me where 10007 is"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from agent.events import EntityFound

_BETWEEN = re.compile(
    r"\s?[.;!?]{1,9}\s(?:(?:and|also|then|plus|oh)\b,?\s?){0,3}|\s?,?\s(?:and|plus)\s(?:(?:also|then|please)\s){0,3}"
    r"|\s?,\s(?:(?:also|then)\s){1,3}",
    re.IGNORECASE,
)
_TELLS = re.compile(
    r"(?:my|the|it|it's|i|i'm|i've|we|we're|they|this|that|that's|he|she|there|you|your)\b"
    r"(?!\s+(?:want|need|would|'d|should like|wish|must know)\b)",
    re.IGNORECASE,
)
"""How a clause begins that tells something, where a wish would ask or command."""
_NAMES = re.compile(
    r"(?:order|account|card|number|no|nr|id|ref|reference|invoice|booking|ticket)\b(?:\W+\w+){1,2}\W*", re.IGNORECASE
)
"""A clause that only names a number: "order no. 10025"."""
_MOST = 3
_FEWEST_WORDS = 2


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
    return [whole, *(Clause(text[a:b], _within(entities, a, b)) for a, b in spans)]


def _spans(text: str) -> list[tuple[int, int]]:
    """Where the clauses stand; what is no wish of its own belongs to the clause before it."""
    spans: list[tuple[int, int]] = []
    at = 0
    for start, end in [*((b.start(), b.end()) for b in _BETWEEN.finditer(text)), (len(text), len(text))]:
        clause = text[at:start]
        if spans and (len(clause.split()) < _FEWEST_WORDS or _TELLS.match(clause) or _NAMES.fullmatch(clause)):
            spans[-1] = (spans[-1][0], start)
        elif clause.strip():
            spans.append((at, start))
        at = end
    return spans


def _within(entities: Sequence[EntityFound], start: int, end: int) -> tuple[EntityFound, ...]:
    return tuple(
        e.model_copy(update={"start": e.start - start, "end": e.end - start})
        for e in entities
        if start <= e.start and e.end <= end
    )
