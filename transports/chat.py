"""Text by HTTP: plain JSON, server-sent events, and what comes later by itself.

    POST /chat           {"text", "token", "user"} -> the whole answer; "user" is signed by the business's site
    POST /chat/stream    the same -> events `state`, `delta`, then `done` or `error`
    GET  /chat/events    ?token= -> events `message` and `state`, as they happen
    GET  /chat/history   ?token= -> the turns so far

Errors are {"error": {"code", "message"}} with a 4xx.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from sse_starlette import EventSourceResponse

from agent.acts import Act, Done, Say, Show, Working
from agent.understanding.cleaning import clean
from transports.faults import EdgeFault, json_body

MAX_TEXT_CHARS = 4_000
log = structlog.get_logger()


@dataclass(frozen=True)
class Opened:
    """The conversation that a message belongs to; comes before its acts."""

    token: str


class ChatDesk(Protocol):
    """What the routes need of the rest of the house."""

    def say(self, text: str, token: str | None, user: str | None = None) -> AsyncGenerator[Opened | Act, None]:
        """The answer to a message. Raises EdgeFault before the first item."""
        ...

    async def history(self, token: str) -> list[dict[str, Any]]: ...

    def later(self, token: str) -> AsyncGenerator[tuple[str, dict[str, Any]], None]:
        """(event, data) pairs of what happens by itself from now on. Raises EdgeFault before the first."""
        ...


@dataclass
class ChatAnswer:
    """The answer's object, gathered from its acts."""

    token: str | None = None
    text: str = ""
    turn_id: str = ""
    handed_off: bool = False
    with_human: bool = False
    show: Show = field(default_factory=Show)

    def take(self, item: Opened | Act) -> None:
        match item:
            case Opened():
                self.token = item.token
            case Say():
                self.text += item.text
            case Show():
                self.show = item
            case Done():
                self.turn_id = item.turn_id
                self.handed_off = item.handed_off
                self.with_human = item.with_human

    def as_json(self) -> dict[str, Any]:
        return {
            "text": self.text.strip(),
            "token": self.token,
            "turn_id": self.turn_id,
            **shown(self.show),
            "handed_off": self.handed_off,
            "with_human": self.with_human,
        }


def shown(show: Show) -> dict[str, Any]:
    """`Show` as it goes over the wire."""
    return {
        "sources": [{"name": s.name, **({"url": s.url} if s.url else {})} for s in show.sources],
        "quick_replies": list(show.quick_replies),
        "buttons": [
            {"title": b.title, **({"text": b.text} if b.text else {}), **({"url": b.url} if b.url else {})}
            for b in show.buttons
        ],
        "cards": [{"title": c.title, "rows": [list(row) for row in c.rows]} for c in show.cards],
    }


def chat_routes(desk: ChatDesk) -> APIRouter:
    routes = APIRouter()

    @routes.post("/chat")
    async def chat(request: Request) -> Response:
        try:
            message = await _message(request)
            answer = ChatAnswer()
            async with aclosing(desk.say(*message)) as items:
                async for item in items:
                    answer.take(item)
        except EdgeFault as fault:
            return fault.response()
        return JSONResponse(answer.as_json())

    @routes.post("/chat/stream")
    async def stream(request: Request) -> Response:
        try:
            items = desk.say(*await _message(request))
            opened = await anext(items)
        except EdgeFault as fault:
            return fault.response()
        return EventSourceResponse(_as_events(opened, items))

    @routes.get("/chat/events")
    async def events(token: str = "") -> Response:
        items = desk.later(token)
        try:
            first = await anext(items)
        except EdgeFault as fault:
            return fault.response()
        return EventSourceResponse(_chained(first, items))

    @routes.get("/chat/history")
    async def history(token: str = "") -> Response:
        try:
            return JSONResponse({"turns": await desk.history(token)})
        except EdgeFault as fault:
            return fault.response()

    return routes


async def _message(request: Request) -> tuple[str, str | None, str | None]:
    """The text, token and signed user of a request. Raises EdgeFault with a clear word."""
    data = await json_body(request)
    text, token, user = data.get("text"), data.get("token"), data.get("user")
    if not isinstance(text, str) or not isinstance(token, str | None) or not isinstance(user, str | None):
        raise EdgeFault(400, "bad_message", 'Send {"text": "...", "token": null or the token of an earlier answer}.')
    return checked_text(text), token or None, user or None


def checked_text(text: str) -> str:
    """A message's text, halves of broken characters replaced. Raises EdgeFault where it is empty or too long."""
    if not clean(text, MAX_TEXT_CHARS + 1):
        raise EdgeFault(400, "empty_text", "The text is empty.")
    if len(text) > MAX_TEXT_CHARS:
        raise EdgeFault(413, "text_too_long", f"Please keep a message under {MAX_TEXT_CHARS:,} characters.")
    return text.encode("utf-8", "replace").decode()


async def _as_events(opened: Opened | Act, items: AsyncGenerator[Opened | Act, None]) -> AsyncIterator[dict[str, str]]:
    answer = ChatAnswer()
    answer.take(opened)
    yield _event("state", {"state": "thinking", "words": "", "token": answer.token})
    try:
        async with aclosing(items):
            async for item in items:
                answer.take(item)
                match item:
                    case Say():
                        yield _event("delta", {"text": item.text})
                    case Working():
                        yield _event("state", {"state": item.state, "words": item.words})
        yield _event("done", answer.as_json())
    except EdgeFault as fault:
        yield _event("error", fault.as_json())
    except Exception as fault:
        log.exception("a stream failed", error=type(fault).__name__)
        yield _event("error", {"code": "trouble", "message": "Something went wrong on our side. Please try again."})


async def _chained(
    first: tuple[str, dict[str, Any]], rest: AsyncGenerator[tuple[str, dict[str, Any]], None]
) -> AsyncIterator[dict[str, str]]:
    yield _event(*first)
    async with aclosing(rest):
        async for name, data in rest:
            yield _event(name, data)


def _event(name: str, data: dict[str, Any]) -> dict[str, str]:
    return {"event": name, "data": json.dumps(data, ensure_ascii=False)}
