"""A conversation as a fold over its journal: history, slots, the open task, the ledger, the hand-off."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from agent import events as ev
from agent.events import Event


@dataclass
class Turn:
    """One exchange: what the customer said and what came back."""

    turn_id: str
    user_text: str = ""
    spoken: bool = False
    channel: str = "text"
    agent_text: str = ""
    heard_text: str | None = None
    """What was heard of `agent_text`; None while nothing was confirmed."""
    sources: list[str] = field(default_factory=list)
    human_texts: list[tuple[str, str]] = field(default_factory=list)
    """(name, text) of each thing a colleague wrote during the turn."""

    @property
    def known_agent_text(self) -> str:
        """The agent's words as the customer knows them: on a call only what was confirmed as played."""
        if self.heard_text is not None:
            return self.heard_text
        return self.agent_text if self.channel == "text" else ""


EffectState = Literal["proposed", "confirmed", "dropped", "started", "done", "failed", "unknown"]


@dataclass
class Effect:
    """A tool call in the ledger."""

    effect_id: str
    tool: str
    arguments: dict[str, Any]
    state: EffectState
    question: str = ""
    result: dict[str, Any] = field(default_factory=dict)
    turn_id: str | None = None
    told: bool = False


PendingKind = Literal["slot", "check", "which", "confirm", "choice", "human"]


@dataclass(frozen=True)
class Pending:
    """What the agent waits for: the answer to its last question."""

    kind: PendingKind
    slot: str = ""
    value: str = ""
    effect_id: str = ""
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class OpenTask:
    """A task that waits beneath the open one, with what is known for it."""

    task: str
    slots: Mapping[str, str]


@dataclass
class HandOffView:
    hand_off_id: str
    state: ev.HandOffState
    reason: str
    brief: str
    at: float

    @property
    def open(self) -> bool:
        """Whether the customer still waits for, or talks with, a human."""
        return self.state not in ("resolved", "declined", "nobody", "back")


_PENDING_KINDS: dict[str, PendingKind] = {
    "ask": "slot",
    "check": "check",
    "which": "which",
    "confirm": "confirm",
    "clarify": "choice",
    "offer_human": "human",
    "unknown": "human",
}
"""Decisions that end in a question, and the kind of answer that each waits for."""

_KEEPS_WAITING = frozenset({"say_again", "repeat", "forward"})
"""Decisions after which the agent still waits for the same answer."""
_UNRESOLVED = frozenset({"clarify", "unknown", "say_again", "tool_failed"})
_ABOUT_CUSTOMER = ("caller's number", "name", "email", "phone")
_CONTACT = frozenset({"name", "email", "phone", "address"})
_PROGRESS = frozenset({"answer", "call", "confirm", "chat"})


