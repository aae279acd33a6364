"""A decision bound to the ledger, and written down before anything is said or done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from agent import events as ev
from agent.dialogue.policy import Decision, Situation
from agent.live import LiveConversation
from agent.llm.grounded import confirm_question
from agent.llm.prompt import make_passages
from agent.tools.registry import Tool
from agent.tools.running import effect_key

_RECOGNISED = ("started", "done", "unknown")


def bound(decision: Decision, live: LiveConversation) -> Decision:
    """Confirmations bound to their effects; one that the ledger has already is called, to be recognised."""
    if decision.then is not None:
        decision = replace(decision, then=bound(decision.then, live))
    if decision.action != "confirm" or decision.effect_id or not decision.tool:
        return decision
    effect_id = effect_key(live.conversation_id, decision.tool, decision.arguments)
    known = live.state.effects.get(effect_id)
    if known and known.state in _RECOGNISED:
        return replace(decision, action="call", finishes=decision.task, task=None, effect_id=effect_id)
    return replace(decision, effect_id=effect_id)


async def write_down(decision: Decision, s: Situation, live: LiveConversation, turn_id: str) -> None:
    """What was found and decided, in one append, before anything is said or done."""
    stamp = live.stamp(turn_id)
    events: list[ev.Event] = []
    found = make_passages(s)
    events.append(
        ev.Retrieved(passages=[ev.PassageFound(id=p.id, source=p.source, score=p.score) for p in found], **stamp)
    )
    asked = s.effect_asked
    kept = {step.effect_id for step in decision.chain()}
    dropped = asked and asked.state == "proposed" and asked.effect_id not in kept
    for step in decision.chain():
        events += [ev.SlotSet(name=name, value=value, **stamp) for name, value in step.slots.items()]
        if asked and dropped and step is decision:
            events.append(ev.EffectDropped(effect_id=asked.effect_id, **stamp))
        events.append(ev.Decided(action=step.action, reasons=list(step.reasons), details=step.details(), **stamp))
        if step.action == "call" and step.effect_id:
            events.append(ev.EffectConfirmed(effect_id=step.effect_id, **stamp))
        if step.action == "confirm" and (step is decision or not _is_asked(step, live)):
            events.append(_proposal(step, s.tools, live, turn_id))
    await live.record(*events)


def _is_asked(step: Decision, live: LiveConversation) -> bool:
    """Whether a confirmation is that of a proposal which stands in the ledger."""
    known = live.state.effects.get(step.effect_id or "")
    return known is not None and known.state == "proposed"


def _proposal(d: Decision, tools: Mapping[str, Tool], live: LiveConversation, turn_id: str) -> ev.EffectProposed:
    assert d.tool and d.effect_id
    return ev.EffectProposed(
        effect_id=d.effect_id,
        tool=d.tool,
        arguments=dict(d.arguments),
        question=confirm_question(tools[d.tool], d.arguments),
        **live.stamp(turn_id),
    )
