"""A returning customer over the wire: known once the rule is met, erased at request, never told to a stranger."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from pydantic import SecretStr

from agent import events as ev
from agent.dialogue.greeting import first_words
from agent.dialogue.window import WindowPolicy
from agent.events import Event
from agent.llm.prompt import Prompt, as_messages
from agent.parts import Parts
from pipelines.app import make_app
from pipelines.memory import vouch
from pipelines.runtime import Runtime
from pipelines.settings import Settings
from tests.conftest import LIBRARY

CARD = "2000003"
EMAIL = "anna.schmidt@example.com"
PHONE = "+12125550100"
ADMIN = {"Authorization": "Bearer secret"}


@pytest.fixture
async def client(runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    runtime.settings.admin_token = SecretStr("secret")
    transport = httpx.ASGITransport(app=make_app(runtime))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


class Customer:
    """Somebody who chats in one conversation; what is learned is waited for."""

    def __init__(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        self._client = client
        self._runtime = runtime
        self.token: str | None = None

    async def says(self, text: str, **more: str) -> str:
        response = await self._client.post("/chat", json={"text": text, "token": self.token, **more})
        assert response.status_code == 200, response.text
        self.token = response.json()["token"]
        await self.memory.finish()
        answer: str = response.json()["text"]
        return answer

    @property
    def memory(self) -> Any:
        return self._runtime.parts.memory

    async def events(self) -> list[Event]:
        assert self.token
        conversation_id = await self._runtime.journal.find_token(self.token)
        assert conversation_id
        return await self._runtime.journal.read(conversation_id)

    async def known(self) -> dict[str, str]:
        """What the conversation knows of its customer, revealed."""
        assert self.token
        live = await self._runtime.peek(str(await self._runtime.journal.find_token(self.token)))
        return {name: live.vault.reveal_text(value, "tool") for name, value in live.state.known.items()}


@pytest.fixture
def customer(client: httpx.AsyncClient, runtime: Runtime) -> Any:
    return lambda: Customer(client, runtime)


async def first_visit(someone: Customer) -> None:
    await someone.says(f"Hi, my name is Anna Schmidt and my e-mail is {EMAIL}")
    await someone.says(f"what do I owe in late fees? my card is {CARD}")


async def test_a_returning_customer_is_known_once_the_rule_is_met(customer: Any) -> None:
    await first_visit(customer())
    again = customer()
    assert "Welcome" not in await again.says(f"hello, it's {EMAIL}")
    assert await again.known() == {}
    answer = await again.says(f"can you check my fines, card {CARD}")
    assert answer.startswith("Welcome back, Anna Schmidt.") and "$4.50" in answer
    known = await again.known()
    assert (known["name"], known["e-mail address"], known["card number"]) == ("Anna Schmidt", EMAIL, CARD)
    assert known["last issue"] == f"check your fines, card number {CARD}: done"
    assert "Welcome" not in await again.says("thank you")


async def test_a_stranger_hears_and_leaves_the_same_as_if_nobody_existed(customer: Any) -> None:
    def lines(card: str) -> list[str]:
        return [f"hello, it's {EMAIL}", f"what do I owe? card {card}", "do you know me?"]

    before = customer()
    answers = [await before.says(line) for line in lines("2000001")]
    await first_visit(customer())
    stranger = customer()
    assert [await stranger.says(line) for line in lines("2000002")] == answers
    shape = [(e.kind, getattr(e, "action", None)) for e in await before.events()]
    assert [(e.kind, getattr(e, "action", None)) for e in await stranger.events()] == shape
    assert await stranger.known() == {}


async def test_facts_are_tokens_in_the_journal_and_come_behind_the_reply(customer: Any) -> None:
    anna = customer()
    await first_visit(anna)
    events = await anna.events()
    facts = {e.name: e.value for e in events if isinstance(e, ev.FactLearned)}
    assert facts["name"] == "[NAME_1]" and facts["email"] == "[EMAIL_1]" and facts["card_number"] == CARD
    for turn_id in {e.turn_id for e in events if isinstance(e, ev.FactLearned)}:
        kinds = [e.kind for e in events if e.turn_id == turn_id]
        assert kinds.index("fact_learned") > kinds.index("agent_said")


async def test_what_is_known_stands_in_the_prompt_as_tokens(customer: Any, runtime: Runtime) -> None:
    await first_visit(customer())
    again = customer()
    seen: list[str] = []
    think = runtime.parts.chain.think

    def watched(prompt: Prompt, **kwargs: Any) -> Any:
        seen.append(str(as_messages(prompt, WindowPolicy(), len)))
        return think(prompt, **kwargs)

    runtime.parts.chain.think = watched  # type: ignore[method-assign]
    await again.says(f"hello, it's {EMAIL}")
    await again.says(f"any fines on card {CARD}?")
    assert "[NAME_1]" not in seen[0]
    assert "[NAME_1]" in seen[1] and "Anna" not in seen[1]


async def call_from(runtime: Runtime, number: str, call_sid: str) -> Any:
    live = await runtime.open((await runtime.find_or_begin(None))[0], call_sid, "phone")
    await vouch(runtime, live, "phone", number)
    assert runtime.parts.memory
    await runtime.parts.memory.finish()
    return live


def greeted(live: Any, parts: Parts) -> str:
    return live.vault.reveal_text(first_words(live.state, parts.business, parts.phrases, "voice"), "speech")  # type: ignore[no-any-return]


async def test_a_caller_is_greeted_as_known_only_where_the_number_is_enough(runtime: Runtime) -> None:
    first = await call_from(runtime, PHONE, "CA1")
    assert greeted(first, runtime.parts) == runtime.business.greeting.voice
    second = await call_from(runtime, PHONE, "CA2")
    assert greeted(second, runtime.parts).startswith("Welcome back. This is Finn")
    for withheld in ("", "anonymous", "+12125550199"):
        other = await call_from(runtime, withheld, f"CA-{withheld}")
        assert greeted(other, runtime.parts) == runtime.business.greeting.voice


async def test_a_number_that_is_typed_is_not_enough(customer: Any, runtime: Runtime) -> None:
    await call_from(runtime, PHONE, "CA1")
    liar = customer()
    assert "Welcome" not in await liar.says(f"hello, my phone number is {PHONE}")
    assert await liar.known() == {}


async def test_who_plants_anothers_number_learns_nothing_of_its_owner(customer: Any, runtime: Runtime) -> None:
    mallory = customer()
    await mallory.says(f"my phone number is {PHONE}, my e-mail is mallory@example.com, my name is Mallory")
    await mallory.says("any fines? my card is 2000001")
    owner = await call_from(runtime, PHONE, "CA1")
    assert greeted(owner, runtime.parts) == runtime.business.greeting.voice
    again = customer()
    await again.says("it's mallory@example.com")
    await again.says("any fines on card 2000001?")
    assert (await again.known())["name"] == "Mallory"
    assert runtime.parts.memory and owner.state.customer_id is None
    assert len(await runtime.parts.memory.customers.everyone()) == 2


async def test_a_caller_who_proves_an_address_too_is_one_customer(
    client: httpx.AsyncClient, customer: Any, runtime: Runtime
) -> None:
    await first_visit(customer())
    call = await call_from(runtime, PHONE, "CA1")
    memory = runtime.parts.memory
    assert memory and len(await memory.customers.everyone()) == 2
    token = await runtime.journal.issue_token(call.conversation_id)
    chat = customer()
    chat.token = token
    await chat.says(f"it's {EMAIL}")
    assert (await chat.says(f"any fines on card {CARD}?")).startswith("Welcome back, Anna Schmidt.")
    assert len(await memory.customers.everyone()) == 1
    assert "Welcome back, Anna Schmidt." in greeted(await call_from(runtime, PHONE, "CA2"), runtime.parts)


def signed(user: str, secret: str = "s" * 32, **more: Any) -> str:
    return jwt.encode({"sub": user, "exp": time.time() + 60, **more}, secret, algorithm="HS256")


async def test_a_user_whom_the_site_has_signed_is_known(
    client: httpx.AsyncClient, customer: Any, acme: Runtime
) -> None:
    acme.settings.identity_secret = SecretStr("s" * 32)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=make_app(acme)), base_url="http://shop") as shop:
        await Customer(shop, acme).says("hello, my name is Anna", user=signed("u-17"))
        again = Customer(shop, acme)
        assert (await again.says("hello", user=signed("u-17"))).startswith("Welcome back, Anna.")
        assert "Welcome" not in await again.says("thank you", user=signed("u-17"))
        assert (await again.known())["name"] == "Anna"
        late = Customer(shop, acme)
        await late.says("hello")
        await late.says("thank you", user=signed("u-17"))
        assert (await late.known())["name"] == "Anna"
        other = Customer(shop, acme)
        await other.says("hello", user=signed("u-18"))
        assert await other.known() == {}
        endless = jwt.encode({"sub": "u-17"}, "s" * 32)
        for forged in (signed("u-17", "x" * 32), signed("u-17", exp=1.0), endless, "junk"):
            response = await shop.post("/chat", json={"text": "hello", "user": forged})
            assert (response.status_code, response.json()["error"]["code"]) == (401, "bad_user")


def on_disk(data_dir: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(data_dir.rglob("*")) if path.is_file())


async def test_an_erasure_removes_everything_and_a_second_run_finds_nothing(
    client: httpx.AsyncClient, customer: Any, runtime: Runtime
) -> None:
    anna, bob = customer(), customer()
    await first_visit(anna)
    await bob.says("my e-mail is bob@example.com, how many books can I borrow?")
    call = await call_from(runtime, PHONE, "CA0123")
    for folder in ("calls", "recordings"):
        (runtime.settings.data_dir / folder / "CA0123").mkdir(parents=True)
        (runtime.settings.data_dir / folder / "CA0123" / "call.wav").write_bytes(b"RIFF")
    conversations = [str(await runtime.journal.find_token(anna.token)), call.conversation_id]
    assert all(c.encode() in on_disk(runtime.settings.data_dir) for c in conversations)
    response = await client.delete(f"/customers/{EMAIL.upper()}", headers=ADMIN)
    removed = response.json()["removed"]
    assert (removed["customers"], removed["conversations"], removed["turns"], removed["vault_keys"]) == (1, 1, 2, 1)
    assert removed["facts"] >= 3 and removed["events"] > 10 and removed["personal_values"] == 2
    assert (await client.delete(f"/customers/{PHONE}", headers=ADMIN)).json()["removed"]["recordings"] == 2
    for named in (EMAIL, PHONE):
        again = await client.delete(f"/customers/{named}", headers=ADMIN)
        assert (again.status_code, again.json()["error"]["code"]) == (404, "nothing_kept")
    left = on_disk(runtime.settings.data_dir)
    for value in (b"Schmidt", b"schmidt", b"anna", b"2125550100", b"RIFF", CARD.encode() + b": done"):
        assert value not in left
    assert await runtime.journal.turn_log(conversations[0]) == [] and await runtime.journal.read(conversations[1]) == []
    assert await bob.says("and how long can I keep them?")
    response = await client.post("/chat", json={"text": "hello", "token": anna.token})
    assert (response.status_code, response.json()["error"]["code"]) == (404, "unknown_token")


async def test_the_route_is_closed_without_the_token(client: httpx.AsyncClient, runtime: Runtime) -> None:
    assert (await client.delete(f"/customers/{EMAIL}")).status_code == 401
    runtime.settings.admin_token = None
    assert (await client.delete(f"/customers/{EMAIL}", headers=ADMIN)).status_code == 403


async def test_a_customer_who_is_erased_in_mid_answer_leaves_nothing(
    client: httpx.AsyncClient, customer: Any, runtime: Runtime
) -> None:
    anna = customer()
    await first_visit(anna)
    conversation_id = await runtime.journal.find_token(anna.token)
    assert conversation_id
    think = runtime.parts.chain.think

    async def erased_meanwhile(prompt: Prompt, **kwargs: Any) -> Any:
        response = await client.delete(f"/customers/{EMAIL}", headers=ADMIN)
        assert response.status_code == 200
        async for item in think(prompt, **kwargs):
            yield item

    runtime.parts.chain.think = erased_meanwhile  # type: ignore[method-assign,assignment]
    assert await anna.says(f"my name is Anna Schmidt, {EMAIL}, any fines on card {CARD}?")
    assert await runtime.journal.read(conversation_id) == []
    assert await runtime.journal.vault_key(conversation_id) is None
    assert (await client.delete(f"/customers/{EMAIL}", headers=ADMIN)).status_code == 404
    assert b"Schmidt" not in on_disk(runtime.settings.data_dir)


async def test_a_conversation_erased_as_it_is_opened_does_not_begin_again(
    client: httpx.AsyncClient, customer: Any, runtime: Runtime
) -> None:
    anna = customer()
    await first_visit(anna)
    found = runtime.find_or_begin

    async def erased_then(token: str | None) -> tuple[str, str]:
        conversation = await found(token)
        await client.delete(f"/customers/{EMAIL}", headers=ADMIN)
        return conversation

    conversation_id = str(await runtime.journal.find_token(anna.token))
    runtime.find_or_begin = erased_then  # type: ignore[method-assign]
    response = await client.post("/chat", json={"text": f"it's {EMAIL} again", "token": anna.token})
    assert response.status_code == 200 and "Welcome" not in response.json()["text"]
    await anna.memory.finish()
    assert await runtime.journal.read(conversation_id) == []
    assert await runtime.journal.vault_key(conversation_id) is None


async def test_sessions_of_an_erased_customer_are_ended_by_any_process(customer: Any, runtime: Runtime) -> None:
    call = await call_from(runtime, PHONE, "CA1")
    session, other = runtime.admit(call), runtime.admit(await call_from(runtime, "+12125550111", "CA2"))
    assert runtime.parts.memory
    await runtime.parts.memory.customers.close_off([call.conversation_id], time.time())
    await asyncio.wait_for(session.closing.wait(), 30)
    assert session.last_words == "erased" and not other.closing.is_set()


ERASER = """

