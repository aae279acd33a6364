"""Our own frames: what walks between the dialogue stages, and what a channel is told."""

from __future__ import annotations

from dataclasses import dataclass

from pipecat.frames.frames import (
    ControlFrame,
    DataFrame,
    Frame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
)

from agent.acts import Act
from agent.knowledge.retrieval import Found, NoPassageFound
from agent.parts import TurnHeard
from agent.resume import CutTurn
from agent.understanding.understander import Understanding


@dataclass
class ConfidenceFrame(DataFrame):
    """How sure the recogniser is of the utterance that follows, 0 to 1."""

    confidence: float = 1.0


@dataclass
class TurnFrame(DataFrame):
    """A complete turn of the customer, gathering what each stage finds out about it."""

    turn: TurnHeard | None = None
    understood: Understanding | None = None
    found: Found | NoPassageFound | None = None


@dataclass
class CutTurnFrame(DataFrame):
    """A turn that a killed process left unanswered, to be finished instead of a new one."""

    cut: CutTurn | None = None


@dataclass
class ActFrame(DataFrame):
    """Something for the channel to show or do, in its place among the words."""

    act: Act | None = None


@dataclass
class ReplyStartedFrame(ControlFrame):
    """The words of a reply follow."""

    turn_id: str = ""


@dataclass
class ReplyEndedFrame(ControlFrame):
    """All words of a reply were said; `text` is the whole of it, written, with tokens."""

    turn_id: str = ""
    text: str = ""


def spoken_frames(text: str, turn_id: str) -> list[Frame]:
    """A whole reply that no model gave, as the frames of one."""
    return [
        ReplyStartedFrame(turn_id=turn_id),
        LLMFullResponseStartFrame(),
        LLMTextFrame(text),
        LLMFullResponseEndFrame(),
        ReplyEndedFrame(turn_id=turn_id, text=text),
    ]


@dataclass
class HeardFrame(ControlFrame):
    """What of a reply was played or delivered, as the customer knows it."""

    turn_id: str = ""
    text: str = ""
    complete: bool = True
