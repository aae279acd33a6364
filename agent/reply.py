"""The core's face: a turn in, acts out. The same for a chat and a call."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from agent import events as ev
from agent.acts import Act, Card, Done, EndCall, HandOff, Say, Show, Source, Working
from agent.business import Business
from agent.dialogue.policy import Decision, EarPolicy, Situation, decide
from agent.handoff.brief import brief
from agent.knowledge.citations import Citations
from agent.knowledge.retrieval import Found, NoPassageFound, Retrieval
from agent.live import LiveConversation
from agent.llm.chain import Chain
from agent.llm.grounded import confirm_question
from agent.llm.prompt import Medium, Prompt, TextDelta, ToolCall, ToolOutcome, make_passages
from agent.phrases import Phrases, in_words
from agent.tools.registry import Tool
from agent.tools.running import ToolRunner, effect_key
from agent.understanding.understander import Understander, Understanding

MAX_TOOL_ROUNDS = 4
FILLER_AFTER_SECS = 0.8
"""A tool that takes longer on a call is covered by its filler."""
_MODEL_MAY_SPEAK = frozenset({"ask", "answer", "chat", "unknown", "call"})
"""Decisions whose words a model may choose; those of all others are fixed."""
_CITED = re.compile(r"\[Source: ([^\]]+)\]")
_RECOGNISED = ("started", "done", "unknown")


@dataclass(frozen=True)
class Parts:
    """What one business's dialogue is made of; shared by its sessions."""

    business: Business
    phrases: Phrases
    tools: Mapping[str, Tool]
    understander: Understander
    retrieval: Retrieval
    chain: Chain
    runner: ToolRunner
    ear: EarPolicy = field(default_factory=EarPolicy)

    def today(self, now: float) -> date:
        """The date at `now` (seconds since the epoch) where the business is."""
        return datetime.fromtimestamp(now, ZoneInfo(self.business.time_zone)).date()


@dataclass(frozen=True)
class TurnHeard:
    """One complete turn of the customer. `text` is written, with tokens."""

    turn_id: str
    text: str
    medium: Medium
    spoken: bool = False
    confidence: float = 1.0


async def understand(turn: TurnHeard, live: LiveConversation, parts: Parts) -> Understanding:
    """What the turn means; both the turn and its meaning are journalled when this returns."""
    await live.refresh()
    understood = await parts.understander.understand(turn.text, live.state, parts.today(live.clock()))
    stamp = live.stamp(turn.turn_id)
    await live.record(
        ev.UserSaid(text=turn.text, spoken=turn.spoken, confidence=turn.confidence, **stamp),
        ev.Understood(
            intent=understood.intent,
            confidence=understood.confidence,
            alternatives=list(understood.alternatives),
            entities=list(understood.entities),
            language=understood.language,
            frustration=understood.frustration,
            **stamp,
        ),
    )
    return understood


async def retrieve(understood: Understanding, parts: Parts) -> Found | NoPassageFound:
    """The passages for a turn."""
    return await parts.retrieval.search(understood.text, vector=understood.vector)


async def reply(
    turn: TurnHeard,
    understood: Understanding,
    found: Found | NoPassageFound,
    live: LiveConversation,
    parts: Parts,
) -> AsyncGenerator[Act, None]:
    """Decide and answer. What was said is journalled even when the reply is cut off."""
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
    decision = _bound(decide(situation), live)
    await _write_down(decision, situation, live, turn)
    answer = _Answer(turn, situation, decision, live, parts)
    acts = answer.acts()
    try:
        async with aclosing(acts):
            async for act in acts:
                yield act
        answer.complete = True
    finally:
        await asyncio.shield(answer.journal())
    yield Done(turn.turn_id, handed_off=live.state.waits_for_human, with_human=live.state.with_human)


def _bound(decision: Decision, live: LiveConversation) -> Decision:
    """A confirmation bound to its effect; one that the ledger has already is called, to be recognised."""
    if decision.action != "confirm" or decision.effect_id or not decision.tool:
        return decision
    effect_id = effect_key(live.conversation_id, decision.tool, decision.arguments)
    known = live.state.effects.get(effect_id)
    if known and known.state in _RECOGNISED:
        return replace(decision, action="call", finishes=decision.task, task=None, effect_id=effect_id)
    return replace(decision, effect_id=effect_id)