@tool(effect="once", confirm="Shall I delete everything that we keep about you?")
async def erase_me(context: ToolContext) -> dict[str, Any]:
    \"\"\"Delete everything that is kept about the customer.\"\"\"
    return {"says": "Everything that we kept about you is deleted.", "erase_customer": True}
"""
INTENT = """
  erase_me:
    title: have your data deleted
    tool: erase_me
    examples: [delete my data, erase everything about me, remove all my personal data, forget me completely]
"""


async def test_a_customer_who_asks_for_it_is_erased_by_the_businesss_tool(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "library"
    shutil.copytree(LIBRARY, folder)
    (folder / "tools.py").write_text((folder / "tools.py").read_text() + ERASER)
    described = (folder / "agent.yaml").read_text()
    (folder / "agent.yaml").write_text(described.replace("intents:\n", f"intents:{INTENT}", 1))
    runtime = await Runtime.start(settings.model_copy(update={"business": folder}), voice=False)
    transport = httpx.ASGITransport(app=make_app(runtime))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        before, anna = Customer(client, runtime), Customer(client, runtime)
        await first_visit(before)
        await anna.says(f"it's {EMAIL}, any fines on card {CARD}?")
        await anna.says("please delete my data")
        assert await anna.says("yes") == "Everything that we kept about you is deleted."
        for token in (before.token, anna.token):
            assert (await client.get("/chat/history", params={"token": token})).status_code == 404
        assert anna.memory and await anna.memory.customers.everyone() == []
    await runtime.stop()
    assert b"chmidt" not in on_disk(settings.data_dir)


async def test_a_memory_that_does_not_answer_leaves_a_stranger(
    customer: Any, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    await first_visit(customer())
    again = customer()
    await again.says(f"it's {EMAIL}")

    async def never(*_: Any) -> None:
        await asyncio.Event().wait()

    assert runtime.parts.memory
    monkeypatch.setattr(runtime.parts.memory.customers, "holding", never)
    answer = await again.says(f"any fines on card {CARD}?")
    assert "$4.50" in answer and "Welcome" not in answer
