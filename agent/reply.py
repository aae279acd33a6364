"""The core's face: a turn in, acts out. The same for a chat and a call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Set
from contextlib import aclosing

from agent import events as ev
from agent.acts import Act, Done
from agent.answer import Answer
from agent.dialogue.policy import Decision, Situation, decide
from agent.dialogue.written import bound, write_down
from agent.knowledge.retrieval import Found, NoPassageFound
from agent.live import LiveConversation
from agent.parts import Parts, TurnHeard
from agent.understanding.understander import Understanding


async def understand(turn: TurnHeard, live: LiveConversation, parts: Parts) -> Understanding:
    """What the turn means; both the turn and its meaning are journalled when this returns."""
    await live.refresh()
    today = parts.today(live.clock())
    understood = await parts.understander.understand(turn.text, live.state, today, spoken=turn.spoken)
    stamp = live.stamp(turn.turn_id)
    known = await parts.memory.recognise(live, turn.turn_id, turn.text, understood.entities) if parts.memory else ()
    await live.record(
        ev.UserSaid(text=turn.text, spoken=turn.spoken, confidence=turn.confidence, **stamp),
        ev.Understood(
            intent=understood.intent,
            confidence=understood.confidence,
            alternatives=list(understood.alternatives),
            entities=list(understood.entities),
            language=understood.language,
            unserved=understood.unserved or "",
            frustration=understood.frustration,
            frustration_reasons=list(understood.frustration_reasons),
            **stamp,
        ),
        *known,
    )
    return understood


async def retrieve(understood: Understanding, parts: Parts) -> Found | NoPassageFound:
    """The passages for a turn."""
    return await parts.retrieval.search(understood.request, vector=understood.vector)


async def reply(
    turn: TurnHeard,
    understood: Understanding,
    found: Found | NoPassageFound,
    live: LiveConversation,
    parts: Parts,
) -> AsyncGenerator[Act, None]:
    """Decide and answer. What was said is journalled even when the reply is cut off."""
    parts = parts.within(live.state.language)
    situation = Situation(
        conversation=live.state,
        business=parts.business,
        tools=parts.tools,
        understood=understood,
        found=found,
        spoken=turn.spoken,
        confidence=turn.confidence,
        ear=parts.ear,
    )
    decision = bound(decide(situation), live)
    await write_down(decision, situation, live, turn.turn_id)
    async with aclosing(carry_out(decision, situation, turn, live, parts)) as acts:
        async for act in acts:
            yield act


async def carry_out(
    decision: Decision,
    situation: Situation,
    turn: TurnHeard,
    live: LiveConversation,
    parts: Parts,
    *,
    begun: Set[str] = frozenset(),
) -> AsyncGenerator[Act, None]:
    """The acts of a decision that is written down. `begun` are effects that a killed process started in the turn."""
    answer = Answer(turn, situation, decision, live, parts, begun)
    acts = answer.acts()
    try:
        async with aclosing(acts):
            async for act in acts:
                yield act
        answer.complete = True
    finally:
        await asyncio.shield(answer.journal())
        if parts.memory:
            parts.memory.learn(live)
    parts.summariser.start(live)
    yield Done(turn.turn_id, handed_off=live.state.waits_for_human, with_human=live.state.with_human)
