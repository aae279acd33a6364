"""Postgres gone in mid-conversation, as a customer of the chat meets it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from agent import events as ev
from agent.store.keys import VaultKeyFault
from agent.store.shelter import Shelter
from agent.store.sql import SqlJournal
from pipelines.app import make_app
from pipelines.runtime import Runtime
from pipelines.settings import Settings
from tests.agent.store.conditions import until
from tests.servers import PostgresServer, Proxy, running

CARD = "2000001"


@pytest.fixture
def postgres() -> Iterator[PostgresServer]:
    with running(PostgresServer()) as server:
        yield server


@pytest.fixture
async def proxy(postgres: PostgresServer) -> AsyncIterator[Proxy]:
    async with Proxy(postgres.port) as proxy:
        yield proxy


@pytest.fixture
async def runtime(settings: Settings, postgres: PostgresServer, proxy: Proxy) -> AsyncIterator[Runtime]:
    shared = {
        "database_url": postgres.url.replace(str(postgres.port), str(proxy.port)),
        "vault_key": SecretStr("QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="),
    }
    started = await Runtime.start(settings.model_copy(update=shared), voice=False)
    yield started
    await started.stop()


async def test_the_conversation_goes_on_and_an_effect_is_refused_truly(
    runtime: Runtime, proxy: Proxy, postgres: PostgresServer
) -> None:
    transport = httpx.ASGITransport(app=make_app(runtime))
    async with httpx.AsyncClient(transport=transport, base_url="http://test", timeout=60) as client:

        async def say(text: str, token: str | None = None) -> dict[str, Any]:
            answer: dict[str, Any] = (await client.post("/chat", json={"text": text, "token": token})).json()
            return answer

        token = (await say("hello"))["token"]
        await proxy.cut()
        with capture_logs() as lines:
            page = await say("how many books can I borrow at once?", token)
            refused = await say(f"please renew my books, my card number is {CARD}", token)
            looked_up = await say(f"what do I owe in late fees? card {CARD}", token)
            begun = await say("what are your opening hours?")
            stranger = await say("hello", "of-a-conversation-at-another-server")
        assert page["sources"] and begun["text"] and looked_up["text"]
        assert stranger["error"]["code"] == "unavailable"
        assert refused["text"] == runtime.parts.phrases.say("tool_waits")
        assert sum("database is gone" in line["event"] for line in lines) == 1
        assert not any(line["log_level"] == "error" for line in lines)
        await proxy.open()
        assert isinstance(runtime.journal, Shelter)
        shelter = runtime.journal
        await until(lambda: not shelter.away)
        done = await say("please renew my books", token)
        assert done["text"] not in (refused["text"], "")
    journal = await SqlJournal.open(postgres.url, clock=lambda: 0.0)
    conversation_id = await journal.find_token(token)
    assert conversation_id and await journal.find_token(begun["token"])
    events = await journal.read(conversation_id)
    await journal.close()
    said = [event.text for event in events if isinstance(event, ev.UserSaid)]
    assert [text.split()[0] for text in said] == ["hello", "how", "please", "what", "please"]
    renewals = [event.effect_id for event in events if isinstance(event, ev.EffectStarted) and event.effect == "once"]
    assert len(renewals) == 1
    ended = [event.status for event in events if isinstance(event, ev.EffectEnded) and event.effect_id in renewals]
    assert ended == ["failed", "done"]


async def test_a_shared_database_without_the_vaults_key_stops_the_start(settings: Settings) -> None:
    shared = settings.model_copy(update={"database_url": "postgresql://nobody@127.0.0.1:9/none"})
    with pytest.raises(VaultKeyFault, match="VAULT_KEY must be set"):
        await Runtime.start(shared, voice=False)
