"""Finds what the pages say to a question, or says that they say nothing."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from agent.knowledge.index import EmbeddedIndex, Hit
from agent.knowledge.sentences import is_item, is_step, joined

RELEVANT_FROM = 0.3
"""A passage that is less relevant fits no question, whatever speaks for it."""
ANSWER_WORDS = 60
SPOKEN_SENTENCES = 2
_HEADING_MARGIN = 0.05


@dataclass(frozen=True)
class Passage:
    """A retrieved piece of a page."""

    id: str
    source: str
    path: str
    url: str | None
    text: str
    score: float
    """How surely it answers, about 0 to 1."""
    answer: str
    """The sentences of it that answer this question, in the operator's own words."""
    spoken: str
    """The same, short enough to be said."""


@dataclass(frozen=True)
class Found:
    """Passages that fit, best first; never empty."""

    passages: tuple[Passage, ...]

    @property
    def score(self) -> float:
        return self.passages[0].score


@dataclass(frozen=True)
class NoPassageFound:
    """Nothing on the pages answers; `score` is that of the nearest passage."""

    score: float


class Retrieval:
    """Searches the current version of a business's pages in `pool`, never on the event loop."""

    def __init__(
        self, current: Callable[[], EmbeddedIndex], encode: Callable[[str], np.ndarray], pool: Executor
    ) -> None:
        """`current` gives the version to search: a new one may take its place at any time."""
        self._current = current
        self.encode = encode
        self._pool = pool

    async def search(
        self, query: str, *, vector: np.ndarray | None = None, k: int = 3, language: str | None = None
    ) -> Found | NoPassageFound:
        """The passages for a question, at most `k`. `vector` saves the encoder's pass where it is known."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self.search_now, query, vector, k, language)

    def search_now(
        self, query: str, vector: np.ndarray | None = None, k: int = 3, language: str | None = None
    ) -> Found | NoPassageFound:
        """`search`, in the calling thread."""
        index = self._current()
        vector = self.encode(query) if vector is None else vector
        hits = index.search(query, vector, k, language, encode=self.encode)
        sure = confidence(hits[0], index.threshold) if hits else 0.0
        if sure < 0.5 or hits[0].similarity < RELEVANT_FROM:
            return NoPassageFound(sure)
        return Found(tuple(_passage(h, sure * h.similarity / max(hits[0].similarity, 1e-6)) for h in hits))


def confidence(hit: Hit, threshold: float) -> float:
    """The odds that the best hit answers, as a probability; 0.5 at the threshold."""
    return 1.0 / (1.0 + math.exp(threshold - hit.evidence))


def _passage(hit: Hit, score: float) -> Passage:
    sentences = hit.chunk.sentences
    first, last = _answering(hit)
    answer = joined(sentences[first:last])
    spoken = " ".join(s.lstrip("- ").strip() for s in sentences[first:last][:SPOKEN_SENTENCES])
    return Passage(
        hit.chunk.id, hit.chunk.source, hit.chunk.path, hit.chunk.url or None, hit.chunk.text, score, answer, spoken
    )


def _answering(hit: Hit) -> tuple[int, int]:
    """The stretch of sentences that answers: from the section's start where its heading is the question,
    else from the nearest sentence on; a list stays whole, with its lead-in."""
    sentences = hit.chunk.sentences
    best = int(np.argmax(hit.sentences))
    heading_asks = hit.heading >= float(hit.sentences[best]) - _HEADING_MARGIN
    first = 0 if heading_asks or len(hit.chunk.text.split()) <= ANSWER_WORDS else best
    while first > 0 and (is_item(sentences[first]) or is_step(sentences[first])):
        first -= 1
    last, words = first, 0
    while last < len(sentences):
        words += len(sentences[last].split())
        in_list = is_item(sentences[last]) or is_step(sentences[last])
        if last > first and words > ANSWER_WORDS and not (in_list and words <= 2 * ANSWER_WORDS):
            break
        last += 1
    return first, last