@dataclass
class Conversation:
    """The state of one conversation. Change it by `apply` only."""

    conversation_id: str
    version: int = 0
    turns: list[Turn] = field(default_factory=list)
    slots: dict[str, str] = field(default_factory=dict)
    given: dict[str, list[str]] = field(default_factory=dict)
    """Each value that a slot has ever had, the latest last."""
    contact: dict[str, str] = field(default_factory=dict)
    """The customer's latest name, e-mail, phone and address, as tokens."""
    provenance: dict[str, str | None] = field(default_factory=dict)
    """For each slot the turn that gave its value."""
    task: str | None = None
    """The intent whose slots are being filled."""
    last_task: str | None = None
    waiting: tuple[OpenTask, ...] = ()
    """Tasks beneath the open one, the next one first."""
    pending: Pending | None = None
    effects: dict[str, Effect] = field(default_factory=dict)
    hand_off: HandOffView | None = None
    promises: list[str] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    summary: str = ""
    """The running summary of the turns up to `summary_up_to`."""
    summary_up_to: str = ""
    learned: dict[tuple[str, str], ev.FactLearned] = field(default_factory=dict)
    """Every fact by its name and value, with its source."""
    said: set[tuple[str, str]] = field(default_factory=set)
    """(type, value) of everything that the customer named."""
    customer_id: str | None = None
    """Whose conversation it has proved to be."""
    same_as: set[str] = field(default_factory=set)
    known: dict[str, str] = field(default_factory=dict)
    """What is remembered of that customer, by what it is called in a sentence."""
    known_since: str | None = None
    """The turn that proved it; None where the channel did at the start."""
    language: str = "en"
    unserved: int = 0
    """Turns in a row in a language that the business does not serve."""
    frustration: float = 0.0
    frustration_reasons: list[str] = field(default_factory=list)
    unresolved: int = 0
    """Turns in a row without progress."""
    asked: int = 0
    """How often in a row the pending question was asked."""
    channel: ev.Channel = "text"
    sessions: dict[str, ev.Channel] = field(default_factory=dict)
    """Sessions that carry the conversation now."""
    cut_off: bool = False
    """The last session was lost without a goodbye."""
    _put_off: dict[tuple[str, str], str | None] = field(default_factory=dict, repr=False)
    """The turns that named the values of tasks that wait."""

    @property
    def customer_facts(self) -> dict[str, str]:
        """What was learned of the customer, and not of what they want."""
        return {name: self.facts[name] for name in _ABOUT_CUSTOMER if name in self.facts}

    @property
    def waits_for_human(self) -> bool:
        return self.hand_off is not None and self.hand_off.open

    @property
    def with_human(self) -> bool:
        return self.hand_off is not None and self.hand_off.state in ("accepted", "with_human")

    def apply(self, event: Event) -> None:
        """Take one event, in order."""
        self.version += 1
        match event:
            case ev.SessionJoined():
                self.channel = event.channel
                self.cut_off = self.cut_off or any(channel != "text" for channel in self.sessions.values())
                if event.session_id:
                    self.sessions[event.session_id] = event.channel
            case ev.SessionLeft():
                self.sessions.pop(event.session_id or "", None)
                self.cut_off = event.reason == "lost"
            case ev.UserSaid():
                turn = self._turn(event.turn_id)
                turn.user_text, turn.spoken = event.text, event.spoken
            case ev.Understood():
                self.language, self.frustration = event.language, event.frustration
                self.unserved = self.unserved + 1 if event.unserved else 0
                self.frustration_reasons = event.frustration_reasons
                self.contact |= {e.type: e.value for e in event.entities if e.type in _CONTACT and e.value[:1] == "["}
                self.said.update((entity.type, entity.value) for entity in event.entities)
            case ev.SlotSet():
                self._set_slot(event)
            case ev.Decided():
                self._decided(event)
            case ev.AgentSaid():
                turn = self._turn(event.turn_id)
                turn.agent_text = f"{turn.agent_text}\n\n{event.text}" if turn.agent_text else event.text
                turn.sources = [*turn.sources, *event.sources]
                self.cut_off = False
            case ev.Heard():
                self._turn(event.turn_id).heard_text = event.text
            case ev.HumanSaid():
                self._turn(event.turn_id).human_texts.append((event.name, event.text))
            case ev.HandOffMoved():
                self._hand_off_moved(event)
            case ev.FactLearned():
                self.facts[event.name] = event.value
                self.learned[event.name, event.value] = event
            case ev.CustomerKnown():
                self._customer_known(event)
            case ev.Promised():
                self.promises.append(event.text)
            case ev.SummaryMade():
                self.summary, self.summary_up_to = event.text, event.up_to_turn_id
            case _:
                self._effect(event)

    def _customer_known(self, event: ev.CustomerKnown) -> None:
        if self.customer_id is None:
            self.known_since = event.turn_id
            if not self.turns:
                self.language = event.facts.get("language", self.language)
        self.customer_id = event.customer_id
        self.same_as.update(event.same_as)
        self.known = event.facts

    def _turn(self, turn_id: str | None) -> Turn:
        for turn in reversed(self.turns):
            if turn.turn_id == turn_id:
                return turn
        self.turns.append(Turn(turn_id or "", channel=self.channel))
        return self.turns[-1]

    def _set_slot(self, event: ev.SlotSet) -> None:
        if event.value is None:
            self.slots.pop(event.name, None)
            self.provenance.pop(event.name, None)
        else:
            self.slots[event.name] = event.value
            self.provenance[event.name] = self._put_off.pop((event.name, event.value), event.turn_id)
            earlier = [value for value in self.given.get(event.name, ()) if value != event.value]
            self.given[event.name] = [*earlier, event.value]

    def _decided(self, event: ev.Decided) -> None:
        details = event.details
        if event.action in _UNRESOLVED:
            self.unresolved += 1
        elif event.action in _PROGRESS:
            self.unresolved = 0
        if event.action in _KEEPS_WAITING:
            return
        kind = _PENDING_KINDS.get(event.action)
        pending = kind and Pending(
            kind,
            slot=details.get("slot") or "",
            value=details.get("value") or "",
            effect_id=details.get("effect_id") or "",
            options=tuple(details.get("options") or ()),
        )
        self.asked = self.asked + 1 if pending and pending == self.pending else int(bool(pending))
        self.pending = pending or None
        self.task = details.get("task")
        self.waiting = tuple(OpenTask(w["task"], w.get("slots") or {}) for w in details.get("waiting") or ())
        for slot, value in ((n, v) for w in self.waiting for n, v in w.slots.items()):
            said_in = self.provenance.get(slot) if self.slots.get(slot) == value else event.turn_id
            self._put_off.setdefault((slot, value), said_in)
        self.last_task = details.get("finishes") or self.last_task

    def _hand_off_moved(self, event: ev.HandOffMoved) -> None:
        brief = event.brief or (self.hand_off.brief if self.hand_off else "")
        reason = event.reason or (self.hand_off.reason if self.hand_off else "")
        self.hand_off = HandOffView(event.hand_off_id, event.state, reason, brief, event.at)
        self.unresolved = 0

    def _effect(self, event: Event) -> None:
        match event:
            case ev.EffectProposed():
                self.effects[event.effect_id] = Effect(
                    event.effect_id, event.tool, event.arguments, "proposed", event.question, turn_id=event.turn_id
                )
            case ev.EffectStarted():
                effect = self.effects.setdefault(
                    event.effect_id,
                    Effect(event.effect_id, event.tool, event.arguments, "started", turn_id=event.turn_id),
                )
                effect.state, effect.turn_id = "started", event.turn_id
            case ev.EffectConfirmed() if event.effect_id in self.effects:
                self.effects[event.effect_id].state = "confirmed"
            case ev.EffectDropped() if event.effect_id in self.effects:
                self.effects[event.effect_id].state = "dropped"
            case ev.EffectEnded() if event.effect_id in self.effects:
                effect = self.effects[event.effect_id]
                effect.state, effect.result = event.status, event.result
            case ev.EffectTold() if event.effect_id in self.effects:
                self.effects[event.effect_id].told = True


def fold(conversation_id: str, events: Iterable[Event]) -> Conversation:
    """The conversation that these events, in order, make."""
    conversation = Conversation(conversation_id)
    for event in events:
        conversation.apply(event)
    return conversation
