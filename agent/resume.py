"""Finishes a typed turn that a killed process left behind, from the journal alone.

    what stands in the journal                       what is done
    -----------------------------------------------  --------------------------------------------------
    UserSaid                                         understood and decided as if it had just been said
    ... Decided                                      carried out, as it was decided
    ... EffectStarted, of a safe or a keyed tool     run again with the same key; its first result stands
    ... EffectStarted, of another tool               not run again; its outcome is unknown, and told so
    ... EffectEnded                                  told
    ... AgentSaid, or Heard                          nothing: the turn is over

An append stands whole or not at all, so a turn is cut between two appends only.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from agent import events as ev
from agent.acts import Act
from agent.answer import MODEL_ASKED
from agent.conversation import Conversation, fold
from agent.dialogue.policy import Decision, Situation
from agent.events import Event
from agent.live import LiveConversation
from agent.parts import Parts, TurnHeard
from agent.reply import carry_out, reply, retrieve


@dataclass(frozen=True)
class CutTurn:
    """What the journal has of a turn that nobody finishes any more."""

    said: ev.UserSaid
    before: Conversation
    """The conversation as it was when the customer spoke."""
    decided: tuple[ev.Decided, ...]
    begun: frozenset[str]
    """Effects that were started in the turn."""

    @property
    def turn_id(self) -> str:
        return self.said.turn_id or ""


def seems_cut(conversation: Conversation) -> bool:
    """Whether the last turn has no answer; cheap, and `find_cut_turn` says for certain."""
    last = conversation.turns[-1] if conversation.turns else None
    return bool(last and last.user_text and not (last.spoken or last.agent_text or last.heard_text))


def find_cut_turn(conversation_id: str, events: Sequence[Event]) -> CutTurn | None:
    """The last turn, where it was typed and its answer is missing."""
    start = max((i for i, event in enumerate(events) if isinstance(event, ev.UserSaid)), default=None)
    if start is None:
        return None
    said = events[start]
    assert isinstance(said, ev.UserSaid)
    of_turn = [event for event in events[start:] if event.turn_id == said.turn_id]
    decided = tuple(event for event in of_turn if isinstance(event, ev.Decided))
    answered = any(isinstance(event, ev.AgentSaid | ev.Heard) for event in of_turn)
    if said.spoken or answered or any(each.action == "forward" for each in decided):
        return None
    begun = frozenset(event.effect_id for event in of_turn if isinstance(event, ev.EffectStarted))
    return CutTurn(said, fold(conversation_id, events[:start]), decided, begun)


async def finish(cut: CutTurn, live: LiveConversation, parts: Parts) -> AsyncGenerator[Act, None]:
    """The turn's answer, as `reply` gives it."""
    turn = TurnHeard(cut.turn_id, cut.said.text, "text", confidence=cut.said.confidence)
    understood = await parts.understander.understand(turn.text, cut.before, parts.today(cut.said.at))
    found = await retrieve(understood, parts)
    if not cut.decided:
        acts = reply(turn, understood, found, live, parts)
    else:
        situation = Situation(
            live.state, parts.business, parts.tools, understood, found, confidence=turn.confidence, ear=parts.ear
        )
        acts = carry_out(_decision(cut.decided), situation, turn, live, parts, begun=cut.begun)
    async with aclosing(acts):
        async for act in acts:
            yield act


def _decision(decided: Sequence[ev.Decided]) -> Decision:
    """What was decided, as the journal has it. A question that a model came to stands alone."""
    first, *more = map(_one_decision, decided)
    if not more:
        return first
    return more[-1] if more[-1].reasons == MODEL_ASKED else replace(first, then=more[0])


def _one_decision(event: ev.Decided) -> Decision:
    details = {**event.details, "options": tuple(event.details.get("options") or ())}
    return Decision(action=event.action, reasons=tuple(event.reasons), **details)  # type: ignore[arg-type]
