"""The chat desk: typed messages through the text pipeline, one turn at a time in each conversation."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from agent import events as ev
from agent.acts import Act, Say
from agent.conversation import Conversation
from agent.live import LiveConversation
from agent.parts import Parts
from agent.resume import CutTurn, seems_cut
from agent.store.vault import ConversationVault
from pipelines.memory import NotSigned, signed_user, vouch
from pipelines.runtime import Runtime, UnknownToken
from pipelines.settings import Settings
from pipelines.text import answer
from pipelines.turns import acts_of, cut_turn, finish_cut_turn, turn_of
from transports.chat import Opened
from transports.faults import EdgeFault


class Desk:
    """`ChatDesk` of transports/chat.py over the runtime."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def say(self, text: str, token: str | None, user: str | None = None) -> AsyncGenerator[Opened | Act, None]:
        signed = checked_user(self._runtime.settings, user)
        conversation_id, token = await self._find(token)
        parts = self._runtime.parts
        async with turn_of(self._runtime, conversation_id):
            live = await self._open(conversation_id)
            if signed:
                await vouch(self._runtime, live, "user_id", signed)
            yield Opened(token)
            said: str | CutTurn = text
            cut = await cut_turn(self._runtime, live)
            if cut and _is(text, cut, live, parts):
                said = cut
            elif cut:
                for act in await acts_of(cut, self._runtime, live):
                    if isinstance(act, Say):
                        yield act
                yield Say("\n\n")
            async with aclosing(answer(said, live, parts)) as acts:
                async for act in acts:
                    yield act

    async def history(self, token: str) -> list[dict[str, Any]]:
        conversation_id, _ = await self._find(token)
        live = await self._runtime.peek(conversation_id)
        if seems_cut(live.state):
            live = await self._open(conversation_id)
            await finish_cut_turn(self._runtime, live)
        return told_turns(live.state, live.vault)

    async def later(self, token: str) -> AsyncGenerator[tuple[str, dict[str, Any]], None]:
        conversation_id, _ = await self._find(token)
        live = await self._runtime.peek(conversation_id)
        yield "state", {"state": "with_human" if live.state.with_human else "listening", "words": ""}
        async for event in self._runtime.journal.watch(conversation_id, live.state.version):
            match event:
                case ev.HumanSaid():
                    text = live.vault.reveal_text(event.text, "text")
                    yield "message", {"who": "human", "name": event.name, "text": text}
                case ev.HandOffMoved():
                    yield "state", {"state": event.state, "words": ""}
                case ev.AgentSaid() if not event.session_id:
                    text = live.vault.reveal_text(event.text, "text")
                    yield "message", {"who": "agent", "name": self._runtime.business.agent_name, "text": text}
        if self._runtime.draining:
            yield "state", {"state": "closing", "words": self._runtime.parts.phrases.say("closing")}

    async def _open(self, conversation_id: str) -> LiveConversation:
        return await self._runtime.open(conversation_id, f"chat-{conversation_id}", "text")

    async def _find(self, token: str | None) -> tuple[str, str]:
        if self._runtime.draining:
            raise EdgeFault(503, "closing", self._runtime.parts.phrases.say("closing"))
        try:
            return await self._runtime.find_or_begin(token)
        except UnknownToken:
            raise EdgeFault(
                404, "unknown_token", "This token leads to no conversation; send null to begin one."
            ) from None


def _is(text: str, cut: CutTurn, live: LiveConversation, parts: Parts) -> bool:
    """Whether a message is the cut turn's own, sent once more."""
    heard = parts.understander.hear(text, live.vault, cut.before.pending, spoken=False)
    return parts.understander.protect(heard, live.vault) == cut.said.text


def checked_user(settings: Settings, user: str | None) -> str:
    """The user whom the business's site has signed; empty where none is named. Raises EdgeFault."""
    try:
        return signed_user(settings, user) if user else ""
    except NotSigned as fault:
        raise EdgeFault(401, "bad_user", str(fault)) from None


def told_turns(state: Conversation, vault: ConversationVault) -> list[dict[str, Any]]:
    """The conversation as its customer saw and heard it."""
    turns: list[dict[str, Any]] = []
    for turn in state.turns:
        said: list[tuple[str, str, str, list[str]]] = [("customer", "", turn.user_text, [])]
        said += [("human", name, text, []) for name, text in turn.human_texts]
        said.append(("agent", "", turn.known_agent_text, turn.sources))
        for who, name, text, sources in said:
            if text:
                told = vault.reveal_text(text, "text")
                named = [{"name": source} for source in dict.fromkeys(sources)]
                turns.append({"who": who, "name": name, "text": told, "channel": turn.channel, "sources": named})
    return turns
