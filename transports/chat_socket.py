"""Text by websocket: RTVI messages as JSON text frames. See docs/chat-websocket.md."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from fastapi import APIRouter, WebSocket
from pipecat.frames.frames import (
    Frame,
    InputTransportMessageFrame,
    OutputTransportMessageFrame,
    OutputTransportMessageUrgentFrame,
)
from pipecat.serializers.base_serializer import FrameSerializer

from transports.chat import checked_text
from transports.faults import EdgeFault, json_object

log = structlog.get_logger()
_ACCEPTED = frozenset({"client-ready", "send-text", "disconnect-bot", "client-message"})
"""What a customer's client may send; audio, files and forged tool results are not among it."""


class RTVIJson(FrameSerializer):
    """RTVI messages as JSON text. What is malformed is answered with an RTVI `error` and passed over."""

    def __init__(self, refuse: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
        super().__init__(FrameSerializer.InputParams(ignore_rtvi_messages=False))
        self._refuse = refuse

    async def serialize(self, frame: Frame) -> str | None:
        if isinstance(frame, OutputTransportMessageFrame | OutputTransportMessageUrgentFrame):
            return json.dumps(frame.message, ensure_ascii=False)
        return None

    async def deserialize(self, data: str | bytes) -> Frame | None:
        message: dict[str, Any] = {}
        try:
            message = json_object(data, "The message")
            return InputTransportMessageFrame(message=_checked(message))
        except EdgeFault as fault:
            await self._refuse(_error(message, fault))
            return None


def _checked(message: dict[str, Any]) -> dict[str, Any]:
    """A message that Pipecat can read. Raises EdgeFault with a clear word."""
    kind, data = message.get("type"), message.get("data")
    if message.get("label") != "rtvi-ai":
        raise EdgeFault(400, "bad_message", "Send RTVI messages: JSON objects with the label rtvi-ai.")
    if not isinstance(kind, str) or kind not in _ACCEPTED:
        raise EdgeFault(400, "unknown_type", f"Known types are {', '.join(sorted(_ACCEPTED))}.")
    if not isinstance(data, dict | None):
        raise EdgeFault(400, "bad_message", "The message's data must be a JSON object.")
    if kind == "send-text":
        content = (data or {}).get("content")
        text = checked_text(content if isinstance(content, str) else "")
        return {**message, "data": {**(data or {}), "content": text}}
    return message


def _error(message: dict[str, Any], fault: EdgeFault) -> dict[str, Any]:
    """An RTVI error, or an error-response where the message had an id."""
    message_id = message.get("id")
    if isinstance(message_id, str):
        kind, more = "error-response", {}
    else:
        message_id, kind, more = "error", "error", {"fatal": False}
    data = {"error": fault.message, "code": fault.code, **more}
    return {"label": "rtvi-ai", "type": kind, "id": message_id, "data": data}


def chat_socket_routes(join: Callable[[WebSocket, str | None], Awaitable[None]]) -> APIRouter:
    """`/ws/chat`: `join(websocket, token)` carries the session; it raises EdgeFault before it begins."""
    routes = APIRouter()

    @routes.websocket("/ws/chat")
    async def chat(websocket: WebSocket, token: str | None = None) -> None:
        await websocket.accept()
        try:
            await join(websocket, token or None)
        except EdgeFault as fault:
            await websocket.send_json(_error({}, fault))
            await websocket.close(1008, fault.code)

    return routes
