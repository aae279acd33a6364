"""One answer while it is made: tools, words, what is shown, and what of it was said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Set
from contextlib import aclosing

from agent import events as ev
from agent.acts import Act, EndCall, HandOff, Say, Show, Source, Working
from agent.conversation import Conversation
from agent.dialogue.greeting import welcome
from agent.dialogue.policy import Decision, Situation
from agent.dialogue.written import write_down
from agent.handoff.brief import brief
from agent.knowledge.citations import Citations
from agent.live import LiveConversation
from agent.llm.grounded import confirm_question
from agent.llm.prompt import Prompt, TextDelta, ToolCall, ToolOutcome, make_passages
from agent.parts import Parts, TurnHeard
from agent.showing import quick_replies, receipts, sources
from agent.tools.running import effect_key

MAX_TOOL_ROUNDS = 4
FILLER_AFTER_SECS = 0.8
"""A tool that takes longer on a call is covered by its filler."""
MODEL_ASKED = ("the model asked for it",)
_MODEL_MAY_SPEAK = frozenset({"ask", "answer", "chat", "unknown", "call"})
"""Decisions whose words a model may choose; those of all others are fixed."""


class Answer:
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
        passages = make_passages(self.situation)
        self.sources = sources(self.decision, passages, "".join(self.said), self.turn.medium)
        show = Show(
            self.sources, quick_replies(self.decision, self.parts.business), cards=receipts(self.outcomes, self.parts)
        )
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
        await write_down(decision, self.situation, self.live, self.turn.turn_id)
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
