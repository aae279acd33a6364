"""The caller's side of Twilio: the voice webhook, TwiML, and a bidirectional media stream.

As documented under twilio.com/docs/voice/media-streams/websocket-messages and
twilio.com/docs/usage/security (request signatures):

    POST voice webhook -> <Connect><Stream url><Parameter/></Stream></Connect>
    websocket to url:  connected, start, then 50 media messages a second (mu-law, 8 kHz), dtmf, stop
    from the agent:    media (played in real time), mark (sent back once played), clear (empties the buffer)
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import json
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit
from xml.etree import ElementTree

import httpx
import numpy as np
import soxr
from twilio.request_validator import RequestValidator
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from lab.carriers import mulaw
from lab.carriers.line import FRAME_SECS, CallEvent, Line, Stretch
from lab.carriers.mulaw import RATE_HZ, Samples
from lab.recording import Recording

KEYS = frozenset("0123456789*#ABCD")

KEY_TICKS = 10
"""From one key to the next: 200 ms, a quick human finger."""

PARAMETER_CHARACTERS = 500
"""Twilio refuses a <Parameter> whose name and value together are longer."""

CONNECT_TIMEOUT_SECS = 15.0
"""Twilio gives a webhook so long to answer."""


class CallRefused(Exception):
    """The call was not put through: the webhook's answer or its stream is not what Twilio takes."""


class CallEnded(Exception):
    """The agent hung up while the caller still waited for something."""


@dataclass(frozen=True)
class MediaStream:
    """Where the TwiML sends the call's sound."""

    url: str
    parameters: Mapping[str, str]


def read_twiml(twiml: str) -> MediaStream:
    """The `<Connect><Stream>` of a voice webhook's answer.

    Raises CallRefused for other verbs (with the words of a `<Say>`), for what is no TwiML, and for
    what Twilio does not take: a query string in the URL, a `<Parameter>` over 500 characters.
    """
    try:
        root = ElementTree.fromstring(twiml)
    except ElementTree.ParseError as fault:
        raise CallRefused(f"the webhook's answer is no XML: {fault}") from None
    if root.tag != "Response":
        raise CallRefused(f"TwiML starts with <Response>, not <{root.tag}>")
    stream = root.find("Connect/Stream")
    if stream is None:
        words = " ".join(verb.text or "" for verb in root.iter("Say")).strip()
        verbs = ", ".join(f"<{verb.tag}>" for verb in root) or "nothing"
        raise CallRefused(f"the webhook answered {verbs}" + (f": {words}" if words else ""))
    return MediaStream(_stream_url(stream), dict(_parameters(stream)))


def _stream_url(stream: ElementTree.Element) -> str:
    url = stream.get("url", "")
    parts = urlsplit(url)
    if parts.scheme not in ("ws", "wss") or not parts.netloc:
        raise CallRefused(f"a <Stream> needs a wss:// address (ws:// on this machine), not {url!r}")
    if parts.query:
        raise CallRefused("the address of a <Stream> takes no query string: use <Parameter>")
    return url


def _parameters(stream: ElementTree.Element) -> Iterable[tuple[str, str]]:
    for parameter in stream.findall("Parameter"):
        name, value = parameter.get("name", ""), parameter.get("value", "")
        if len(name) + len(value) > PARAMETER_CHARACTERS:
            raise CallRefused(f"<Parameter name={name!r}> is over {PARAMETER_CHARACTERS} characters")
        yield name, value


