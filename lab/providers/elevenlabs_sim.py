"""ElevenLabs' speech websockets: `stream-input` and `multi-stream-input`, with character alignment.

https://elevenlabs.io/docs/api-reference/text-to-speech/v-1-text-to-speech-voice-id-multi-stream-input
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request

from lab.providers.speech_sim import Fail, Piece, SpeechSim, pieces
from processors.speech.voice import Voice

Order = tuple[str, bool]
"""Text to say, and whether the context ends with it."""


class ElevenLabsSim(SpeechSim):
    """Says texts when they are flushed, closed, or at once with `auto_mode`. Log: connected, request, word."""

    def __init__(self, voice: Voice, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._voice = voice

    def key_of(self, request: Request) -> str | None:
        return request.headers.get("xi-api-key")

    async def talk(self, connection: ServerConnection) -> None:
        assert connection.request
        address = urlsplit(connection.request.path)
        query = parse_qs(address.query)
        rate = re.fullmatch(r"pcm_(\d+)", query.get("output_format", ["pcm_16000"])[0])
        if rate is None:
            return await connection.close(1008, "the simulator speaks pcm only")
        several = address.path.endswith("/multi-stream-input")
        at_once = query.get("auto_mode", ["false"])[0] == "true"
        contexts: dict[str | None, _Context] = {}
        async with asyncio.TaskGroup() as group:
            async for message in connection:
                order = json.loads(message)
                if order.get("close_socket"):
                    return await connection.close()
                context_id = order.get("context_id") if several else None
                if several and context_id is None:
                    continue
                if context_id not in contexts:
                    context = contexts[context_id] = _Context(context_id)
                    context.task = group.create_task(self._speak(connection, context, int(rate[1])))
                ends = contexts[context_id].take(order, several=several, at_once=at_once)
                if ends:
                    contexts.pop(context_id)

    async def _speak(self, connection: ServerConnection, context: _Context, rate_hz: int) -> None:
        while True:
            text, ends = await context.orders.get()
            if text.strip():
                self.note("request", text.strip())
                fault = await self.next_fault()
                if isinstance(fault, Fail):
                    return await connection.close(1008, fault.message)
                async for piece in pieces(self._voice, text, rate_hz, fault):
                    await connection.send(json.dumps(context.named(_spoken(piece, rate_hz))))
                    self.note("word", piece.word.word)
            if ends:
                return await connection.send(json.dumps(context.named({"audio": None, "isFinal": True})))


class _Context:
    """The text of one context that waits to be said."""

    task: asyncio.Task[None]

    def __init__(self, context_id: str | None) -> None:
        self._id = context_id
        self._text = ""
        self.orders: asyncio.Queue[Order] = asyncio.Queue()

    def take(self, order: dict[str, Any], *, several: bool, at_once: bool) -> bool:
        """Keep or order its text; whether the context ends."""
        self._text += order.get("text") or ""
        ends = bool(order.get("close_context")) if several else order.get("text") == ""
        if ends or at_once or order.get("flush") or order.get("try_trigger_generation"):
            self.orders.put_nowait((self._text, ends))
            self._text = ""
        return ends

    def named(self, message: dict[str, Any]) -> dict[str, Any]:
        return message if self._id is None else {**message, "contextId": self._id}


def _spoken(piece: Piece, rate_hz: int) -> dict[str, Any]:
    """A word's sound and its characters, the space after it among them; times start anew in every message."""
    chars = [*piece.word.word, " "]
    duration_ms = len(piece.pcm) / 2 / rate_hz * 1000
    starts = [int(duration_ms * index / len(chars)) for index in range(len(chars))]
    ends = [*starts[1:], int(duration_ms)]
    alignment = {
        "chars": chars,
        "charStartTimesMs": starts,
        "charDurationsMs": [end - start for start, end in zip(starts, ends, strict=True)],
    }
    audio = base64.b64encode(piece.pcm).decode()
    return {"audio": audio, "alignment": alignment, "normalizedAlignment": alignment, "isFinal": None}