async def _write_down(decision: Decision, s: Situation, live: LiveConversation, turn: TurnHeard) -> None:
    """What was found and decided, in one append, before anything is said or done."""
    stamp = live.stamp(turn.turn_id)
    events: list[ev.Event] = []
    found = make_passages(s)
    events.append(
        ev.Retrieved(passages=[ev.PassageFound(id=p.id, source=p.source, score=p.score) for p in found], **stamp)
    )
    events += [ev.SlotSet(name=name, value=value, **stamp) for name, value in decision.slots.items()]
    asked = s.effect_asked
    if asked and asked.state == "proposed" and asked.effect_id != _kept_effect(decision):
        events.append(ev.EffectDropped(effect_id=asked.effect_id, **stamp))
    events.append(
        ev.Decided(action=decision.action, reasons=list(decision.reasons), details=decision.details(), **stamp)
    )
    if decision.action == "call" and decision.effect_id:
        events.append(ev.EffectConfirmed(effect_id=decision.effect_id, **stamp))
    if decision.action == "confirm":
        events.append(_proposal(decision, s.tools, live, turn))
    if decision.then is not None:
        events.append(
            ev.Decided(
                action=decision.then.action,
                reasons=list(decision.then.reasons),
                details=decision.then.details(),
                **stamp,
            )
        )
    await live.record(*events)


def _kept_effect(decision: Decision) -> str | None:
    return decision.effect_id or (decision.then.effect_id if decision.then else None)


def _proposal(d: Decision, tools: Mapping[str, Tool], live: LiveConversation, turn: TurnHeard) -> ev.EffectProposed:
    assert d.tool and d.effect_id
    return ev.EffectProposed(
        effect_id=d.effect_id,
        tool=d.tool,
        arguments=dict(d.arguments),
        question=confirm_question(tools[d.tool], d.arguments),
        **live.stamp(turn.turn_id),
    )


