"""Looks passages up while the customer still speaks, so that the turn seldom waits for them.

interim words   how long     how long does delivery   ... take          turn ends
                |--search--| |------search------|     (same words)      |-> taken, at once
"""

from __future__ import annotations

import asyncio

from agent.knowledge.index import content_stems
from agent.knowledge.retrieval import Found, NoPassageFound, Retrieval

Words = frozenset[str]


class Prefetch:
    """One caller's; at most one search runs, for the newest words."""

    def __init__(self, retrieval: Retrieval) -> None:
        self._retrieval = retrieval
        self._newest = ""
        self._found: tuple[Words, Found | NoPassageFound] | None = None
        self._task: asyncio.Task[None] | None = None

    def hear(self, text: str) -> None:
        """Interim words; each time all of the utterance so far."""
        self._newest = text
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._follow())

    async def take(self, text: str) -> Found | NoPassageFound | None:
        """What was found for these words, waiting for a search that runs; None where other words were heard.

        Near enough are words that differ in grammar alone: one more content word may turn the question.
        """
        wanted = _words(text)
        if self._task is not None and _words(self._newest) == wanted:
            await asyncio.shield(self._task)
        found, self._found, self._newest = self._found, None, ""
        return found[1] if found and found[0] == wanted else None

    async def _follow(self) -> None:
        while (wanted := _words(self._newest)) and (self._found is None or self._found[0] != wanted):
            self._found = (wanted, await self._retrieval.search(self._newest))


def _words(text: str) -> Words:
    return frozenset(content_stems(text))