class TwilioCall:
    """One phone call as its caller makes it. Times are seconds since the stream's start.

    async with TwilioCall.dial("http://127.0.0.1:7860/twilio/voice") as call:
        await call.agent_finished()
        await call.say_pcm(pcm16, rate_hz=16000)
        answer = await call.agent_finished()
        await call.hang_up()
    call.recording.write(path)
    """

    def __init__(
        self, voice_url: str, *, auth_token: str | None, public_url: str | None, fields: dict[str, str]
    ) -> None:
        self._voice_url = voice_url
        self._validator = RequestValidator(auth_token) if auth_token else None
        self._public_url = public_url.rstrip("/") if public_url else None
        self._fields = fields
        self._line = Line()
        self._stream_sid = f"MZ{secrets.token_hex(16)}"
        self._sequence = 0
        self._chunk = 0
        self._ended: str | None = None
        self._keys: list[str] = []
        self._ticks_to_key = 0
        self._waiting: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._socket: ClientConnection

    @classmethod
    def dial(
        cls,
        voice_url: str,
        *,
        auth_token: str | None = None,
        account_sid: str | None = None,
        from_: str = "+15005550006",
        to: str = "+15005550001",
        public_url: str | None = None,
    ) -> Self:
        """A call to the number whose voice webhook is `voice_url`; it is made by `async with`.

        With `auth_token` the webhook and the websocket are signed as Twilio signs. `public_url` is what
        the server calls itself (scheme and host): signatures are made for it, and a stream under it is
        reached at `voice_url`'s own host. Entering raises CallRefused.
        """
        fields = {
            "CallSid": f"CA{secrets.token_hex(16)}",
            "AccountSid": account_sid or f"AC{secrets.token_hex(16)}",
            "From": from_,
            "To": to,
            "Caller": from_,
            "Called": to,
            "CallStatus": "ringing",
            "Direction": "inbound",
            "ApiVersion": "2010-04-01",
        }
        return cls(voice_url, auth_token=auth_token, public_url=public_url, fields=fields)

    async def __aenter__(self) -> Self:
        stream = read_twiml(await self._post_webhook())
        self._socket = await self._open(stream.url)
        await self._send_opening(stream.parameters)
        self._line.note("started")
        self._tasks = [asyncio.create_task(self._receive()), asyncio.create_task(self._pace())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.hang_up()

    @property
    def call_sid(self) -> str:
        return self._fields["CallSid"]

    @property
    def stream_sid(self) -> str:
        return self._stream_sid

    @property
    def line(self) -> Line:
        """The line itself: stretches of speech, clears, what was played."""
        return self._line

    @property
    def events(self) -> Sequence[CallEvent]:
        """The timeline so far."""
        return self._line.events

    @property
    def faults(self) -> Sequence[str]:
        """What the agent sent that Twilio does not take."""
        return [event.detail for event in self.events if event.kind == "fault"]

    @property
    def recording(self) -> Recording:
        """Caller and agent as played."""
        return self._line.recording

    @property
    def ended(self) -> str | None:
        """Who ended the call: "caller", "agent", or None while it lasts."""
        return self._ended

    async def say_pcm(self, pcm16: Samples, rate_hz: int) -> Stretch:
        """Say mono 16-bit speech of any rate, in real time; returns when it was said and from when to when.

        Raises CallEnded, and ValueError for silence.
        """
        utterance = self._line.say(_to_line_rate(pcm16, rate_hz))
        await self._until(lambda: utterance.stretch is not None)
        assert utterance.stretch is not None
        return utterance.stretch

    async def digits(self, keys: str) -> None:
        """Press keys, five a second. Raises ValueError for what is no key, CallEnded."""
        if wrong := set(keys) - KEYS:
            raise ValueError(f"no keys of a telephone: {' '.join(sorted(wrong))}")
        self._keys.extend(keys)
        await self._until(lambda: not self._keys)

    async def agent_started(self, timeout_secs: float = 30.0) -> None:
        """Wait until the agent is heard. Raises TimeoutError (in the call's time), CallEnded."""
        await self._until(lambda: self._line.agent_speaking, timeout_secs)

    async def agent_finished(self, quiet_secs: float = 0.8, timeout_secs: float = 60.0) -> Stretch:
        """Wait until the agent has answered the caller's last word or key and is quiet for `quiet_secs`.

        Before the caller's first word that is the greeting. Returns the answer's beginning and end.
        Raises TimeoutError (in the call's time), and CallEnded where the agent hung up unheard.
        """
        try:
            await self._until(lambda: self._line.agent_has_answered(quiet_secs), timeout_secs)
        except CallEnded:
            if not self._line.agent_was_heard:
                raise
        return self._line.last_answer()

    async def agent_stretches(self) -> AsyncIterator[Stretch]:
        """Each stretch of the agent's speech once it has ended, from the first on, until the call ends."""
        given = 0
        while True:
            stretches = self._line.agent_stretches
            if given < len(stretches):
                given += 1
                yield stretches[given - 1]
                continue
            try:
                await self._until(partial(self._has_more_stretches_than, given))
            except CallEnded:
                return

    def _has_more_stretches_than(self, count: int) -> bool:
        return len(self._line.agent_stretches) > count

    async def pause(self, secs: float) -> None:
        """Let the call go on for a while. Raises CallEnded."""
        until = self._line.now_secs + secs
        await self._until(lambda: self._line.now_secs >= until)

    async def hang_up(self) -> None:
        """End the call as a caller does: `stop`, then the socket closes. Does nothing where it has ended."""
        if self._ended is None:
            self._end("caller")
            with contextlib.suppress(ConnectionClosed):
                await self._send("stop", {"stop": {"accountSid": self._account_sid, "callSid": self.call_sid}})
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._socket.close()

    @property
    def _account_sid(self) -> str:
        return self._fields["AccountSid"]

    def _signature(self, url: str, fields: Mapping[str, str]) -> dict[str, str]:
        if self._validator is None:
            return {}
        return {"X-Twilio-Signature": self._validator.compute_signature(url, dict(fields))}

    async def _post_webhook(self) -> str:
        path = urlsplit(self._voice_url).path
        known_as = f"{self._public_url}{path}" if self._public_url else self._voice_url
        async with httpx.AsyncClient(timeout=CONNECT_TIMEOUT_SECS) as client:
            try:
                answer = await client.post(
                    self._voice_url, data=self._fields, headers=self._signature(known_as, self._fields)
                )
            except httpx.HTTPError as fault:
                raise CallRefused(f"no answer from {self._voice_url}: {fault or type(fault).__name__}") from None
        if not answer.is_success:
            raise CallRefused(f"the webhook answered {answer.status_code}")
        return answer.text

    async def _open(self, url: str) -> ClientConnection:
        try:
            return await connect(
                self._reachable(url),
                additional_headers=self._signature(url, {}),
                open_timeout=CONNECT_TIMEOUT_SECS,
                compression=None,
                proxy=None,
            )
        except (OSError, WebSocketException) as fault:
            raise CallRefused(f"no media stream at {url}: {fault}") from None

    def _reachable(self, url: str) -> str:
        """`url`, at the webhook's own host where it stands under the server's public name."""
        parts = urlsplit(url)
        if self._public_url is None or parts.netloc != urlsplit(self._public_url).netloc:
            return url
        here = urlsplit(self._voice_url)
        return urlunsplit(("wss" if here.scheme == "https" else "ws", here.netloc, parts.path, "", ""))

    async def _send_opening(self, parameters: Mapping[str, str]) -> None:
        await self._socket.send(json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"}))
        start = {
            "accountSid": self._account_sid,
            "streamSid": self._stream_sid,
            "callSid": self.call_sid,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": RATE_HZ, "channels": 1},
            "customParameters": dict(parameters),
        }
        await self._send("start", {"start": start})

    async def _send(self, event: str, content: Mapping[str, Any]) -> None:
        self._sequence += 1
        message = {"event": event, "sequenceNumber": str(self._sequence), "streamSid": self._stream_sid}
        await self._socket.send(json.dumps({**message, **content}))

    async def _pace(self) -> None:
        """50 ticks a second by the loop's clock; a late tick is made up for, none is dropped."""
        loop = asyncio.get_running_loop()
        next_at = loop.time()
        with contextlib.suppress(ConnectionClosed):
            while self._ended is None:
                await asyncio.sleep(max(0.0, next_at - loop.time()))
                await self._tick()
                next_at += FRAME_SECS

    async def _tick(self) -> None:
        at_ms = round(self._line.now_secs * 1000)
        tick = self._line.tick()
        self._chunk += 1
        media = {
            "track": "inbound",
            "chunk": str(self._chunk),
            "timestamp": str(at_ms),
            "payload": base64.b64encode(tick.caller_mulaw).decode(),
        }
        await self._send("media", {"media": media})
        await self._send_marks(tick.marks)
        await self._press_next()
        self._wake()

    async def _press_next(self) -> None:
        self._ticks_to_key = max(0, self._ticks_to_key - 1)
        if not self._keys or self._ticks_to_key:
            return
        self._ticks_to_key = KEY_TICKS
        self._line.press(self._keys[0])
        await self._send("dtmf", {"dtmf": {"track": "inbound_track", "digit": self._keys.pop(0)}})

    async def _send_marks(self, names: Iterable[str]) -> None:
        for name in names:
            await self._send("mark", {"mark": {"name": name}})

    async def _receive(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for message in self._socket:
                await self._on_message(message)
        if self._ended is None:
            self._end("agent")

    async def _on_message(self, text: str | bytes) -> None:
        try:
            message = json.loads(text)
            if message["streamSid"] != self._stream_sid:
                self._line.note("fault", "a message for another streamSid")
                return
            await self._on_event(message)
        except (ValueError, KeyError, TypeError, binascii.Error) as fault:
            self._line.note("fault", f"a message that Twilio does not take: {type(fault).__name__} {fault}")

    async def _on_event(self, message: Mapping[str, Any]) -> None:
        match message["event"]:
            case "media":
                self._line.play(mulaw.decode(base64.b64decode(message["media"]["payload"], validate=True)))
            case "mark":
                await self._send_marks(self._line.mark(str(message["mark"]["name"])))
            case "clear":
                await self._send_marks(self._line.clear())
            case other:
                self._line.note("fault", f"a {other!r} message, which Twilio does not take")

    def _end(self, who: str) -> None:
        self._ended = who
        self._line.end(who)
        self._wake()

    def _wake(self) -> None:
        """Let those go on whose condition holds; tell the others where the call is over."""
        for holds, future in list(self._waiting):
            if future.done():
                continue
            if holds():
                future.set_result(None)
            elif self._ended is not None:
                future.set_exception(CallEnded(f"the {self._ended} hung up"))

    async def _until(self, holds: Callable[[], bool], timeout_secs: float | None = None) -> None:
        if holds():
            return
        if self._ended is not None:
            raise CallEnded(f"the {self._ended} hung up")
        latest = None if timeout_secs is None else self._line.now_secs + timeout_secs
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (lambda: holds() or (latest is not None and self._line.now_secs >= latest), future)
        self._waiting.append(entry)
        try:
            await future
        finally:
            self._waiting.remove(entry)
        if not holds():
            raise TimeoutError(f"nothing for {timeout_secs:g} s of the call")


def _to_line_rate(pcm16: Samples, rate_hz: int) -> Samples:
    if pcm16.ndim != 1:
        raise ValueError(f"a caller speaks in mono, not in an array of shape {pcm16.shape}")
    if rate_hz == RATE_HZ:
        return pcm16
    return np.asarray(soxr.resample(pcm16, rate_hz, RATE_HZ), dtype=np.int16)