class _Answer:
    """One answer while it is made: its acts, and what of it was said."""

    def __init__(
        self, turn: TurnHeard, situation: Situation, decision: Decision, live: LiveConversation, parts: Parts
    ) -> None:
        self.turn = turn
        self.situation = situation
        self.decision = decision
        self.live = live
        self.parts = parts
        self.complete = False
        self.said: list[str] = []
        self.level = "policy"
        self.sources: tuple[Source, ...] = ()
        self.outcomes: list[ToolOutcome] = []

    async def acts(self) -> AsyncGenerator[Act, None]:
        decision = self.decision
        if decision.action == "forward":
            return
        if decision.action == "hand_off":
            async for act in self._hand_off():
                yield act
            return
        async for act in self._speak():
            yield act
        show = self._show()
        if show != Show():
            yield show
        if decision.action == "end" and self.turn.medium == "voice":
            yield EndCall()

    async def journal(self) -> None:
        """Write down what was said, and that the outcomes of tools were told."""
        text = "".join(self.said).strip()
        if not text:
            return
        stamp = self.live.stamp(self.turn.turn_id)
        told = [ev.EffectTold(effect_id=e, **stamp) for e in self._told()] if self.complete else []
        await self.live.record(
            ev.AgentSaid(
                text=text,
                level=self.level,
                sources=[s.name for s in self.sources],
                complete=self.complete,
                **stamp,
            ),
            *told,
        )

    def _told(self) -> list[str]:
        ended = ("done", "failed", "unknown")
        return [
            e.effect_id
            for e in self.live.state.effects.values()
            if e.turn_id == self.turn.turn_id and e.state in ended and not e.told
        ]

    def _say(self, text: str) -> Say:
        self.said.append(text)
        return Say(text)

    async def _speak(self) -> AsyncGenerator[Act, None]:
        """Tools, then words; a model may ask for further tools in between."""
        prompt = Prompt(
            medium=self.turn.medium,
            business=self.parts.business,
            conversation=self.live.state,
            situation=self.situation,
            decision=self.decision,
            tools=tuple(self.parts.tools.values()),
            passages=make_passages(self.situation)[: 3 if self.turn.medium == "voice" else 5],
        )
        calls = self._decided_calls()
        citations = Citations(p.source for p in prompt.passages)
        for _ in range(MAX_TOOL_ROUNDS):
            for call in calls:
                if self._needs_confirmation(call):
                    yield await self._propose(call)
                    return
                async for act in self._run(call):
                    yield act
                prompt = prompt.with_outcome(self.outcomes[-1])
            calls = []
            grounded_only = self.decision.action not in _MODEL_MAY_SPEAK
            async with aclosing(self.parts.chain.think(prompt, grounded_only=grounded_only)) as items:
                async for spoken in items:
                    self.level = spoken.level
                    if not isinstance(spoken.item, TextDelta):
                        calls.append(spoken.item)
                    elif text := citations.feed(spoken.item.text):
                        yield self._say(text)
            if text := citations.end():
                yield self._say(text)
            if not calls:
                return

    def _decided_calls(self) -> list[ToolCall]:
        decision = self.decision
        if decision.action != "call" or not decision.tool:
            return []
        return [ToolCall(decision.effect_id or decision.tool, decision.tool, dict(decision.arguments))]

    def _needs_confirmation(self, call: ToolCall) -> bool:
        """Whether a model asks for an effect that the customer has not confirmed."""
        tool = self.parts.tools.get(call.tool)
        if tool is None or not tool.confirm or self.parts.runner.checked(call):
            return False
        confirmed = self.decision.action == "call" and call.arguments == dict(self.decision.arguments)
        return not (confirmed and call.tool == self.decision.tool)

    async def _propose(self, call: ToolCall) -> Say:
        """Ask the customer before an effect that a model wants."""
        effect_id = effect_key(self.live.conversation_id, call.tool, call.arguments)
        decision = Decision(
            "confirm",
            ("the model asked for it",),
            task=self.decision.task,
            tool=call.tool,
            arguments=call.arguments,
            effect_id=effect_id,
        )
        await _write_down(decision, self.situation, self.live, self.turn)
        self.decision = decision
        lead = " " if self.said else ""
        return self._say(lead + confirm_question(self.parts.tools[call.tool], call.arguments))

    async def _run(self, call: ToolCall) -> AsyncGenerator[Act, None]:
        """Run a tool; a slow one is covered by its filler on a call."""
        tool = self.parts.tools.get(call.tool)
        says = tool.says if tool else ""
        yield Working("working", says or self.parts.phrases.say("looking"))
        task = self.parts.runner.start(call, self.live, self.turn.turn_id)
        if says and self.turn.medium == "voice":
            done, _ = await asyncio.wait({task}, timeout=FILLER_AFTER_SECS)
            if not done:
                yield self._say(f"{says} ")
        self.outcomes.append(await asyncio.shield(task))

    async def _hand_off(self) -> AsyncGenerator[Act, None]:
        """Write the brief, promise what is true, and pass control."""
        business, live = self.parts.business, self.live
        next_step = business.hand_off.voice if self.turn.medium == "voice" else business.hand_off.chat
        if live.state.waits_for_human:
            yield self._say(self.parts.phrases.say("already_waiting", next=next_step))
            return
        stamp = live.stamp(self.turn.turn_id)
        hand_off_id = f"hand-off-{self.turn.turn_id}"
        reason = self.decision.reasons[0]
        await live.record(
            ev.HandOffMoved(
                hand_off_id=hand_off_id,
                state="requested",
                reason=self.decision.topic or "",
                brief=brief(live.state, business, reason),
                **stamp,
            ),
            ev.Promised(text=next_step, **stamp),
        )
        yield self._say(next_step)
        yield HandOff(hand_off_id, self.decision.topic or "")

    def _show(self) -> Show:
        """Sources, quick replies and receipts for the text channels; made from facts, never from prose."""
        business, decision = self.parts.business, self.decision
        passages = {p.source: p for p in make_passages(self.situation)}
        cited = dict.fromkeys(m.strip() for m in _CITED.findall("".join(self.said)))
        if self.turn.medium == "voice" and decision.action == "answer":
            cited = dict.fromkeys(list(passages)[:1])
        self.sources = tuple(Source(name, passages[name].url) for name in cited if name in passages)
        asked = decision.then or decision
        quick: tuple[str, ...] = ()
        if asked.action == "clarify":
            quick = tuple(business.intents[o].title for o in asked.options)
        elif asked.action in ("confirm", "check", "unknown", "offer_human"):
            quick = ("Yes, please", "No, thanks")
        elif asked.action == "ask" and business.slots[asked.slot or ""].choices:
            quick = tuple(c.replace("_", " ") for c in business.slots[asked.slot or ""].choices)
        return Show(self.sources, quick, cards=self._receipts())

    def _receipts(self) -> tuple[Card, ...]:
        """A card for each effect that was done in this turn."""
        cards = []
        for outcome in self.outcomes:
            tool = self.parts.tools.get(outcome.call.tool)
            if tool and tool.effect == "once" and outcome.status == "done":
                rows = tuple((self._title(n), in_words(v)) for n, v in outcome.call.arguments.items())
                cards.append(Card(tool.name.replace("_", " ").capitalize(), rows))
        return tuple(cards)

    def _title(self, argument: str) -> str:
        slot = self.parts.business.slots.get(argument)
        return (slot.title if slot else argument.replace("_", " ")).capitalize()
