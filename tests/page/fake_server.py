"""A server with a script: it serves the page's built files and says on the chat wire what a test wants."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles

STATIC = Path(__file__).parents[2] / "transports" / "page" / "static"
CSP = (
    "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; "
    "media-src 'self' blob:; style-src 'self'; script-src 'self'"
)
TOKEN = "a-token"

logging.getLogger("uvicorn").setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class Event:
    """One server-sent event."""

    name: str
    data: dict[str, Any]


class Gate:
    """A step at which the answer waits until the test, in its own thread, opens it."""

    def __init__(self) -> None:
        self._open = False
        self._waiting: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None
        self._lock = threading.Lock()

    def open(self) -> None:
        with self._lock:
            self._open = True
            if self._waiting is not None:
                loop, opened = self._waiting
                loop.call_soon_threadsafe(opened.set)

    async def passed(self) -> None:
        opened = asyncio.Event()
        with self._lock:
            self._waiting = asyncio.get_running_loop(), opened
            if self._open:
                opened.set()
        await opened.wait()


class Cut:
    """A step at which the connection breaks."""


Step = Event | Gate | Cut


def delta(text: str) -> Event:
    return Event("delta", {"text": text})


def state(name: str, words: str = "") -> Event:
    return Event("state", {"state": name, "words": words})


def done(text: str, **more: Any) -> Event:
    answer = {
        "text": text, "token": TOKEN, "turn_id": "t1", "sources": [], "quick_replies": [], "buttons": [],
        "cards": [], "handed_off": False, "with_human": False,
    }  # fmt: skip
    return Event("done", answer | more)


@dataclass
class FakeServer:
    """`answers` maps what a customer writes to the steps of the answer; anything else is echoed."""

    answers: dict[str, list[Step]] = field(default_factory=dict)
    refusals: dict[str, tuple[int, str, str]] = field(default_factory=dict)
    """What is written -> status, code and message of the refusal."""
    history: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    received: list[dict[str, Any]] = field(default_factory=list)
    hung_up: list[str] = field(default_factory=list)
    """Texts whose answer the page stopped listening to."""
    business: dict[str, Any] = field(
        default_factory=lambda: {
            "name": "Bluebird Books",
            "line": "Ask about a book, an order or a visit.",
            "accent": "#0f766e",
            "starters": ["When do you open?", "Where is my order?", "Can I return a book?"],
            "language": "en",
            "voice": True,
        }
    )
    extra: list[Any] = field(default_factory=list)
    """Functions that add routes to the app."""
    port: int = 0
    _server: uvicorn.Server | None = None
    _thread: threading.Thread | None = None
    _later: dict[str, list[asyncio.Queue[Event]]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Serves from a thread; a second start keeps the port, as a restarted server does."""
        listener = socket.create_server(("127.0.0.1", self.port))
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(self._app(), log_config=None, lifespan="off", timeout_graceful_shutdown=0)
        self._server = uvicorn.Server(config)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, args=(self._server, listener), daemon=True)
        self._thread.start()

    def _run(self, server: uvicorn.Server, listener: socket.socket) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(server.serve(sockets=[listener]))
        self._loop.run_until_complete(self._drop_everything(server))
        self._loop.close()

    async def _drop_everything(self, server: uvicorn.Server) -> None:
        """A killed server's sockets close at once."""
        for connection in list(server.server_state.connections):
            connection.transport.abort()  # type: ignore[union-attr]
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def stop(self) -> None:
        assert self._server is not None and self._thread is not None
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(timeout=10)
        self._later.clear()

    def later(self, name: str, data: dict[str, Any], token: str = TOKEN) -> None:
        """Sends an event to every page that listens on `/chat/events`."""
        for queue in self._later.get(token, []):
            self._loop.call_soon_threadsafe(queue.put_nowait, Event(name, data))

    def listeners(self, token: str = TOKEN) -> int:
        return len(self._later.get(token, []))

    def _app(self) -> FastAPI:
        app = FastAPI()

        @app.middleware("http")
        async def protect(request: Request, call_next: Any) -> Response:
            response: Response = await call_next(request)
            response.headers["Content-Security-Policy"] = CSP
            return response

        app.get("/business")(self._get_business)
        app.post("/chat/stream")(self._stream)
        app.get("/chat/history")(self._get_history)
        app.get("/chat/events")(self._events)
        for add in self.extra:
            add(app)
        app.mount("/", StaticFiles(directory=STATIC, html=True))
        return app

    async def _get_business(self) -> JSONResponse:
        return JSONResponse(self.business)

    async def _get_history(self, token: str) -> JSONResponse:
        if token not in self.history:
            return refusal(404, "unknown_token", "This conversation is not known.")
        return JSONResponse({"turns": self.history[token]})

    async def _stream(self, request: Request) -> Response:
        body = await request.json()
        self.received.append(body)
        text = body["text"]
        if body["token"] not in (None, TOKEN):
            return refusal(404, "unknown_token", "This conversation is not known.")
        if text in self.refusals:
            return refusal(*self.refusals[text])
        steps = self.answers.get(text, [delta(f"You said {text}"), done(f"You said {text}")])
        return StreamingResponse(self._play(text, steps), media_type="text/event-stream")

    async def _play(self, text: str, steps: list[Step]) -> AsyncIterator[str]:
        finished = False
        try:
            for step in steps:
                if isinstance(step, Gate):
                    await step.passed()
                elif isinstance(step, Cut):
                    raise ConnectionResetError
                else:
                    yield written(step)
            finished = True
        finally:
            if not finished:
                self.hung_up.append(text)

    async def _events(self, token: str) -> Response:
        queue: asyncio.Queue[Event] = asyncio.Queue()
        self._later.setdefault(token, []).append(queue)

        async def events() -> AsyncIterator[str]:
            try:
                yield ": hello\r\n\r\n"
                while True:
                    yield written(await queue.get())
            finally:
                if queue in self._later.get(token, []):
                    self._later[token].remove(queue)

        return StreamingResponse(events(), media_type="text/event-stream")


def refusal(status: int, code: str, message: str) -> JSONResponse:
    return JSONResponse({"error": {"code": code, "message": message}}, status_code=status)


def written(event: Event) -> str:
    return f"event: {event.name}\r\ndata: {json.dumps(event.data)}\r\n\r\n"
