"""What must not be forgotten, however long a conversation gets: facts drawn from its fold, as compact data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent.business import Business
from agent.conversation import Conversation, Effect

MAX_CHARS = 160
"""Of one value."""
MAX_CUSTOMER = 12
MAX_GIVEN = 6
"""Values of one slot, the latest last."""
MAX_DONE = 4
MAX_PROMISED = 3

_OUTCOMES = {"done": "done", "failed": "failed", "unknown": "not known", "started": "not known"}


def facts(conversation: Conversation, business: Business, known: Mapping[str, str]) -> dict[str, Any]:
    """The customer, the numbers given, the issue, what was done and promised; personal data as tokens.

    `known` is what is remembered of the customer from before this conversation. Every part is bounded.
    """
    customer = {**known, **conversation.contact, **conversation.customer_facts}
    task = business.intents.get(conversation.task or conversation.last_task or "")
    hand_off = conversation.hand_off
    parts: dict[str, Any] = {
        "customer": {name: _short(value) for name, value in list(customer.items())[-MAX_CUSTOMER:]},
        "given": _given(conversation, business),
        "issue": task.title if task else "",
        "done": _done(conversation),
        "promised": [_short(text) for text in list(dict.fromkeys(reversed(conversation.promises)))[:MAX_PROMISED]],
        "hand_off": hand_off.state if hand_off and hand_off.open else "",
    }
    return {name: part for name, part in parts.items() if part}


def _given(conversation: Conversation, business: Business) -> dict[str, str | list[str]]:
    """The slots' values; of the business's own numbers the earlier ones too."""
    given: dict[str, str | list[str]] = {name: _short(value) for name, value in conversation.slots.items()}
    for name, values in conversation.given.items():
        slot = business.slots.get(name)
        if slot and slot.type == "pattern" and len(values) > 1:
            given[name] = [_short(value) for value in values[-MAX_GIVEN:]]
    return given


def _done(conversation: Conversation) -> list[dict[str, Any]]:
    """The last different calls of tools that ran, the latest last."""
    calls: dict[tuple[str, str], Effect] = {}
    for effect in reversed(conversation.effects.values()):
        if effect.state in _OUTCOMES and len(calls) < MAX_DONE:
            calls.setdefault((effect.tool, str(effect.arguments)), effect)
    return [
        {
            "tool": effect.tool,
            **{name: _short(str(value)) for name, value in effect.arguments.items()},
            "outcome": _OUTCOMES[effect.state],
        }
        for effect in reversed(calls.values())
    ]


def _short(value: str) -> str:
    return value if len(value) <= MAX_CHARS else f"{value[: MAX_CHARS - 1]}…"
