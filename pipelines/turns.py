"""One typed turn at a time in each conversation; and the end of a turn that a killed process left behind."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

from agent.acts import Act
from agent.live import LiveConversation
from agent.resume import CutTurn, find_cut_turn, seems_cut
from agent.store.journal import Lease
from pipelines.runtime import Runtime
from pipelines.text import answer
from transports.faults import EdgeFault

LEASE_SECS = 6.0
"""A killed process is waited for no longer than this; a living one renews in time."""
RENEW_SECS = 2.0
WAIT_SECS = 20.0
"""A message waits so long for the answer to the one before it."""


@asynccontextmanager
async def turn_of(runtime: Runtime, conversation_id: str) -> AsyncIterator[None]:
    """The right to answer in a conversation; waits while another session answers. Raises EdgeFault."""
    owner = secrets.token_hex(8)
    try:
        async with asyncio.timeout(WAIT_SECS):
            while True:
                lease = await runtime.journal.lease(conversation_id, "turn", owner, LEASE_SECS)
                if isinstance(lease, Lease):
                    break
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise EdgeFault(409, "busy", "I am still answering your last message. Please wait a moment.") from None
    async with _kept(lease):
        yield


@asynccontextmanager
async def present(runtime: Runtime, live: LiveConversation) -> AsyncIterator[None]:
    """While a session lasts that answers without `turn_of`: its turns are not taken for cut ones."""
    lease = await runtime.journal.lease(live.conversation_id, _session(live.session_id), live.session_id, LEASE_SECS)
    assert isinstance(lease, Lease)
    async with _kept(lease):
        yield


@asynccontextmanager
async def _kept(lease: Lease) -> AsyncIterator[None]:
    async def renew() -> None:
        while True:
            await asyncio.sleep(RENEW_SECS)
            await lease.renew()

    renewing = asyncio.create_task(renew())
    try:
        async with lease:
            yield
    finally:
        renewing.cancel()


async def cut_turn(runtime: Runtime, live: LiveConversation) -> CutTurn | None:
    """The last turn, where nobody finishes it; to be asked within `turn_of`."""
    if not seems_cut(live.state):
        return None
    cut = find_cut_turn(live.conversation_id, await runtime.journal.read(live.conversation_id))
    if cut is None:
        return None
    session = _session(cut.said.session_id or "")
    free = await runtime.journal.lease(live.conversation_id, session, "asks whether it lives", LEASE_SECS)
    if not isinstance(free, Lease):
        return None
    await free.release()
    return cut


async def finish_cut_turn(runtime: Runtime, live: LiveConversation) -> list[Act]:
    """Answer what a killed process left unanswered; the acts, none where nothing was cut. Raises EdgeFault."""
    if not seems_cut(live.state):
        return []
    async with turn_of(runtime, live.conversation_id):
        await live.refresh()
        cut = await cut_turn(runtime, live)
        return await acts_of(cut, runtime, live) if cut else []


async def acts_of(cut: CutTurn, runtime: Runtime, live: LiveConversation) -> list[Act]:
    """The whole answer to a cut turn."""
    async with aclosing(answer(cut, live, runtime.parts)) as acts:
        return [act async for act in acts]


def _session(session_id: str) -> str:
    return f"session-{session_id}"
