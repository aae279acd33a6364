"""/ws/chat, driven with Pipecat's own RTVI message models over a real socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from pipecat.processors.frameworks.rtvi import models as RTVI
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from pipelines.app import make_app
from pipelines.main import WS_MAX_BYTES, Server
from pipelines.runtime import Runtime


@pytest.fixture
async def url(runtime: Runtime) -> AsyncIterator[str]:
    config = uvicorn.Config(
        make_app(runtime), port=0, log_config=None, ws="websockets-sansio", ws_max_size=WS_MAX_BYTES, lifespan="off"
    )
    server = Server(config)
    serving = asyncio.create_task(server.serve())
    await server.up.wait()
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"ws://127.0.0.1:{port}/ws/chat"
    server.should_exit = True
    await serving


TOO_LONG = json.dumps({"label": "rtvi-ai", "type": "send-text", "id": "1", "data": {"content": "a" * 50_000}})


class Client:
    """An RTVI client on one socket."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.seen: list[dict[str, Any]] = []

    async def send(self, kind: str, data: Any = None) -> None:
        message = RTVI.Message(type=kind, id=f"m{len(self.seen)}", data=data)  # type: ignore[call-arg]
        await self._socket.send(message.model_dump_json())

    async def send_raw(self, text: str) -> None:
        await self._socket.send(text)

    async def until(self, kind: str, data_type: str | None = None) -> dict[str, Any]:
        """The data of the next message of a kind."""
        async with asyncio.timeout(20):
            while True:
                message: dict[str, Any] = json.loads(await self._socket.recv())
                assert message["label"] == "rtvi-ai"
                self.seen.append(message)
                data: dict[str, Any] = message.get("data") or {}
                if message["type"] == kind and data_type in (None, data.get("type")):
                    return data

    async def say(self, text: str) -> str:
        """A turn; the streamed answer."""
        start = len(self.seen)
        await self.send("send-text", RTVI.SendTextData(content=text).model_dump(exclude_none=True))
        await self.until("server-message", "done")
        pieces = [m["data"]["text"] for m in self.seen[start:] if m["type"] == "bot-llm-text"]
        return "".join(pieces)


@asynccontextmanager
async def joined(url: str, token: str | None = None) -> AsyncIterator[tuple[Client, str, list[dict[str, Any]]]]:
    """A client that is ready: with its token and the history it was given."""
    async with connect(url + (f"?token={token}" if token else "")) as socket:
        client = Client(socket)
        await client.send("client-ready", {"version": RTVI.PROTOCOL_VERSION, "about": {"library": "tests"}})
        await client.until("bot-ready")
        told = await client.until("server-message", "token")
        history = await client.until("server-message", "history")
        yield client, told["token"], history["turns"]


async def test_an_answer_is_streamed_and_a_reconnect_resumes_with_history(url: str) -> None:
    async with joined(url) as (client, token, history):
        assert history == []
        text = await client.say("How many books can I borrow at the same time?")
        assert "20 books" in text
        shown = [m["data"] for m in client.seen if m["type"] == "server-message" and m["data"]["type"] == "show"]
        assert shown[0]["sources"][0]["name"] == "Borrowing"
    async with joined(url, token) as (_, again, history):
        assert again == token
        assert [t["who"] for t in history] == ["customer", "agent"]
        assert "20 books" in history[1]["text"]


async def test_a_message_while_the_agent_answers_keeps_the_order_of_turns(url: str, runtime: Runtime) -> None:
    async with joined(url) as (client, token, _):
        first = RTVI.SendTextData(content="How many books can I borrow at the same time?")
        second = RTVI.SendTextData(content="what do I owe in late fees?")
        await client.send("send-text", first.model_dump(exclude_none=True))
        await client.send("send-text", second.model_dump(exclude_none=True))
        said_by_agent = ""
        while "card number" not in said_by_agent:
            said_by_agent += (await client.until("bot-llm-text"))["text"]
    async with joined(url, token) as (_, _, history):
        said = [t["text"] for t in history if t["who"] == "customer"]
        assert said == [first.content, second.content]


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ("{not json", "bad_json"),
        ("[" * 100_000, "bad_json"),
        ('{"type": "send-text"}', "bad_message"),
        ('{"label": "rtvi-ai", "type": ["send-text"], "id": "1"}', "unknown_type"),
        ('{"label": "rtvi-ai", "type": "send-text", "id": "1", "data": "hi"}', "bad_message"),
        ('{"label": "rtvi-ai", "type": "client-message", "id": "1", "data": 7}', "bad_message"),
        ('{"label": "rtvi-ai", "type": "raw-audio", "id": "1", "data": {}}', "unknown_type"),
        ('{"label": "rtvi-ai", "type": "send-text", "id": "1", "data": {"content": "  "}}', "empty_text"),
        (TOO_LONG, "text_too_long"),
    ],
    ids=["no JSON", "nested", "no label", "listed type", "data", "client data", "audio", "empty", "too long"],
)
async def test_a_malformed_message_gets_a_clear_word_and_the_session_goes_on(url: str, raw: str, code: str) -> None:
    async with joined(url) as (client, _, _):
        await client.send_raw(raw)
        kind = "error-response" if '"id"' in raw else "error"
        assert (await client.until(kind))["code"] == code
        assert await client.say("hello")


async def test_a_message_of_a_megabyte_closes_its_own_session_only(url: str) -> None:
    async with joined(url) as (other, _, _):
        async with joined(url) as (client, _, _):
            with pytest.raises(ConnectionClosed):
                await client.send_raw("a" * 1_000_000)
                await client.until("nothing")
        assert await other.say("hello")


async def test_an_unknown_token_is_refused(url: str) -> None:
    async with connect(f"{url}?token=nobody-knows-it") as socket:
        assert json.loads(await socket.recv())["data"]["code"] == "unknown_token"
        with pytest.raises(ConnectionClosed):
            await socket.recv()


async def test_sessions_are_told_when_the_server_goes_down(url: str, runtime: Runtime) -> None:
    async with joined(url) as (client, _, _):
        stopping = asyncio.create_task(runtime.stop())
        assert (await client.until("server-message", "closing"))["text"]
        await stopping
