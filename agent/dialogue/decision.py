"""What the policy may look at, and what it may decide."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from agent.business import Business
from agent.conversation import Conversation, Effect, OpenTask
from agent.knowledge.retrieval import Found, NoPassageFound
from agent.tools.registry import Tool
from agent.understanding.understander import Understanding

Action = Literal[
    "forward", "say_again", "hand_off", "offer_human", "call", "confirm", "check", "which", "drop", "ask",
    "repeat", "say", "answer", "clarify", "chat", "end", "unknown",
]  # fmt: skip


@dataclass(frozen=True)
class EarPolicy:
    """How sure the recogniser must be of a spoken turn, 0 to 1."""

    say_again_below: float = 0.4
    check_below: float = 0.5
    """A value heard with less confidence is read back before it is used; others are told in the answer anyway."""


@dataclass(frozen=True)
class Decision:
    """What to do and why. `slots` are the values to keep; `task` is the open task afterwards."""

    action: Action
    reasons: tuple[str, ...]
    task: str | None = None
    finishes: str | None = None
    """The task whose tool is called, so that a correction can come back to it."""
    slots: Mapping[str, str | None] = field(default_factory=dict)
    slot: str | None = None
    value: str | None = None
    tool: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    effect_id: str | None = None
    options: tuple[str, ...] = ()
    topic: str | None = None
    """For `chat`: which phrase; for `hand_off`: the trigger."""
    again: bool = False
    """The question is asked once more after an answer that did not fit."""
    then: Decision | None = None
    """What follows in the same answer: the open question again, or the next task."""
    more: tuple[tuple[str, str], ...] = ()
    """(slot, value) for which the open task is wished for once more."""
    waiting: tuple[OpenTask, ...] = ()
    """What waits beneath the open task afterwards, the next one first."""
    put_off: tuple[OpenTask, ...] = ()
    """Those of `waiting` that this turn asked for: the customer is told that they are not forgotten."""

    def chain(self) -> Iterator[Decision]:
        """This decision and those that follow it in the same answer."""
        yield self
        if self.then is not None:
            yield from self.then.chain()

    @property
    def call_id(self) -> str:
        """Tells the calls of one turn apart: an effect's id, or the tool with its arguments."""
        form = json.dumps(dict(self.arguments), sort_keys=True, default=str)
        return self.effect_id or f"{self.tool}-{zlib.crc32(form.encode()):08x}"

    def details(self) -> dict[str, Any]:
        """What the journal keeps beside the action and its reasons."""
        kept: dict[str, Any] = {"task": self.task}
        for name in ("finishes", "slot", "value", "tool", "effect_id", "topic"):
            if getattr(self, name):
                kept[name] = getattr(self, name)
        if self.arguments:
            kept["arguments"] = dict(self.arguments)
        if self.options:
            kept["options"] = list(self.options)
        if self.waiting:
            kept["waiting"] = [{"task": w.task, "slots": dict(w.slots)} for w in self.waiting]
        return kept


@dataclass(frozen=True)
class Situation:
    """All that a decision may depend on."""

    conversation: Conversation
    business: Business
    tools: Mapping[str, Tool]
    understood: Understanding
    found: Found | NoPassageFound
    spoken: bool = False
    confidence: float = 1.0
    ear: EarPolicy = field(default_factory=EarPolicy)

    @property
    def pending_slot(self) -> str | None:
        pending = self.conversation.pending
        return pending.slot if pending and pending.kind in ("slot", "check", "which") else None

    @property
    def effect_asked(self) -> Effect | None:
        pending = self.conversation.pending
        return self.conversation.effects.get(pending.effect_id) if pending and pending.kind == "confirm" else None

    @property
    def wanted_task(self) -> str | None:
        """The task that this turn asks for, if it asks for one."""
        name = self.understood.intent
        intent = self.business.intents.get(name or "")
        return name if intent and intent.tool else None
