"""Keeps a model to its sources: a citation of a page that it was not given is taken out of the stream."""

from __future__ import annotations

import re
from collections.abc import Iterable

_CITATION = re.compile(r"\s*\[Source:\s*([^\]\n]*)\]", re.IGNORECASE)
_MARK = "[source:"
_HELD_CHARS = 200
"""A bracket that does not close within so many characters is no citation."""


class Citations:
    """Pieces of an answer in, the same out as soon as they are known to hold no invented citation."""

    def __init__(self, sources: Iterable[str]) -> None:
        """`sources` are the names of the passages that were given."""
        self._names = {_folded(name): name for name in sources}
        self._held = ""

    def feed(self, text: str) -> str:
        """What may be said now."""
        text = self._held + text
        cut = _certain(text)
        self._held = text[cut:]
        return self._checked(text[:cut])

    def end(self) -> str:
        """The rest, when the answer is complete."""
        held, self._held = self._held, ""
        return self._checked(held)

    def _checked(self, text: str) -> str:
        return _CITATION.sub(self._kept, text)

    def _kept(self, found: re.Match[str]) -> str:
        name = self._names.get(_folded(found.group(1)))
        space = found.group()[: found.group().index("[")]
        return f"{space}[Source: {name}]" if name else ""


def _certain(text: str) -> int:
    """Up to where no citation may still be open; space that may stand before one waits with it."""
    opened = text.rfind("[")
    bracket = text[opened:].lower() if opened >= 0 else ""
    waits = bracket and "]" not in bracket and len(bracket) < _HELD_CHARS
    if waits and (bracket.startswith(_MARK) or _MARK.startswith(bracket)):
        text = text[:opened]
    return len(text.rstrip())


def _folded(name: str) -> str:
    return " ".join(name.casefold().split())
