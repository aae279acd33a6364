"""The journal's events: what happened in a conversation, small, typed, append-only.

Everything else (history, slots, ledger, hand-off state, turn log) is a fold over these. A reader
keeps and passes over kinds that it does not know, so that old and new workers share one journal.

Text in an event is always protected: personal data stands as a vault token such as ``[EMAIL_1]``.
"""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

EffectStatus = Literal["done", "failed", "unknown"]
Channel = Literal["text", "phone", "browser", "room", "local"]
Stage = Literal[
    "endpointing",
    "stt",
    "understanding",
    "retrieval",
    "model_first_token",
    "first_sentence",
    "tts_first_audio",
    "transport",
    "playout",
]


class _Event(BaseModel):
    """What every event carries. `at` is seconds since the epoch, given by the caller."""

    model_config = ConfigDict(frozen=True, extra="allow")

    v: int = 1
    at: float
    turn_id: str | None = None
    session_id: str | None = None


class SessionJoined(_Event):
    """A connection began to carry the conversation."""

    kind: Literal["session_joined"] = "session_joined"
    channel: Channel


class SessionLeft(_Event):
    """A connection ended: `closed` by the customer, `ended` by the agent, `lost`, `drained`."""

    kind: Literal["session_left"] = "session_left"
    reason: str


class UserSaid(_Event):
    """The customer's turn in written form, personal data as tokens."""

    kind: Literal["user_said"] = "user_said"
    text: str
    spoken: bool = False
    confidence: float = 1.0
    """How sure the recogniser is of the words, 0 to 1; typed text is 1."""


class EntityFound(BaseModel):
    """A typed value found in a turn. `text` is the stretch as it stands in the written turn."""

    model_config = ConfigDict(frozen=True)

    type: str
    value: str
    text: str
    start: int
    end: int
    alternative: str | None = None
    """The other value that the words may mean ("3/4"): to be asked, not guessed."""


class Understood(_Event):
    """What the turn means; `intent` None is "none of these"."""

    kind: Literal["understood"] = "understood"
    intent: str | None
    confidence: float
    alternatives: list[tuple[str, float]] = []
    entities: list[EntityFound] = []
    language: str = "en"
    unserved: str = ""
    """The language that the turn is plainly in, where the business does not serve it."""
    frustration: float = 0.0
    frustration_reasons: list[str] = []


class SlotSet(_Event):
    """A slot took a value (None clears it). Personal values are tokens."""

    kind: Literal["slot_set"] = "slot_set"
    name: str
    value: str | None


class PassageFound(BaseModel):
    model_config = ConfigDict(frozen=True)

    id: str
    source: str
    score: float


class Retrieved(_Event):
    """Passages found for the turn, best first; empty is "no passage found"."""

    kind: Literal["retrieved"] = "retrieved"
    passages: list[PassageFound] = []


class Decided(_Event):
    """The policy's decision and why. `details` holds its arguments (slot, intent, effect_id...)."""

    kind: Literal["decided"] = "decided"
    action: str
    reasons: list[str] = []
    details: dict[str, Any] = {}


class EffectProposed(_Event):
    """A tool call that waits for the customer's yes; binds the exact arguments."""

    kind: Literal["effect_proposed"] = "effect_proposed"
    effect_id: str
    tool: str
    arguments: dict[str, Any]
    question: str


class EffectConfirmed(_Event):
    kind: Literal["effect_confirmed"] = "effect_confirmed"
    effect_id: str


class EffectDropped(_Event):
    """The customer said no, or something else than yes."""

    kind: Literal["effect_dropped"] = "effect_dropped"
    effect_id: str


class EffectStarted(_Event):
    """Written and acknowledged before a tool with an effect runs."""

    kind: Literal["effect_started"] = "effect_started"
    effect_id: str
    tool: str
    arguments: dict[str, Any]
    effect: Literal["once", "safe"]


class EffectEnded(_Event):
    kind: Literal["effect_ended"] = "effect_ended"
    effect_id: str
    status: EffectStatus
    result: dict[str, Any] = {}
    """The tool's result with personal data as tokens; for a failure its kind and plain words."""


class EffectTold(_Event):
    """The customer was told the outcome."""

    kind: Literal["effect_told"] = "effect_told"
    effect_id: str


class AgentSaid(_Event):
    """What the agent said or showed, as written text with tokens, once its reply is complete."""

    kind: Literal["agent_said"] = "agent_said"
    text: str
    level: str = "policy"
    """Which level of the model chain gave the words: a model's name, `grounded`, or `policy`."""
    sources: list[str] = []
    complete: bool = True


class Heard(_Event):
    """What of the agent's words was played (voice) or delivered (text)."""

    kind: Literal["heard"] = "heard"
    text: str
    complete: bool


class HumanSaid(_Event):
    """A colleague wrote to the customer."""

    kind: Literal["human_said"] = "human_said"
    text: str
    name: str = ""


HandOffState = Literal[
    "requested", "briefed", "offered", "accepted", "with_human", "resolved", "declined", "nobody", "back"
]


class HandOffMoved(_Event):
    """The hand-off to a human changed state."""

    kind: Literal["hand_off_moved"] = "hand_off_moved"
    hand_off_id: str
    state: HandOffState
    reason: str = ""
    brief: str = ""


class Promised(_Event):
    """Something the customer was told would happen."""

    kind: Literal["promised"] = "promised"
    text: str


class SummaryMade(_Event):
    kind: Literal["summary_made"] = "summary_made"
    text: str
    up_to_turn_id: str


class FactLearned(_Event):
    kind: Literal["fact_learned"] = "fact_learned"
    name: str
    value: str


class CustomerKnown(_Event):
    """The conversation has proved whose it is: what is remembered of that customer, personal values as tokens."""

    kind: Literal["customer_known"] = "customer_known"
    customer_id: str
    facts: dict[str, str]
    """By what each is called in a sentence."""
    same_as: list[str] = []
    """Customers that proved to be the same one."""


class TurnMeasured(_Event):
    """Milliseconds per stage; they sum to what the customer waited."""

    kind: Literal["turn_measured"] = "turn_measured"
    stages_ms: dict[Stage, float]
    total_ms: float


class UnknownEvent(_Event):
    """A kind that this version does not know: kept as it is."""

    kind: str


Event = (
    SessionJoined | SessionLeft | UserSaid | Understood | SlotSet | Retrieved | Decided
    | EffectProposed | EffectConfirmed | EffectDropped | EffectStarted | EffectEnded | EffectTold
    | AgentSaid | Heard | HumanSaid | HandOffMoved | Promised | SummaryMade | FactLearned | CustomerKnown
    | TurnMeasured | UnknownEvent
)  # fmt: skip


_KINDS: dict[str, Any] = {
    cls.model_fields["kind"].default: cls
    for cls in (
        SessionJoined, SessionLeft, UserSaid, Understood, SlotSet, Retrieved, Decided,
        EffectProposed, EffectConfirmed, EffectDropped, EffectStarted, EffectEnded, EffectTold,
        AgentSaid, Heard, HumanSaid, HandOffMoved, Promised, SummaryMade, FactLearned, CustomerKnown,
        TurnMeasured,
    )
}  # fmt: skip


def dump(event: Event) -> str:
    """One event as a line of JSON."""
    return event.model_dump_json()


def load(line: str | bytes) -> Event:
    """The event of a line of JSON; an unknown kind becomes `UnknownEvent` with its fields kept.

    Raises pydantic.ValidationError (a ValueError) where a known kind lacks a field.
    """
    data = json.loads(line)
    event: Event = _KINDS.get(data.get("kind"), UnknownEvent).model_validate(data)
    return event
