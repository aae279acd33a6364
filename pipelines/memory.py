"""The long-term memory in a running server: opened at the start, asked as sessions begin, ended for whom is erased."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

import jwt
import structlog

from agent import events as ev
from agent.business import Business
from agent.errors import ProviderError
from agent.live import LiveConversation
from agent.memory.customers import Customers
from agent.memory.erase import Report, Stores, erase_conversation, erase_customer
from agent.memory.identity import Kind, claim
from agent.memory.recall import CALLERS_NUMBER, USER_ID, Memory
from agent.memory.sealing import Sealing
from agent.store.database import Database
from agent.store.passing import Home
from agent.understanding.understander import Understander
from pipelines.settings import Settings

if TYPE_CHECKING:
    from pipelines.runtime import Runtime, Session

LOOK_EVERY_SECS = 1.0
"""So soon a session ends whose customer was erased by another process."""
_FACTS: dict[Kind, tuple[str, str]] = {"phone": (CALLERS_NUMBER, "PHONE"), "user_id": (USER_ID, "USER")}
log = structlog.get_logger()


class NotSigned(Exception):
    """A user id without a valid signature of the business's site."""


async def open_memory(
    settings: Settings, business: Business, understander: Understander, journal: Home, key: bytes
) -> tuple[Memory, Database]:
    """The memory beside the journal, and the database to close in the end. Raises ProviderError."""
    database = Database(settings.journal_url)
    customers = await Customers.open(database, Sealing(key))
    stores = Stores(customers, journal, settings.data_dir)

    async def erase(conversation_id: str) -> None:
        await erase_conversation(conversation_id, stores, now=time.time())

    return Memory(customers, business, protect=understander.protect, erase=erase), database


def signed_user(settings: Settings, token: str) -> str:
    """The user id that the business's site has signed: `sub` of a JWT (RFC 7519) with HS256 and an `exp`.

    Raises NotSigned.
    """
    secret = settings.identity_secret.get_secret_value() if settings.identity_secret else ""
    if not secret:
        raise NotSigned("Set IDENTITY_SECRET to take signed user ids.")
    try:
        user = jwt.decode(token, secret, algorithms=["HS256"], options={"require": ["exp", "sub"]})["sub"]
    except jwt.InvalidTokenError:
        raise NotSigned("The user's signature does not fit, or has expired.") from None
    return str(user)


async def vouch(runtime: Runtime, live: LiveConversation, kind: Kind, value: str) -> None:
    """What the carrier or the site says of who this is; a customer who is known by it is known from now on."""
    found = claim(kind, value, runtime.business.region)
    if found is None:
        return
    name, token_kind = _FACTS[kind]
    token = live.vault.protect(token_kind, found.value, found.canonical)
    if (name, token) not in live.state.learned:
        await live.record(ev.FactLearned(name=name, value=token, **live.stamp()))
        if runtime.parts.memory:
            await live.record(*await runtime.parts.memory.recognise(live))
            runtime.parts.memory.learn(live)


async def erase_known(runtime: Runtime, customer: str) -> Report:
    """Erase a customer; sessions that carry their conversations are told and end. Raises ProviderError."""
    assert runtime.parts.memory
    stores = Stores(runtime.parts.memory.customers, runtime.journal, runtime.settings.data_dir)
    region = runtime.business.region
    report, conversation_ids = await erase_customer(customer, stores, region=region, now=time.time())
    _end(runtime.sessions.values(), set(conversation_ids))
    return report


async def end_erased(runtime: Runtime) -> None:
    """Ends, for as long as the server runs, the sessions of customers whom another process has erased."""
    while True:
        await asyncio.sleep(LOOK_EVERY_SECS)
        carried = {session.live.conversation_id for session in runtime.sessions.values()}
        if carried and runtime.parts.memory:
            try:
                _end(runtime.sessions.values(), await runtime.parts.memory.customers.erased(carried))
            except ProviderError as fault:  # the journal has said so already
                log.debug("it is not known whether a customer was erased", error=str(fault))


def _end(sessions: Iterable[Session], conversation_ids: set[str]) -> None:
    for session in sessions:
        if session.live.conversation_id in conversation_ids and not session.closing.is_set():
            session.end("erased")
