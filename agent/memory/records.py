"""What goes into the customers' home and comes out of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from agent.memory.facts import Fact
from agent.memory.identity import Claim, Kind


@dataclass(frozen=True)
class Noted:
    """What a conversation adds to the memory; noting the same again changes nothing."""

    conversation_id: str
    claims: Sequence[Claim]
    facts: Sequence[Fact] = ()
    mentioned: Sequence[Claim] = ()
    """E-mail addresses and numbers that were spoken of, the customer's own or not."""
    customer_id: str | None = None
    """The customer whom the conversation has proved to be."""
    same_as: Sequence[str] = ()
    """Customers whom it has proved to be as well: one from now on."""


@dataclass(frozen=True)
class Customer:
    """Everything that the memory holds of one customer."""

    customer_id: str
    created_at: float
    seen_at: float
    identifiers: tuple[tuple[Kind, str], ...] = ()
    facts: tuple[Fact, ...] = ()
    """Those that still stand, the newest first."""
    conversations: tuple[str, ...] = ()


@dataclass
class Traces:
    """What an erasure has to remove."""

    customer_ids: list[str] = field(default_factory=list)
    conversation_ids: list[str] = field(default_factory=list)
    identifiers: int = 0
    facts: int = 0
