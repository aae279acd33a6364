"""What the text channels show beside the words: made from facts, never from prose."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agent.acts import Card, Source
from agent.business import Business
from agent.dialogue.policy import Decision
from agent.knowledge.retrieval import Passage
from agent.llm.prompt import Medium, ToolOutcome
from agent.parts import Parts
from agent.phrases import in_words

_CITED = re.compile(r"\[Source: ([^\]]+)\]")


def sources(decision: Decision, passages: Sequence[Passage], said: str, medium: Medium) -> tuple[Source, ...]:
    """The passages that the words cite; on a call, which cites nothing aloud, the one that was answered from."""
    given = {p.source: p for p in passages}
    cited = dict.fromkeys(m.strip() for m in _CITED.findall(said))
    if medium == "voice" and decision.action == "answer":
        cited = dict.fromkeys(list(given)[:1])
    return tuple(Source(name, given[name].url) for name in cited if name in given)


def quick_replies(decision: Decision, business: Business) -> tuple[str, ...]:
    """The answers to the question that the reply ends in."""
    *_, asked = decision.chain()
    if asked.action == "clarify":
        return tuple(business.intents[o].title for o in asked.options)
    if asked.action == "which":
        return tuple(in_words(day) for day in asked.options)
    if asked.action in ("confirm", "check", "unknown", "offer_human"):
        return ("Yes, please", "No, thanks")
    if asked.action == "ask":
        return tuple(c.replace("_", " ") for c in business.slots[asked.slot or ""].choices)
    return ()


def receipts(outcomes: Sequence[ToolOutcome], parts: Parts) -> tuple[Card, ...]:
    """A card for each effect that was done in this turn."""
    cards = []
    for outcome in outcomes:
        tool = parts.tools.get(outcome.call.tool)
        if tool and tool.effect == "once" and outcome.status == "done":
            rows = tuple((_title(n, parts.business), in_words(v)) for n, v in outcome.call.arguments.items())
            cards.append(Card(tool.name.replace("_", " ").capitalize(), rows))
    return tuple(cards)


def _title(argument: str, business: Business) -> str:
    slot = business.slots.get(argument)
    return (slot.title if slot else argument.replace("_", " ")).capitalize()
