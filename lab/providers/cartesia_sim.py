"""Cartesia's speech websocket (`/tts/websocket`): contexts, chunks, word timestamps, cancel.

https://docs.cartesia.ai/api-reference/tts/websocket
"""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request

from lab.providers.speech_sim import Fail, SpeechSim, pieces
from processors.speech.voice import Voice


class CartesiaSim(SpeechSim):
    """Says transcripts, context by context. Log: connected, request (its text), word (each that was sent)."""

    def __init__(self, voice: Voice, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._voice = voice

    def key_of(self, request: Request) -> str | None:
        query = parse_qs(urlsplit(request.path).query)
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        return request.headers.get("x-api-key") or query.get("api_key", [bearer])[0]

    async def talk(self, connection: ServerConnection) -> None:
        contexts: dict[str, _Context] = {}
        async with asyncio.TaskGroup() as group:
            async for message in connection:
                request = json.loads(message)
                context_id = request["context_id"]
                if request.get("cancel"):
                    if context := contexts.pop(context_id, None):
                        context.task.cancel()
                    continue
                if context_id not in contexts:
                    context = contexts[context_id] = _Context(context_id)
                    context.task = group.create_task(self._speak(connection, context))
                contexts[context_id].requests.put_nowait(request)
                if not request.get("continue"):
                    contexts.pop(context_id)

    async def _speak(self, connection: ServerConnection, context: _Context) -> None:
        while True:
            request = await context.requests.get()
            if request["transcript"]:
                self.note("request", request["transcript"])
                await self._say(connection, context, request)
            if not request.get("continue"):
                return await connection.send(context.message("done", 200, done=True))
            if request["transcript"]:
                await connection.send(context.message("flush_done", 206, flush_id=1, flush_done=True))

    async def _say(self, connection: ServerConnection, context: _Context, request: dict[str, Any]) -> None:
        fault = await self.next_fault()
        if isinstance(fault, Fail):
            return await connection.send(
                context.message("error", 500, title="error", error=fault.message, message=fault.message)
            )
        rate_hz, ends_secs = request["output_format"]["sample_rate"], context.secs
        async for piece in pieces(self._voice, request["transcript"], rate_hz, fault):
            if request.get("add_timestamps"):
                times = {
                    "words": [piece.word.word],
                    "start": [context.secs + piece.word.start_secs],
                    "end": [context.secs + piece.word.end_secs],
                }
                await connection.send(context.message("timestamps", 206, word_timestamps=times))
            data = base64.b64encode(piece.pcm).decode()
            await connection.send(context.message("chunk", 206, data=data, step_time=1.0))
            self.note("word", piece.word.word)
            ends_secs += len(piece.pcm) / 2 / rate_hz
        context.secs = ends_secs


class _Context:
    """One context: requests that continue each other, on one clock."""

    task: asyncio.Task[None]

    def __init__(self, context_id: str) -> None:
        self._id = context_id
        self.requests: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.secs = 0.0

    def message(self, kind: str, status: int, *, done: bool = False, **more: Any) -> str:
        return json.dumps({"type": kind, "context_id": self._id, "status_code": status, "done": done, **more})
