"""The caller's side of Twilio, against a small agent of the test's own."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI, Response
from twilio.request_validator import RequestValidator

from lab.carriers import mulaw
from lab.carriers.line import audible_samples
from lab.carriers.mulaw import Samples
from lab.carriers.twilio import CallEnded, CallRefused, TwilioCall, read_twiml

TOKEN = "an auth token"

TONE: Samples = (9000 * np.sin(np.arange(1600) * 0.5)).astype(np.int16)
"""0.2 s at 8 kHz."""

Serve = Callable[[FastAPI], str]
MakeAgent = Callable[..., Any]


async def _echo(agent: Any, message: dict[str, Any]) -> None:
    if message["event"] == "media":
        await agent.send("media", media={"payload": message["media"]["payload"]})


async def _greet(agent: Any, message: dict[str, Any]) -> None:
    if message["event"] == "start":
        await agent.play(np.tile(TONE, 2))
        await agent.send("mark", mark={"name": "greeting"})


@pytest.mark.asyncio
async def test_the_stream_opens_as_twilio_documents_it(phone_agent: MakeAgent) -> None:
    agent = phone_agent()
    async with TwilioCall.dial(agent.voice_url, account_sid="AC1", from_="+491711", to="+49301") as call:
        await call.pause(0.1)
    await agent.closed.wait()
    assert agent.form["CallSid"] == call.call_sid
    assert (agent.form["AccountSid"], agent.form["From"], agent.form["To"]) == ("AC1", "+491711", "+49301")
    connected, start, media = agent.messages[:3]
    assert connected == {"event": "connected", "protocol": "Call", "version": "1.0.0"}
    assert start == {
        "event": "start",
        "sequenceNumber": "1",
        "streamSid": call.stream_sid,
        "start": {
            "accountSid": "AC1",
            "streamSid": call.stream_sid,
            "callSid": call.call_sid,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": {"ticket": "once only & <true>"},
        },
    }
    assert (media["sequenceNumber"], media["media"]["chunk"], media["media"]["timestamp"]) == ("2", "1", "0")
    assert media["media"]["track"] == "inbound"
    assert agent.messages[-1]["event"] == "stop"
    assert agent.messages[-1]["stop"] == {"accountSid": "AC1", "callSid": call.call_sid}
    numbers = [int(message["sequenceNumber"]) for message in agent.messages[1:]]
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.asyncio
async def test_media_is_20_ms_of_mulaw_in_real_time_through_speech_and_silence(
    phone_agent: MakeAgent,
) -> None:
    agent = phone_agent()
    async with TwilioCall.dial(agent.voice_url) as call:
        await call.say_pcm(TONE, 8000)
        await call.pause(0.3)
    await agent.closed.wait()
    media = agent.of("media")
    frames = [base64.b64decode(message["media"]["payload"]) for message in media]
    assert {len(frame) for frame in frames} == {160}
    assert [message["media"]["timestamp"] for message in media] == [str(20 * i) for i in range(len(media))]
    assert len(frames) >= 25
    assert agent.arrivals[-1] - agent.arrivals[0] >= 0.02 * (len(frames) - 3)
    sent = b"".join(frames)
    assert sent.count(mulaw.encode(TONE)) == 1
    assert sent.endswith(b"\xff" * 160 * 14)


@pytest.mark.asyncio
async def test_what_is_echoed_is_heard_later_and_on_the_other_side_of_the_recording(
    phone_agent: MakeAgent,
) -> None:
    agent = phone_agent(_echo)
    async with TwilioCall.dial(agent.voice_url) as call:
        said = await call.say_pcm(TONE, 8000)
        answer = await call.agent_finished(quiet_secs=0.4)
    caller, heard = (call.recording.side(side) for side in ("caller", "agent"))
    spoken, echoed = audible_samples(caller), audible_samples(heard)
    assert spoken is not None and echoed is not None
    delay = echoed[0] - spoken[0]
    assert delay >= 160
    assert np.array_equal(caller[spoken[0] : spoken[1]], heard[echoed[0] : echoed[1]])
    assert (said.start_secs, said.end_secs) == (spoken[0] / 8000, spoken[1] / 8000)
    assert (answer.start_secs, answer.end_secs) == (echoed[0] / 8000, echoed[1] / 8000)
    assert len(caller) == len(heard)


@pytest.mark.asyncio
async def test_speech_of_another_rate_keeps_its_length(phone_agent: MakeAgent) -> None:
    agent = phone_agent()
    wide = (9000 * np.sin(np.arange(24000) * 0.1)).astype(np.int16)
    async with TwilioCall.dial(agent.voice_url) as call:
        said = await call.say_pcm(wide, 48000)
        with pytest.raises(ValueError, match="mono"):
            await call.say_pcm(np.zeros((10, 2), np.int16), 8000)
    assert said.end_secs - said.start_secs == pytest.approx(0.5, abs=0.01)


@pytest.mark.asyncio
async def test_a_mark_comes_back_once_the_greeting_was_played(phone_agent: MakeAgent) -> None:
    agent = phone_agent(_greet)
    async with TwilioCall.dial(agent.voice_url) as call:
        greeting = await call.agent_finished(quiet_secs=0.2)
    await agent.closed.wait()
    assert greeting.end_secs - greeting.start_secs == pytest.approx(0.4, abs=0.01)
    assert [mark["mark"] for mark in agent.of("mark")] == [{"name": "greeting"}]
    (played,) = [event for event in call.events if event.kind == "mark_played"]
    assert (played.detail, played.at_secs >= greeting.end_secs) == ("greeting", True)


@pytest.mark.asyncio
async def test_a_clear_stops_the_agent_in_mid_word_and_gives_its_mark_back(phone_agent: MakeAgent) -> None:
    async def talkative(agent: Any, message: dict[str, Any]) -> None:
        if message["event"] == "start":
            await agent.play(np.tile(TONE, 50))
            await agent.send("mark", mark={"name": "ten seconds"})
        if message["event"] == "dtmf":
            await agent.send("clear")

    agent = phone_agent(talkative)
    async with TwilioCall.dial(agent.voice_url) as call:
        await call.agent_started()
        await call.digits("0")
        await call.pause(0.5)
    await agent.closed.wait()
    (clear,) = call.line.clears
    assert clear.played_samples + clear.dropped_samples == 80000
    assert call.line.agent_played_samples == clear.played_samples < 8000
    whole = np.tile(mulaw.decode(mulaw.encode(TONE)), 50)
    heard = call.recording.side("agent")
    first = int(np.flatnonzero(heard)[0]) - int(np.flatnonzero(whole)[0])
    assert np.array_equal(heard[first : first + clear.played_samples], whole[: clear.played_samples])
    assert not heard[first + clear.played_samples :].any()
    assert [event.detail for event in call.events if event.kind == "mark_cleared"] == ["ten seconds"]
    assert agent.of("mark")[0]["mark"]["name"] == "ten seconds"


@pytest.mark.asyncio
async def test_keys_arrive_one_by_one_in_order(phone_agent: MakeAgent) -> None:
    agent = phone_agent()
    async with TwilioCall.dial(agent.voice_url) as call:
        await call.digits("42#")
        with pytest.raises(ValueError, match="no keys of a telephone: x"):
            await call.digits("4x")
    await agent.closed.wait()
    assert [m["dtmf"] for m in agent.of("dtmf")] == [{"track": "inbound_track", "digit": key} for key in "42#"]
    pressed = [event.at_secs for event in call.events if event.kind == "digit"]
    assert np.diff(pressed).round(2).tolist() == [0.2, 0.2]


@pytest.mark.asyncio
async def test_webhook_and_socket_are_signed_as_twilio_signs(phone_agent: MakeAgent) -> None:
    agent = phone_agent()
    async with TwilioCall.dial(agent.voice_url, auth_token=TOKEN):
        pass
    webhook, socket = (headers["x-twilio-signature"] for headers in agent.headers)
    validator = RequestValidator(TOKEN)
    assert validator.validate(agent.voice_url, agent.form, webhook)
    assert validator.validate(agent.stream_url, {}, socket)
    assert not validator.validate(agent.voice_url, agent.form | {"From": "+1"}, webhook)


@pytest.mark.asyncio
async def test_behind_a_public_name_signatures_are_made_for_it_and_the_call_stays_here(
    phone_agent: MakeAgent,
) -> None:
    agent = phone_agent(stream_base="wss://shop.example")
    public = "https://shop.example/"
    async with TwilioCall.dial(agent.voice_url, auth_token=TOKEN, public_url=public) as call:
        await call.pause(0.1)
    webhook, socket = (headers["x-twilio-signature"] for headers in agent.headers)
    validator = RequestValidator(TOKEN)
    assert validator.validate("https://shop.example/twilio/voice", agent.form, webhook)
    assert validator.validate("wss://shop.example/twilio/media", {}, socket)
    assert agent.of("media")


@pytest.mark.asyncio
async def test_without_a_token_nothing_is_signed(phone_agent: MakeAgent) -> None:
    agent = phone_agent()
    async with TwilioCall.dial(agent.voice_url):
        pass
    assert not any("x-twilio-signature" in headers for headers in agent.headers)


@pytest.mark.asyncio
async def test_an_agent_that_hangs_up_ends_the_call_for_all_who_wait(phone_agent: MakeAgent) -> None:
    async def busy(agent: Any, message: dict[str, Any]) -> None:
        if message["event"] == "dtmf":
            await agent.hang_up()

    agent = phone_agent(busy)
    async with TwilioCall.dial(agent.voice_url) as call:
        waiting = asyncio.create_task(call.agent_finished())
        await call.digits("9")
        with pytest.raises(CallEnded):
            await waiting
        with pytest.raises(CallEnded):
            await call.say_pcm(TONE, 8000)
    assert call.ended == "agent"
    assert call.events[-1].kind == "ended"


@pytest.mark.asyncio
async def test_a_goodbye_before_hanging_up_is_an_answer(phone_agent: MakeAgent) -> None:
    async def goodbye(agent: Any, message: dict[str, Any]) -> None:
        if message["event"] == "start":
            await agent.play(TONE)
            await agent.send("mark", mark={"name": "end"})
        if message["event"] == "mark":
            await agent.hang_up()

    agent = phone_agent(goodbye)
    async with TwilioCall.dial(agent.voice_url) as call:
        answer = await call.agent_finished(quiet_secs=2.0)
    assert answer.end_secs - answer.start_secs == pytest.approx(0.2, abs=0.01)
    assert call.ended == "agent"


@pytest.mark.asyncio
async def test_the_agent_s_speech_can_be_followed_stretch_by_stretch(phone_agent: MakeAgent) -> None:
    async def twice(agent: Any, message: dict[str, Any]) -> None:
        if message["event"] in ("start", "dtmf"):
            await agent.play(TONE)

    followed = []

    async def follow(call: TwilioCall) -> None:
        async for stretch in call.agent_stretches():
            followed.append(stretch)

    agent = phone_agent(twice)
    async with TwilioCall.dial(agent.voice_url) as call:
        following = asyncio.create_task(follow(call))
        await call.agent_finished(quiet_secs=0.4)
        assert len(followed) == 1
        await call.digits("1")
        await call.agent_started()
    await following
    assert followed == call.line.agent_stretches
    assert len(followed) == 2


@pytest.mark.asyncio
async def test_a_silent_agent_is_a_timeout(phone_agent: MakeAgent) -> None:
    agent = phone_agent()
    async with TwilioCall.dial(agent.voice_url) as call:
        with pytest.raises(TimeoutError):
            await call.agent_finished(timeout_secs=0.2)
        with pytest.raises(TimeoutError):
            await call.agent_started(timeout_secs=0.1)


@pytest.mark.asyncio
async def test_what_twilio_does_not_take_is_noted_and_the_call_goes_on(phone_agent: MakeAgent) -> None:
    async def clumsy(agent: Any, message: dict[str, Any]) -> None:
        if message["event"] != "start":
            return
        await agent.raw("no JSON")
        await agent.raw("[]")
        await agent.raw(json.dumps({"event": "media", "streamSid": "MZother", "media": {"payload": ""}}))
        await agent.send("media", media={"payload": "not base64!"})
        await agent.send("hangup")
        await agent.play(TONE)

    agent = phone_agent(clumsy)
    async with TwilioCall.dial(agent.voice_url) as call:
        await call.agent_finished(quiet_secs=0.1)
    assert len(call.faults) == 5
    assert "another streamSid" in call.faults[2]
    assert "'hangup'" in call.faults[4]


@pytest.mark.asyncio
async def test_a_webhook_that_says_no_refuses_the_call(serve: Serve) -> None:
    app = FastAPI()

    @app.post("/twilio/voice")
    async def voice() -> Response:
        return Response("forbidden", status_code=403)

    with pytest.raises(CallRefused, match="403"):
        async with TwilioCall.dial(f"{serve(app)}/twilio/voice"):
            pass


@pytest.mark.asyncio
async def test_nobody_at_the_address_refuses_the_call(phone_agent: MakeAgent) -> None:
    with pytest.raises(CallRefused, match="no answer from"):
        async with TwilioCall.dial("http://127.0.0.1:1/twilio/voice"):
            pass
    agent = phone_agent(stream_base="ws://127.0.0.1:1")
    with pytest.raises(CallRefused, match="no media stream"):
        async with TwilioCall.dial(agent.voice_url):
            pass


@pytest.mark.parametrize(
    ("twiml", "word"),
    [
        (
            "<Response><Say>All lines are busy.</Say><Hangup/></Response>",
            "<Say>, <Hangup>: All lines are busy.",
        ),
        ("<Response/>", "answered nothing"),
        ("<html></html>", "not <html>"),
        ("not XML", "no XML"),
        ('<Response><Connect><Stream url="https://a/b"/></Connect></Response>', "needs a wss://"),
        ('<Response><Connect><Stream url="wss://a/b?t=1"/></Connect></Response>', "no query string"),
        ("<Response><Start><Stream url='wss://a/b'/></Start></Response>", "answered <Start>"),
        (
            f'<Response><Connect><Stream url="wss://a/b"><Parameter name="t" value="{"x" * 500}"/>'
            "</Stream></Connect></Response>",
            "over 500 characters",
        ),
    ],
)
def test_twiml_that_makes_no_call_says_why(twiml: str, word: str) -> None:
    with pytest.raises(CallRefused) as refused:
        read_twiml(twiml)
    assert word in str(refused.value)
