"""The model chain: the first level that gives a useful answer in time speaks; the last one needs no model."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

import structlog

from agent.errors import ProviderError
from agent.llm.prompt import Level, Prompt, TextDelta, ToolCall
from agent.phrases import Phrases

log = structlog.get_logger()


@dataclass(frozen=True)
class ChainPolicy:
    """Deadlines of one level, in seconds."""

    first_useful_secs: float = 2.5
    """To the first token that says something: a role header or white space does not."""
    between_secs: float = 3.0
    """Between two tokens."""


@dataclass(frozen=True)
class Spoken:
    """A piece of an answer and the level that gave it."""

    level: str
    item: TextDelta | ToolCall


class Chain:
    """Levels, best first. The last one must not fail."""

    def __init__(self, levels: Sequence[Level], phrases: Phrases, policy: ChainPolicy | None = None) -> None:
        self._levels = list(levels)
        self._phrases = phrases
        self._policy = policy or ChainPolicy()

    @property
    def has_model(self) -> bool:
        return len(self._levels) > 1

    async def think(self, prompt: Prompt, *, grounded_only: bool = False) -> AsyncGenerator[Spoken, None]:
        """The answer as it comes, from the first level that delivers.

        A level that fails before it said anything useful is passed over unnoticed; one that breaks off
        later is followed by a bridge and the next level's answer.
        """
        levels = self._levels[-1:] if grounded_only else self._levels
        said = broken_off = False
        for level in levels:
            try:
                async for item in self._in_time(level, prompt, last=level is levels[-1]):
                    if broken_off:
                        broken_off = False
                        yield Spoken(level.name, TextDelta(f" … {self._phrases.say('restart')} "))
                    said = True
                    yield Spoken(level.name, item)
                return
            except ProviderError as fault:
                broken_off = said
                log.warning("a model failed", level=level.name, error=str(fault), after_words=said)
        raise AssertionError("the last level of the chain failed")

    async def _in_time(self, level: Level, prompt: Prompt, *, last: bool) -> AsyncGenerator[TextDelta | ToolCall, None]:
        """A level's items under its deadlines; white space before the first useful token is kept with it."""
        held = ""
        useful = False
        async with contextlib.aclosing(level.think(prompt)) as items:
            while True:
                limit = None if last else self._policy.between_secs if useful else self._policy.first_useful_secs
                try:
                    async with asyncio.timeout(limit):
                        item = await anext(items, None)
                except TimeoutError:
                    raise ProviderError(f"no {'further' if useful else 'useful'} token in {limit} s") from None
                if item is None:
                    break
                if isinstance(item, TextDelta) and not useful:
                    held += item.text
                    if not held.strip():
                        continue
                    item = TextDelta(held)
                useful = True
                yield item
        if not useful:
            raise ProviderError("an empty answer")
