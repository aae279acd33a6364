"""A value found: what every kind of value gives."""

from __future__ import annotations

from agent.events import EntityFound


def entity(kind: str, value: str, text: str, start: int, end: int, alternative: str | None = None) -> EntityFound:
    """The value that stands at text[start:end]."""
    return EntityFound(type=kind, value=value, text=text[start:end], start=start, end=end, alternative=alternative)
