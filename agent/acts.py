"""Acts: what a reply tells its channel to do, say or show."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Say:
    """A piece of the reply's text, in order; pieces concatenate. Written form, tokens for personal data."""

    text: str
    must_hear: bool = False
    interruptible: bool = True


@dataclass(frozen=True)
class Source:
    """Where an answer comes from: shown as a chip on text channels."""

    name: str
    url: str | None = None


@dataclass(frozen=True)
class Button:
    """`text` is said for the customer when pressed; a `url` opens instead."""

    title: str
    text: str | None = None
    url: str | None = None


@dataclass(frozen=True)
class Card:
    """A receipt made from the ledger, or another small table: never from a model's prose."""

    title: str
    rows: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Show:
    """What a text channel shows beside the words; voice ignores it."""

    sources: tuple[Source, ...] = ()
    quick_replies: tuple[str, ...] = ()
    buttons: tuple[Button, ...] = ()
    cards: tuple[Card, ...] = ()


@dataclass(frozen=True)
class Working:
    """The agent is doing something that takes time; `words` say what, for the customer."""

    state: str
    words: str


@dataclass(frozen=True)
class SendDigits:
    digits: str


@dataclass(frozen=True)
class HandOff:
    """Control is to pass to a human; the brief is already in the journal."""

    hand_off_id: str
    reason: str


@dataclass(frozen=True)
class EndCall:
    """Hang up once what was said has been played."""

    reason: str = "ended"


@dataclass(frozen=True)
class Done:
    """The reply is complete and journalled."""

    turn_id: str
    handed_off: bool = False
    with_human: bool = False


Act = Say | Show | Working | SendDigits | HandOff | EndCall | Done
