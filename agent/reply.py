"""The core's face: a turn in, acts out. The same for a chat and a call."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Mapping, Set
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from agent import events as ev
from agent.acts import Act, Card, Done, EndCall, HandOff, Say, Show, Source, Working
from agent.business import Business
from agent.conversation import Conversation
from agent.dialogue.greeting import welcome
from agent.dialogue.policy import Decision, EarPolicy, Situation, decide
from agent.dialogue.summary import Summariser
from agent.handoff.brief import brief
from agent.knowledge.citations import Citations
from agent.knowledge.retrieval import Found, NoPassageFound, Retrieval
from agent.live import LiveConversation
from agent.llm.chain import Chain
from agent.llm.grounded import confirm_question
from agent.llm.prompt import Medium, Prompt, TextDelta, ToolCall, ToolOutcome, make_passages
from agent.memory.recall import Memory
from agent.phrases import Phrases, in_words
from agent.tools.registry import Tool
from agent.tools.running import ToolRunner, effect_key
from agent.understanding.understander import Understander, Understanding

MAX_TOOL_ROUNDS = 4
FILLER_AFTER_SECS = 0.8
"""A tool that takes longer on a call is covered by its filler."""
_MODEL_MAY_SPEAK = frozenset({"ask", "answer", "chat", "unknown", "call"})
"""Decisions whose words a model may choose; those of all others are fixed."""
MODEL_ASKED = ("the model asked for it",)
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
    summariser: Summariser
    ear: EarPolicy = field(default_factory=EarPolicy)
    memory: Memory | None = None

    def within(self, language: str) -> Parts:
        """The same parts with the business's and the agent's words in a language, where they have them."""
        return replace(self, business=self.business.within(language), phrases=self.phrases.within(language))

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
    decision = _bound(decide(situation), live)
    await _write_down(decision, situation, live, turn)
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
    answer = _Answer(turn, situation, decision, live, parts, begun)
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


def _bound(decision: Decision, live: LiveConversation) -> Decision:
    """Confirmations bound to their effects; one that the ledger has already is called, to be recognised."""
    if decision.then is not None:
        decision = replace(decision, then=_bound(decision.then, live))
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
            events.append(_proposal(step, s.tools, live, turn))
    await live.record(*events)


def _is_asked(step: Decision, live: LiveConversation) -> bool:
    """Whether a confirmation is that of a proposal which stands in the ledger."""
    known = live.state.effects.get(step.effect_id or "")
    return known is not None and known.state == "proposed"


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
        self,
        turn: TurnHeard,
        situation: Situation,
        decision: Decision,
        live: LiveConversation,
        parts: Parts,
        begun: Set[str],
    ) -> None:
        self.turn = turn
        self.situation = situation
        self.decision = decision
        self.live = live
        self.parts = parts
        self.begun = begun
        self.complete = False
        self.said: list[str] = []
        self.level = "policy"
        self.sources: tuple[Source, ...] = ()
        self.outcomes: list[ToolOutcome] = []

    async def acts(self) -> AsyncGenerator[Act, None]:
        decision = self.decision
        if decision.action == "forward":
            return
        if self._welcomes(self.live.state):
            yield self._say(welcome(self.live.state, self.parts.phrases) + " ")
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

    def _welcomes(self, state: Conversation) -> bool:
        """Whether this is the first answer to a customer who is known; a call's greeting welcomes by itself."""
        if state.known_since or self.turn.medium == "voice":
            return state.known_since == self.turn.turn_id
        return state.customer_id is not None and len(state.turns) == 1

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
            turn_id=self.turn.turn_id,
            medium=self.turn.medium,
            business=self.parts.business,
            conversation=self.live.state,
            known=self.live.state.known,
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
            grounded_only = not self._model_may_speak()
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
        steps = [step for step in self.decision.chain() if step.action == "call" and step.tool]
        return [ToolCall(step.call_id, step.tool or "", dict(step.arguments)) for step in steps]

    def _model_may_speak(self) -> bool:
        """Whether a model may choose the words: not where a next task's question must follow a tool's outcome."""
        then = self.decision.then
        follows = self.decision.action in ("call", "drop") and then is not None
        return self.decision.action in _MODEL_MAY_SPEAK and not follows

    def _needs_confirmation(self, call: ToolCall) -> bool:
        """Whether a model asks for an effect that the customer has not confirmed."""
        tool = self.parts.tools.get(call.tool)
        if tool is None or not tool.confirm or self.parts.runner.checked(call):
            return False
        return not any(
            step.action == "call" and step.tool == call.tool and dict(step.arguments) == call.arguments
            for step in self.decision.chain()
        )

    async def _propose(self, call: ToolCall) -> Say:
        """Ask the customer before an effect that a model wants."""
        effect_id = effect_key(self.live.conversation_id, call.tool, call.arguments)
        decision = Decision(
            "confirm",
            MODEL_ASKED,
            task=self.decision.task,
            tool=call.tool,
            arguments=call.arguments,
            effect_id=effect_id,
            waiting=self.decision.waiting,
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
        task = self.parts.runner.start(call, self.live, self.turn.turn_id, begun=self.begun)
        if says and self.turn.medium == "voice":
            done, _ = await asyncio.wait({task}, timeout=FILLER_AFTER_SECS)
            if not done:
                yield self._say(f"{says} ")
        self.outcomes.append(await asyncio.shield(task))

    async def _hand_off(self) -> AsyncGenerator[Act, None]:
        """Write the brief, promise what is true, and pass control."""
        business, live = self.parts.business, self.live
        next_step = business.hand_off.voice if self.turn.medium == "voice" else business.hand_off.chat
        hand_off_id = f"hand-off-{self.turn.turn_id}"
        known = live.state.hand_off
        begun = known is not None and known.hand_off_id == hand_off_id
        if live.state.waits_for_human and not begun:
            yield self._say(self.parts.phrases.say("already_waiting", next=next_step))
            return
        if not begun:
            await self._request_hand_off(hand_off_id, next_step)
        yield self._say(next_step)
        yield HandOff(hand_off_id, self.decision.topic or "")

    async def _request_hand_off(self, hand_off_id: str, next_step: str) -> None:
        business, live = self.parts.business, self.live
        stamp = live.stamp(self.turn.turn_id)
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

    def _show(self) -> Show:
        """Sources, quick replies and receipts for the text channels; made from facts, never from prose."""
        business, decision = self.parts.business, self.decision
        passages = {p.source: p for p in make_passages(self.situation)}
        cited = dict.fromkeys(m.strip() for m in _CITED.findall("".join(self.said)))
        if self.turn.medium == "voice" and decision.action == "answer":
            cited = dict.fromkeys(list(passages)[:1])
        self.sources = tuple(Source(name, passages[name].url) for name in cited if name in passages)
        *_, asked = decision.chain()
        quick: tuple[str, ...] = ()
        if asked.action == "clarify":
            quick = tuple(business.intents[o].title for o in asked.options)
        elif asked.action == "which":
            quick = tuple(in_words(day) for day in asked.options)
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
