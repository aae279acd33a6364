"""Views of the journal: the turn log, the hand-offs, the sessions. Pure: events in, changed rows out.

A home loads the rows that some events may touch (`touched`), applies the events in order, and writes
back the rows that changed, all within the append itself. Folding a whole journal gives the same rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from agent import events as ev
from agent.events import Channel, Event, HandOffState

CLOSED: tuple[HandOffState, ...] = ("resolved", "back")
"""States in which nobody waits for a human any more."""


@dataclass(frozen=True)
class TurnRow:
    """One exchange, as one row. Texts hold tokens, never personal data."""

    conversation_id: str
    turn_id: str
    version: int
    """The journal's version at the turn's first event."""
    session_id: str | None
    channel: Channel
    started_at: float
    """When the first event of the turn came, in seconds since the epoch."""
    spoken: bool = False
    user_text: str = ""
    intent: str | None = None
    confidence: float = 0.0
    """How sure the intent is, 0 to 1."""
    language: str = "en"
    frustration: float = 0.0
    decision: str = ""
    """The action decided first; a question that follows it shows in `reasons` only."""
    reasons: tuple[str, ...] = ()
    tools: tuple[Mapping[str, str], ...] = ()
    """`effect_id`, `tool` and `status` (`started`, then an EffectStatus) of each tool that was run."""
    sources: tuple[str, ...] = ()
    agent_text: str = ""
    heard_text: str | None = None
    """None while nothing of `agent_text` was confirmed as heard."""
    level: str = ""
    stages: Mapping[str, float] = field(default_factory=dict)
    """Milliseconds per stage."""
    total_ms: float | None = None


@dataclass(frozen=True)
class HandOffRow:
    """A conversation that was handed, or is to be handed, to a human."""

    conversation_id: str
    hand_off_id: str
    state: HandOffState
    reason: str
    brief: str
    requested_at: float
    channel: Channel


@dataclass(frozen=True)
class SessionRow:
    """A connection that has carried the conversation."""

    conversation_id: str
    session_id: str
    version: int
    """The journal's version at its (last) SessionJoined."""
    channel: Channel
    joined_at: float


@dataclass(frozen=True)
class Touched:
    """The ids of the rows that some events may change, or whose channel they may need."""

    turn_ids: frozenset[str]
    hand_off_ids: frozenset[str]
    session_ids: frozenset[str]


def touched(events: Sequence[Event]) -> Touched:
    """The rows to load before these events are applied; with them the session that was joined last."""
    return Touched(
        frozenset(e.turn_id for e in events if e.turn_id is not None and isinstance(e, _OF_A_TURN)),
        frozenset(e.hand_off_id for e in events if isinstance(e, ev.HandOffMoved)),
        frozenset(e.session_id for e in events if e.session_id is not None),
    )


class Views:
    """The rows of one conversation, or those of them that some events touch, by id. `apply` changes them."""

    def __init__(self, conversation_id: str) -> None:
        self.conversation_id = conversation_id
        self.sessions: dict[str, SessionRow] = {}
        self.turns: dict[str, TurnRow] = {}
        self.hand_offs: dict[str, HandOffRow] = {}
        self.changed_turns: set[str] = set()
        self.changed_hand_offs: set[str] = set()
        self.changed_sessions: set[str] = set()

    def apply(self, version: int, event: Event) -> None:
        """Take the event that made the journal `version` long; events come in order."""
        if isinstance(event, ev.SessionJoined):
            self._joined(version, event)
        elif isinstance(event, ev.HandOffMoved):
            self._hand_off_moved(event)
        elif isinstance(event, _OF_A_TURN) and event.turn_id is not None:
            row = self.turns.get(event.turn_id) or self._new_turn(version, event.turn_id, event)
            self.turns[event.turn_id] = replace(row, **_changes(row, event))
            self.changed_turns.add(event.turn_id)

    def _joined(self, version: int, event: ev.SessionJoined) -> None:
        if event.session_id is not None:
            row = SessionRow(self.conversation_id, event.session_id, version, event.channel, event.at)
            self.sessions[event.session_id] = row
            self.changed_sessions.add(event.session_id)

    def _hand_off_moved(self, event: ev.HandOffMoved) -> None:
        known = self.hand_offs.get(event.hand_off_id)
        self.hand_offs[event.hand_off_id] = HandOffRow(
            self.conversation_id,
            event.hand_off_id,
            event.state,
            _plain(event.reason) or (known.reason if known else ""),
            _plain(event.brief) or (known.brief if known else ""),
            known.requested_at if known else event.at,
            known.channel if known else self._channel(event.session_id),
        )
        self.changed_hand_offs.add(event.hand_off_id)

    def _new_turn(self, version: int, turn_id: str, event: Event) -> TurnRow:
        channel = self._channel(event.session_id)
        return TurnRow(self.conversation_id, turn_id, version, event.session_id, channel, event.at)

    def _channel(self, session_id: str | None) -> Channel:
        """The session's channel, else the one that was joined last."""
        if session_id in self.sessions:
            return self.sessions[session_id].channel
        last = max(self.sessions.values(), key=lambda row: row.version, default=None)
        return last.channel if last else "text"


def fold(conversation_id: str, events: Iterable[Event]) -> Views:
    """All the rows that a whole journal makes."""
    views = Views(conversation_id)
    for version, event in enumerate(events, 1):
        views.apply(version, event)
    return views


def turn_order(row: TurnRow) -> tuple[float, str, int]:
    """Sorts turns, also of several conversations, by their beginning."""
    return row.started_at, row.conversation_id, row.version


_OF_A_TURN = (
    ev.UserSaid,
    ev.Understood,
    ev.Decided,
    ev.EffectStarted,
    ev.EffectEnded,
    ev.AgentSaid,
    ev.Heard,
    ev.TurnMeasured,
)


def _changes(row: TurnRow, event: Event) -> dict[str, Any]:
    match event:
        case ev.UserSaid():
            return {"user_text": _plain(event.text), "spoken": event.spoken}
        case ev.Understood():
            return {
                "intent": event.intent,
                "confidence": event.confidence,
                "language": event.language,
                "frustration": event.frustration,
            }
        case ev.Decided():
            return {
                "decision": row.decision or event.action,
                "reasons": (*row.reasons, *map(_plain, event.reasons)),
            }
        case ev.EffectStarted():
            started = {"effect_id": event.effect_id, "tool": event.tool, "status": "started"}
            return {"tools": (*row.tools, started)}
        case ev.EffectEnded():
            return {"tools": tuple(_ended(tool, event) for tool in row.tools)}
        case ev.AgentSaid():
            text = _plain(event.text)
            return {
                "agent_text": f"{row.agent_text}\n\n{text}" if row.agent_text else text,
                "sources": tuple(dict.fromkeys((*row.sources, *map(_plain, event.sources)))),
                "level": event.level,
            }
        case ev.Heard():
            return {"heard_text": _plain(event.text)}
        case ev.TurnMeasured():
            return {"stages": dict(event.stages_ms), "total_ms": event.total_ms}
        case _:
            return {}


def _ended(tool: Mapping[str, str], event: ev.EffectEnded) -> Mapping[str, str]:
    return {**tool, "status": event.status} if tool["effect_id"] == event.effect_id else tool


def _plain(text: str) -> str:
    """Postgres stores no NUL in a text."""
    return text.replace("\0", "")
