"""The page's call button: WebRTC offers, answered peer to peer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from aiortc.exceptions import InvalidStateError
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pipecat.transports.smallwebrtc.connection import SmallWebRTCConnection
from pipecat.transports.smallwebrtc.request_handler import (
    IceCandidate,
    SmallWebRTCPatchRequest,
    SmallWebRTCRequest,
    SmallWebRTCRequestHandler,
)

from transports.faults import EdgeFault, json_body

Joined = Callable[[SmallWebRTCConnection], Coroutine[Any, Any, None]]


def webrtc_routes(admit: Callable[[str | None], Awaitable[Joined]]) -> APIRouter:
    """Routes that answer offers. `admit(token)` gives what carries the call; raises EdgeFault."""
    routes = APIRouter()
    handler = SmallWebRTCRequestHandler()
    calls: set[asyncio.Task[Any]] = set()

    @routes.post("/api/offer")
    async def offer(request: Request) -> Response:
        try:
            data = await json_body(request)
            offered = _offer(data)
            carry = await admit(_token(offered.request_data)) if offered.pc_id is None else None

            async def connected(connection: SmallWebRTCConnection) -> None:
                if carry is None:
                    await connection.disconnect()  # a call that this process no longer knows
                    return
                task = asyncio.create_task(carry(connection))
                calls.add(task)
                task.add_done_callback(calls.discard)

            return JSONResponse(await handler.handle_web_request(offered, connected))
        except (ValueError, InvalidStateError):
            return EdgeFault(400, "bad_offer", "The sdp is no WebRTC offer.").response()
        except EdgeFault as fault:
            return fault.response()

    @routes.patch("/api/offer")
    async def candidates(request: Request) -> Response:
        try:
            data = await json_body(request)
            patch = SmallWebRTCPatchRequest(
                pc_id=str(data["pc_id"]), candidates=[IceCandidate(**c) for c in data["candidates"]]
            )
            await handler.handle_patch_request(patch)
        except (KeyError, TypeError):
            return EdgeFault(400, "bad_candidates", "Send pc_id and candidates.").response()
        except EdgeFault as fault:
            return fault.response()
        return JSONResponse({"status": "success"})

    return routes


def _offer(data: dict[str, Any]) -> SmallWebRTCRequest:
    try:
        offered = SmallWebRTCRequest.from_dict(data)
    except TypeError:
        raise EdgeFault(400, "bad_offer", "Send sdp and type, and requestData with the token.") from None
    if offered.type != "offer" or not isinstance(offered.sdp, str) or not offered.sdp.startswith("v=0"):
        raise EdgeFault(400, "bad_offer", "The sdp is no WebRTC offer.")
    return offered


def _token(data: Any) -> str | None:
    token = data.get("token") if isinstance(data, dict) else None
    return token if isinstance(token, str) and token else None
