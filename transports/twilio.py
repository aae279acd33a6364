"""Twilio's edge: the voice webhook (TwiML) and the media websocket.

Source: https://www.twilio.com/docs/voice/twiml/stream and
https://www.twilio.com/docs/voice/media-streams/websocket-messages
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl

import structlog
from fastapi import APIRouter, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import JSONResponse, Response
from pipecat.frames.frames import CancelWorkerFrame, Frame, InputTransportMessageFrame
from pipecat.serializers.twilio import TwilioFrameSerializer
from pydantic import BaseModel, Field, ValidationError
from twilio.request_validator import RequestValidator
from twilio.twiml.voice_response import Connect, VoiceResponse

from transports.faults import EdgeFault, json_object

TOKEN_SECS = 60.0
START_SECS = 10.0
"""A socket that has not sent `start` by then is closed."""
RATE_HZ = 8000
WITHHELD = frozenset({"+266696687", "+7378742833", "+2562533", "+8656696", "+86282452253"})
"""What Twilio puts for a caller who is ANONYMOUS, RESTRICTED, BLOCKED, UNKNOWN or UNAVAILABLE, on the keypad."""
log = structlog.get_logger()


@dataclass(frozen=True)
class TwilioParams:
    """What the edge must know of the deployment."""

    address: str
    """The public https address of this server, without a final slash."""
    auth_token: str = ""
    account_sid: str = ""
    api_url: str = ""


@dataclass(frozen=True)
class PhoneCall:
    """A call whose media websocket has started."""

    call_sid: str
    stream_sid: str
    caller: str
    """The caller's number: personal."""
    websocket: WebSocket
    serializer: TwilioFrameSerializer


class MediaSerializer(TwilioFrameSerializer):
    """Pipecat's serializer, with Twilio's `stop` as the end of the session and malformed frames passed over."""

    async def deserialize(self, data: str | bytes) -> Frame | None:
        try:
            message = json_object(data, "The frame")
            if message["event"] == "stop":
                return CancelWorkerFrame(reason="the caller hung up")
            if message["event"] == "mark":
                return InputTransportMessageFrame(message=message)
            return await super().deserialize(data)
        except (EdgeFault, ValueError, KeyError, TypeError, AttributeError) as fault:
            log.warning("a malformed media frame", error=type(fault).__name__)
            return None


class _Tokens:
    """One-time tokens that tie a media websocket to its webhook; they end after TOKEN_SECS."""

    def __init__(self) -> None:
        self._given: dict[str, tuple[float, str]] = {}

    def give(self, caller: str) -> str:
        now = asyncio.get_running_loop().time()
        self._given = {t: v for t, v in self._given.items() if v[0] > now}
        token = secrets.token_urlsafe(24)
        self._given[token] = (now + TOKEN_SECS, caller)
        return token

    def take(self, token: str) -> str | None:
        """The caller that the token was given for; None where it is unknown, used or too old."""
        until, caller = self._given.pop(token, (0.0, ""))
        return caller if until > asyncio.get_running_loop().time() else None


class _Refused(Exception):
    """The socket does not begin as Twilio's does; the message is the close reason."""


def twilio_routes(params: TwilioParams, answer: Callable[[PhoneCall], Awaitable[None]]) -> APIRouter:
    """Routes that hand each started call to `answer`, which returns when the call is over."""
    routes = APIRouter()
    tokens = _Tokens()

    @routes.post("/twilio/voice")
    async def voice(request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True))
        if params.auth_token:
            signature = request.headers.get("x-twilio-signature", "")
            url = f"{params.address}{request.url.path}" + (f"?{request.url.query}" if request.url.query else "")
            if not RequestValidator(params.auth_token).validate(url, form, signature):
                error = {"code": "bad_signature", "message": "X-Twilio-Signature does not fit; check PUBLIC_URL."}
                return JSONResponse({"error": error}, 403)
        caller = form.get("From", "")
        token = tokens.give("" if caller in WITHHELD else caller)
        return Response(_twiml(request, token), media_type="application/xml")

    @routes.websocket("/twilio/media")
    async def media(websocket: WebSocket) -> None:
        await websocket.accept()
        try:
            async with asyncio.timeout(START_SECS):
                start = await _started(websocket)
            caller = tokens.take(start.customParameters.get("token", ""))
            if caller is None:
                raise _Refused("the token is unknown, used or too old")
        except TimeoutError:
            return await websocket.close(1008, "no start message in time")
        except _Refused as refused:
            return await websocket.close(1008, str(refused))
        except WebSocketDisconnect:
            return
        await answer(_call(start, caller, websocket, params))

    def _twiml(request: Request, token: str) -> str:
        host = params.address.split("://", 1)[-1]
        scheme = "wss" if params.address.startswith("https") else "ws"
        response, connect = VoiceResponse(), Connect()
        stream = connect.stream(url=f"{scheme}://{host}/twilio/media")
        stream.parameter(name="token", value=token)
        response.append(connect)
        return str(response)

    return routes


class _MediaFormat(BaseModel):
    encoding: Literal["audio/x-mulaw"]
    sampleRate: Literal[8000]


class _Start(BaseModel):
    """The `start` object, as far as it is read."""

    streamSid: Annotated[str, Field(min_length=1)]
    callSid: Annotated[str, Field(min_length=1)]
    customParameters: dict[str, str] = {}
    mediaFormat: _MediaFormat


async def _started(websocket: WebSocket) -> _Start:
    """The `start` object. Raises _Refused where the socket speaks otherwise."""
    while True:
        try:
            message = json_object(await websocket.receive_text(), "The frame")
        except (EdgeFault, KeyError):
            message = {}
        if message.get("event") == "start":
            return _read_start(message.get("start"))
        if message.get("event") != "connected":
            raise _Refused("the first messages must be Twilio's connected and start")


def _read_start(start: Any) -> _Start:
    try:
        return _Start.model_validate(start)
    except ValidationError as fault:
        if any("mediaFormat" in error["loc"] for error in fault.errors()):
            raise _Refused("wrong audio format: audio/x-mulaw at 8000 Hz is needed") from None
        raise _Refused("the start message lacks streamSid or callSid") from None


def _call(start: _Start, caller: str, websocket: WebSocket, params: TwilioParams) -> PhoneCall:
    can_hang_up = bool(params.account_sid and params.auth_token)
    serializer = MediaSerializer(
        stream_sid=start.streamSid,
        call_sid=start.callSid,
        account_sid=params.account_sid or None,
        auth_token=params.auth_token or None,
        base_url=params.api_url or None,
        params=TwilioFrameSerializer.InputParams(
            twilio_sample_rate=RATE_HZ, sample_rate=RATE_HZ, auto_hang_up=can_hang_up
        ),
    )
    return PhoneCall(start.callSid, start.streamSid, caller, websocket, serializer)
