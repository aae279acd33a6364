"""Passages are looked up on interim words and taken only for the same words."""

from __future__ import annotations

import asyncio

import numpy as np

from agent.knowledge.prefetch import Prefetch
from agent.knowledge.retrieval import NoPassageFound, Retrieval


class Searching(Retrieval):
    """Notes what is searched; each search waits until it is let go."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.go = asyncio.Event()

    async def search(
        self, query: str, *, vector: np.ndarray | None = None, k: int = 3, language: str | None = None
    ) -> NoPassageFound:
        self.asked.append(query)
        await self.go.wait()
        return NoPassageFound(len(self.asked) / 10)


async def test_the_final_words_take_what_the_interim_ones_found() -> None:
    searching = Searching()
    searching.go.set()
    prefetch = Prefetch(searching)
    prefetch.hear("do you deliver on sunday")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert await prefetch.take("Do you deliver on Sundays, please?") == NoPassageFound(0.1)
    assert searching.asked == ["do you deliver on sunday"]


async def test_one_more_content_word_is_another_question() -> None:
    searching = Searching()
    searching.go.set()
    prefetch = Prefetch(searching)
    prefetch.hear("do you deliver")
    await asyncio.sleep(0)
    assert await prefetch.take("do you deliver to Mexico") is None


async def test_a_burst_of_interim_words_makes_one_search_at_a_time_and_the_newest_wins() -> None:
    searching = Searching()
    prefetch = Prefetch(searching)
    for words in ("parking", "parking boston", "parking boston store"):
        prefetch.hear(words)
        await asyncio.sleep(0)
    taking = asyncio.create_task(prefetch.take("parking at the boston store"))
    await asyncio.sleep(0)
    searching.go.set()
    assert await taking == NoPassageFound(0.2)
    assert searching.asked == ["parking", "parking boston store"]


async def test_what_was_taken_is_not_given_to_the_next_turn() -> None:
    searching = Searching()
    searching.go.set()
    prefetch = Prefetch(searching)
    prefetch.hear("parking")
    await prefetch.take("parking")
    assert await prefetch.take("parking") is None
