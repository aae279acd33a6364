"""A web server for a test's own app, and a phone agent that does what the test says."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

import pytest
import pytest_asyncio
import uvicorn
from fastapi import FastAPI, Request, Response, WebSocket, WebSocketDisconnect
from twilio.twiml.voice_response import Connect, VoiceResponse

from lab.carriers import mulaw
from lab.carriers.mulaw import Samples

Serve = Callable[[FastAPI], str]
OnMessage = Callable[["PhoneAgent", dict[str, Any]], Awaitable[None]]


class PhoneAgent:
    """A voice webhook and its media endpoint; `on_message` is what the agent does."""

    def __init__(self, serve: Serve, on_message: OnMessage | None, stream_base: str | None) -> None:
        self.messages: list[dict[str, Any]] = []
        self.arrivals: list[float] = []
        self.form: dict[str, str] = {}
        self.headers: list[dict[str, str]] = []
        self.closed = asyncio.Event()
        self._on_message = on_message
        app = self.app = FastAPI()
        app.post("/twilio/voice")(self._voice)
        app.websocket("/twilio/media")(self._media)
        self.base_url = serve(app)
        self._stream_base = stream_base or self.base_url.replace("http", "ws")
        self._socket: WebSocket

    @property
    def voice_url(self) -> str:
        return f"{self.base_url}/twilio/voice"

    @property
    def stream_url(self) -> str:
        return f"{self._stream_base}/twilio/media"

    def of(self, event: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["event"] == event]

    async def send(self, event: str, **content: Any) -> None:
        stream_sid = self.of("start")[0]["streamSid"]
        await self._socket.send_text(json.dumps({"event": event, "streamSid": stream_sid, **content}))

    async def play(self, pcm16: Samples) -> None:
        await self.send("media", media={"payload": base64.b64encode(mulaw.encode(pcm16)).decode()})

    async def raw(self, text: str) -> None:
        await self._socket.send_text(text)

    async def hang_up(self) -> None:
        await self._socket.close()

    async def _voice(self, request: Request) -> Response:
        self.form = dict(parse_qsl((await request.body()).decode(), strict_parsing=True))
        self.headers.append(dict(request.headers))
        connect = Connect()
        connect.stream(url=self.stream_url).parameter(name="ticket", value="once only & <true>")
        answer = VoiceResponse()
        answer.append(connect)
        return Response(str(answer), media_type="application/xml")

    async def _media(self, socket: WebSocket) -> None:
        self._socket = socket
        self.headers.append(dict(socket.headers))
        await socket.accept()
        try:
            while True:
                message = json.loads(await socket.receive_text())
                self.messages.append(message)
                self.arrivals.append(asyncio.get_running_loop().time())
                if self._on_message:
                    await self._on_message(self, message)
        except (WebSocketDisconnect, RuntimeError):
            self.closed.set()


@pytest_asyncio.fixture
async def serve() -> AsyncIterator[Serve]:
    """`serve(app)` returns the app's base URL; it runs until the test is over."""
    running: list[tuple[uvicorn.Server, asyncio.Task[None]]] = []

    def start(app: FastAPI) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
        running.append((server, asyncio.create_task(server.serve(sockets=[listener]))))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for server, task in running:
        server.should_exit = server.force_exit = True
        await task


@pytest.fixture
def phone_agent(serve: Serve) -> Callable[..., PhoneAgent]:
    """`phone_agent(on_message=None, stream_base=None)` answers the phone."""

    def make(on_message: OnMessage | None = None, stream_base: str | None = None) -> PhoneAgent:
        return PhoneAgent(serve, on_message, stream_base)

    return make
