"""The web app: every channel's routes, the page, health, and what the administrator may see."""

from __future__ import annotations

import asyncio
import hmac
import json
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from pipecat.transports.smallwebrtc.connection import SmallWebRTCConnection
from starlette.exceptions import HTTPException

from agent.errors import ProviderError
from pipelines.browser import answer_browser
from pipelines.chat import Desk
from pipelines.memory import erase_known
from pipelines.phone import answer_phone
from pipelines.room import answer_room
from pipelines.runtime import Busy, Runtime, Session, UnknownToken
from pipelines.socket import join_chat
from transports.chat import chat_routes
from transports.chat_socket import chat_socket_routes
from transports.faults import EdgeFault
from transports.livekit import LiveKitParams, livekit_routes
from transports.twilio import TwilioParams, twilio_routes
from transports.webrtc import Joined, webrtc_routes

log = structlog.get_logger()
PAGE = Path(__file__).parent.parent / "transports" / "page" / "static"
_POLICY = (
    "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; media-src 'self' blob:; "
    "frame-ancestors 'self'; base-uri 'none'; form-action 'self'"
)


def make_app(runtime: Runtime) -> FastAPI:
    """The app over a started runtime."""
    settings = runtime.settings
    app = FastAPI(title="Openline", docs_url=None, redoc_url=None, openapi_url=None)
    twilio = TwilioParams(
        address=settings.address,
        auth_token=settings.twilio_auth_token.get_secret_value() if settings.twilio_auth_token else "",
        account_sid=settings.twilio_account_sid,
        api_url=settings.twilio_api_url,
    )
    app.include_router(chat_routes(Desk(runtime)))
    app.include_router(chat_socket_routes(partial(join_chat, runtime)))
    app.include_router(webrtc_routes(partial(_admit_browser, runtime)))
    app.include_router(twilio_routes(twilio, partial(answer_phone, runtime)))
    app.include_router(livekit_routes(_livekit_params(runtime), _Rooms(runtime).call_agent))
    _add_health(app, runtime)
    _add_business(app, runtime)
    _add_administration(app, runtime)
    app.mount("/", StaticFiles(directory=PAGE, html=True))

    @app.exception_handler(HTTPException)
    async def refuse(_: Request, fault: HTTPException) -> Response:
        return EdgeFault(fault.status_code, HTTPStatus(fault.status_code).name.lower(), fault.detail).response()

    @app.exception_handler(ProviderError)
    async def not_served(_: Request, fault: ProviderError) -> Response:
        log.warning("a request could not be served", error=str(fault))
        return EdgeFault(503, "unavailable", runtime.parts.phrases.say("trouble")).response()

    @app.middleware("http")
    async def secure(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await call_next(request)
        response.headers.setdefault("Content-Security-Policy", _POLICY)
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Referrer-Policy", "no-referrer")
        return response

    return app


def _add_health(app: FastAPI, runtime: Runtime) -> None:
    @app.get("/health/live")
    async def live() -> dict[str, str]:
        return {"status": "live"}

    @app.get("/health/ready")
    async def ready() -> Response:
        status = "draining" if runtime.draining else "ready"
        parts = {job: part for job, part, _ in runtime.parts_in_use()}
        body = {"status": status, "sessions": len(runtime.sessions), "parts": parts}
        return JSONResponse(body, 503 if runtime.draining else 200)


def _add_business(app: FastAPI, runtime: Runtime) -> None:
    @app.get("/business")
    async def business() -> dict[str, Any]:
        b = runtime.business
        return {
            "name": b.name,
            "agent": b.agent_name,
            "line": b.line,
            "accent": b.accent,
            "starters": b.starters,
            "language": b.languages[0],
            "greeting": b.greeting.text,
            "voice": True,
        }


def _add_administration(app: FastAPI, runtime: Runtime) -> None:
    """What needs ADMIN_TOKEN; closed where none is set."""

    def refused(request: Request) -> Response | None:
        token = runtime.settings.admin_token
        if token is None:
            return EdgeFault(403, "closed", "Set ADMIN_TOKEN to open this.").response()
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {token.get_secret_value()}".encode()):
            return EdgeFault(401, "unauthorized", "Send the header Authorization: Bearer ADMIN_TOKEN.").response()
        return None

    @app.get("/handoffs")
    async def handoffs(request: Request) -> Response:
        fault = refused(request)
        if fault:
            return fault
        waiting = []
        for row in await runtime.journal.open_hand_offs():
            vault = await runtime.vaults.open(row.conversation_id)
            waiting.append(
                {
                    "conversation_id": row.conversation_id,
                    "hand_off_id": row.hand_off_id,
                    "state": row.state,
                    "reason": row.reason,
                    "brief": vault.reveal_text(row.brief, "desk"),
                    "requested_at": row.requested_at,
                    "channel": row.channel,
                }
            )
        return JSONResponse({"handoffs": waiting})

    @app.get("/calls/{known_as}")
    async def call(known_as: str, request: Request) -> Response:
        """The journal of a conversation, by one of its sessions (a carrier's call id) or its customer's token."""
        fault = refused(request)
        if fault:
            return fault
        journal = runtime.journal
        conversation_id = await journal.find_session(known_as) or await journal.find_token(known_as)
        if conversation_id is None:
            return EdgeFault(404, "unknown_call", "No conversation knows this call.").response()
        events = await runtime.journal.read(conversation_id)
        body = {"conversation_id": conversation_id, "events": [json.loads(e.model_dump_json()) for e in events]}
        return JSONResponse(body)

    @app.delete("/customers/{customer:path}")
    async def erase(customer: str, request: Request) -> Response:
        """Erase a customer by id, e-mail address, telephone number or user id."""
        fault = refused(request)
        if fault:
            return fault
        try:
            report = await erase_known(runtime, customer)
        except ProviderError:
            return EdgeFault(503, "store_down", "A store does not answer; what is left is erased next time.").response()
        if report.nothing:
            return EdgeFault(404, "nothing_kept", "Nothing is kept of this customer.").response()
        return JSONResponse({"removed": asdict(report)})


async def _begin(runtime: Runtime, token: str | None, session_id: str, channel: Any) -> tuple[Session, str]:
    """A voice session on a new or known conversation, and the conversation's token. Raises EdgeFault."""
    try:
        conversation_id, token = await runtime.find_or_begin(token)
    except UnknownToken:
        raise EdgeFault(404, "unknown_token", "This token leads to no conversation; send none to begin one.") from None
    live = await runtime.open(conversation_id, session_id, channel)
    try:
        return runtime.admit(live), token
    except Busy:
        await runtime.leave(live, "busy")
        raise EdgeFault(503, "busy", "All lines are busy. Please try again in a moment.") from None


async def _admit_browser(runtime: Runtime, token: str | None) -> Joined:
    session, token = await _begin(runtime, token, f"browser-{secrets.token_hex(8)}", "browser")

    async def carry(connection: SmallWebRTCConnection) -> None:
        await answer_browser(runtime, session, connection, token)

    return carry


def _livekit_params(runtime: Runtime) -> LiveKitParams | None:
    s = runtime.settings
    if not (s.livekit_url and s.livekit_api_key and s.livekit_api_secret):
        return None
    return LiveKitParams(s.livekit_url, s.livekit_api_key, s.livekit_api_secret.get_secret_value())


class _Rooms:
    """One agent per room, in this process."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._agents: dict[str, tuple[asyncio.Task[None], str]] = {}

    async def call_agent(self, room: str, agent_token: str, conversation: str | None) -> str:
        """Send an agent into a room that has none; the conversation's token, for whom it is told: who began it."""
        if room in self._agents:
            known = self._agents[room][1]
            return known if conversation == known else ""
        session, token = await _begin(self._runtime, conversation, f"room-{secrets.token_hex(8)}", "room")
        task = asyncio.create_task(answer_room(self._runtime, session, room, agent_token))
        self._agents[room] = (task, token)
        task.add_done_callback(lambda _: self._agents.pop(room, None))
        return token
