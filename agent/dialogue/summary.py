"""The running summary of what fell out of the context window, made behind the replies.

    turns   |1 2 3 4 5|                five that no summary holds: 1 and 2 go into one
            |1 2|3 4 5 6 7|            again five: 3 and 4 go into the next, with what 1 and 2 left
                |3 4|5 6 7 ...         the window still shows those that no summary holds

A model writes it where there is one; else, or where that one fails or makes something up, the most telling
of the customer's sentences are kept. Nobody waits for it, and a summary that fails is made anew a turn later.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from agent import events as ev
from agent.conversation import Conversation, Turn
from agent.dialogue.window import Message, cut_middle
from agent.errors import ProviderError
from agent.live import LiveConversation
from agent.llm.prompt import render
from agent.store.vault import ConversationVault

log = structlog.get_logger()

_MADE_OF = re.compile(r"\[[A-Z]+_\d+\]|\d{3,}")
"""Tokens and numbers: a summary may have none that its sources do not have."""
_WORD = re.compile(r"[^\W\d_]{4,}")
_LINE_END = re.compile(r"\n|(?<=[.!?])\s")
_LINE_CHARS = 160


@dataclass(frozen=True)
class SummaryPolicy:
    """When a summary is made, and how long it may be."""

    due_from: int = 5
    """So many turns that no summary holds make one due."""
    kept_out: int = 3
    """The newest turns, which wait for the next one."""
    max_chars: int = 900
    max_words: int = 120
    max_tokens: int = 300
    timeout_secs: float = 20.0
    most_turns: int = 40
    """Of a long conversation without a summary the newest of those that fell out."""

    @classmethod
    def for_window(cls, turns: int) -> SummaryPolicy:
        """A summary in time for a window of so many turns: none leaves it unsummarised."""
        return cls(due_from=max(turns - 1, 2), kept_out=turns // 2)


class SummaryModel(Protocol):
    """A level of the model chain, asked for a whole text."""

    async def complete(self, messages: Sequence[Message], max_tokens: int) -> str:
        """Raises ProviderError."""
        ...


def due(conversation: Conversation, policy: SummaryPolicy) -> list[Turn]:
    """The turns that a new summary takes in; none where it is not due."""
    outside: list[Turn] = []
    for turn in reversed(conversation.turns):
        if turn.turn_id == conversation.summary_up_to or len(outside) >= policy.most_turns + policy.kept_out:
            break
        outside.insert(0, turn)
    return outside[: len(outside) - policy.kept_out] if len(outside) >= policy.due_from else []


def extract(summary: str, turns: Sequence[Turn], max_chars: int) -> str:
    """The most telling lines of a summary so far and of the turns after it, in their order."""
    said: list[tuple[str, str]] = []
    for turn in turns:
        said += [("Customer", turn.user_text)] if turn.user_text else []
        said += [(name or "Colleague", text) for name, text in turn.human_texts]
    new = [f"{who}: {cut_middle(' '.join(text.split()), _LINE_CHARS)}" for who, text in said]
    lines = list(dict.fromkeys(filter(None, [*_LINE_END.split(summary), *new])))
    while len(lines) > 1 and len("\n".join(lines)) > max_chars:
        lines.remove(min(lines, key=_telling))
    return cut_middle("\n".join(lines), max_chars)


class Summariser:
    """Makes summaries in the background; shared by all sessions of a process."""

    def __init__(
        self,
        policy: SummaryPolicy,
        protect: Callable[[str, ConversationVault], str],
        model: SummaryModel | None = None,
    ) -> None:
        self._policy = policy
        self._protect = protect
        self._model = model
        self._running: dict[str, asyncio.Task[None]] = {}

    def start(self, live: LiveConversation) -> None:
        """Begin a summary where one is due and none is being made; returns at once."""
        conversation_id = live.conversation_id
        turns = due(live.state, self._policy)
        if turns and conversation_id not in self._running:
            task = asyncio.create_task(self._make(live, turns, live.state.summary, live.state.summary_up_to))
            self._running[conversation_id] = task
            task.add_done_callback(lambda _: self._running.pop(conversation_id, None))

    async def finish(self, timeout_secs: float) -> None:
        """Wait for what is being made, and leave the rest: whoever has the conversation next makes it anew."""
        running = set(self._running.values())
        if running:
            _, late = await asyncio.wait(running, timeout=timeout_secs)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _make(self, live: LiveConversation, turns: Sequence[Turn], so_far: str, up_to: str) -> None:
        try:
            text = await self._written(so_far, turns, live) or extract(so_far, turns, self._policy.max_chars)
            made = ev.SummaryMade(text=text, up_to_turn_id=turns[-1].turn_id, **live.stamp())
            await live.record_if(lambda state: state.summary_up_to == up_to, made)
        except Exception as fault:
            log.warning("a summary failed", error=type(fault).__name__)

    async def _written(self, so_far: str, turns: Sequence[Turn], live: LiveConversation) -> str:
        """The model's summary, protected; empty where there is no model, or none that can be used."""
        if self._model is None:
            return ""
        data = json.dumps({"notes": so_far, "turns": [_as_told(turn) for turn in turns]}, ensure_ascii=False)
        rules = render("summary.jinja", words=self._policy.max_words, language=live.state.language)
        messages = [{"role": "system", "content": rules}, {"role": "user", "content": f"<data>\n{data}\n</data>"}]
        try:
            async with asyncio.timeout(self._policy.timeout_secs):
                written = await self._model.complete(messages, self._policy.max_tokens)
        except (ProviderError, TimeoutError) as fault:
            log.warning("a model wrote no summary", error=type(fault).__name__)
            return ""
        text = self._protect(live.vault.hide(written.strip()), live.vault)
        if not set(_MADE_OF.findall(text)) <= set(_MADE_OF.findall(data)):
            log.warning("a model's summary has numbers that nobody said")
            return ""
        return cut_middle(text, self._policy.max_chars)


def _as_told(turn: Turn) -> dict[str, str]:
    told = [text for _, text in turn.human_texts] + [turn.known_agent_text]
    both = {"customer": turn.user_text, "agent": "\n".join(filter(None, told))}
    return {who: cut_middle(text, 600) for who, text in both.items() if text}


def _telling(line: str) -> int:
    """How much a line tells: its different long words, and numbers and personal data most."""
    return len(set(_WORD.findall(line.lower()))) + 6 * bool(_MADE_OF.search(line))
