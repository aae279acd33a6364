"""Twilio's edge: TwiML, signatures, one-time tokens, and what a media socket must begin with."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from xml.etree import ElementTree

import pytest
from fastapi import FastAPI
from pipecat.frames.frames import CancelWorkerFrame, InputTransportMessageFrame
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from twilio.request_validator import RequestValidator

from transports.twilio import MediaSerializer, PhoneCall, TwilioParams, twilio_routes

ADDRESS = "https://agent.example.com"
SECRET = "auth-token-of-the-tests"
CALLER = "+15005550006"


def edge(auth_token: str = "") -> tuple[TestClient, list[PhoneCall]]:
    calls: list[PhoneCall] = []

    async def answer(call: PhoneCall) -> None:
        calls.append(call)
        await call.websocket.close()

    app = FastAPI()
    app.include_router(twilio_routes(TwilioParams(ADDRESS, auth_token), answer))
    return TestClient(app), calls


def stream_of(client: TestClient, caller: str = CALLER) -> tuple[str, str]:
    """(url, token) of the TwiML."""
    twiml = client.post("/twilio/voice", data={"From": caller, "CallSid": "CA1"}).text
    stream = ElementTree.fromstring(twiml).find("./Connect/Stream")
    assert stream is not None
    parameter = stream.find("Parameter")
    assert parameter is not None and parameter.attrib["name"] == "token"
    return stream.attrib["url"], parameter.attrib["value"]


def start(token: str, **changes: Any) -> str:
    body: dict[str, Any] = {
        "streamSid": "MZ1",
        "callSid": "CA1",
        "customParameters": {"token": token},
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
    }
    return json.dumps({"event": "start", "start": {**body, **changes}})


def close_reason(client: TestClient, *messages: str) -> str:
    """Why the edge closes a socket that sends these."""
    with client.websocket_connect("/twilio/media") as socket:
        for message in messages:
            socket.send_text(message)
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
    return closed.value.reason or ""


def test_the_twiml_connects_a_stream_with_a_token() -> None:
    client, calls = edge()
    url, token = stream_of(client)
    assert url == "wss://agent.example.com/twilio/media"
    close_reason(client, '{"event": "connected"}', start(token))
    assert [(c.call_sid, c.stream_sid, c.caller) for c in calls] == [("CA1", "MZ1", CALLER)]


def test_a_withheld_number_is_nobodys() -> None:
    client, calls = edge()
    _, token = stream_of(client, "+266696687")
    close_reason(client, '{"event": "connected"}', start(token))
    assert [c.caller for c in calls] == [""]


def test_a_token_serves_once() -> None:
    client, calls = edge()
    _, token = stream_of(client)
    close_reason(client, start(token))
    assert "unknown, used or too old" in close_reason(client, start(token))
    assert "unknown, used or too old" in close_reason(client, start("invented"))
    assert len(calls) == 1


def test_a_signature_that_does_not_fit_is_refused() -> None:
    client, _ = edge(SECRET)
    form = {"From": CALLER, "CallSid": "CA1"}
    assert client.post("/twilio/voice", data=form).status_code == 403
    signed = RequestValidator(SECRET).compute_signature(f"{ADDRESS}/twilio/voice", form)
    assert client.post("/twilio/voice", data=form, headers={"X-Twilio-Signature": signed}).status_code == 200
    other = {**form, "From": "+15005550009"}
    assert client.post("/twilio/voice", data=other, headers={"X-Twilio-Signature": signed}).status_code == 403


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("{not json", "connected and start"),
        ('{"event": "media"}', "connected and start"),
        ("[]", "connected and start"),
        ('{"event": "start"}', "lacks streamSid"),
        (start(5, streamSid=7), "lacks streamSid"),
        ("[" * 50_000, "connected and start"),
        (start("t", mediaFormat={"encoding": "audio/l16", "sampleRate": 16000}), "wrong audio format"),
    ],
)
def test_a_socket_that_begins_otherwise_is_closed_with_a_clear_word(message: str, reason: str) -> None:
    client, calls = edge()
    assert reason in close_reason(client, message)
    assert calls == []


def test_malformed_media_frames_are_passed_over_and_stop_ends_the_session() -> None:
    serializer = MediaSerializer("MZ1", params=MediaSerializer.InputParams(auto_hang_up=False))

    def read(data: str) -> Any:
        return asyncio.run(serializer.deserialize(data))

    wrong_media = (
        '{"event": "media"}',
        '{"event": "media", "media": null}',
        '{"event": "media", "media": {"payload": 5}}',
    )
    for malformed in ("{", "[]", "{}", "[" * 100_000, '{"event": ["media"]}', *wrong_media):
        assert read(malformed) is None
    assert read('{"event": "unheard-of"}') is None
    assert isinstance(read('{"event": "stop"}'), CancelWorkerFrame)
    assert isinstance(read('{"event": "mark", "mark": {"name": "m"}}'), InputTransportMessageFrame)
