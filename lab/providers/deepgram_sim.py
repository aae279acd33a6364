"""Deepgram's live transcription (`/v1/listen`), as its SDK and Pipecat's service speak it.

Audio in; `Results` at `Finalize` and `CloseStream`, each over all audio since the one before. Interim results
and the provider's own endpointing are left out. https://developers.deepgram.com/reference/speech-to-text/listen-streaming
"""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request

from lab.providers.speech_sim import Cut, Ear, Fail, Reset, SpeechSim

_MAX_SECS = 30


class DeepgramSim(SpeechSim):
    """One transcript for each stretch that is finalized. Log: connected, audio (its first), finalize, result."""

    def __init__(self, ear: Ear, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._ear = ear

    def key_of(self, request: Request) -> str | None:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        return key if scheme.lower() in ("token", "bearer") else None

    async def talk(self, connection: ServerConnection) -> None:
        assert connection.request
        query = parse_qs(urlsplit(connection.request.path).query)
        stream = _Stream(connection, int(query.get("sample_rate", ["16000"])[0]), query.get("model", ["nova-3"])[0])
        async for message in connection:
            if isinstance(message, bytes):
                if not stream.audio:
                    self.note("audio")
                stream.take(message)
                continue
            kind = json.loads(message).get("type")
            if kind == "Finalize":
                self.note("finalize")
                await self._finish(stream)
            elif kind == "CloseStream":
                if stream.audio:
                    await self._finish(stream)
                await connection.send(json.dumps(stream.metadata()))
                return

    async def _finish(self, stream: _Stream) -> None:
        fault = await self.next_fault()
        if isinstance(fault, Reset):
            raise Cut
        if isinstance(fault, Fail):
            return await stream.connection.close(1011, fault.message)
        audio = stream.taken()
        text = await asyncio.to_thread(self._ear.hear, audio, stream.rate_hz)
        await stream.connection.send(json.dumps(stream.results(text, len(audio))))
        self.note("result", text)


class _Stream:
    """The audio of one connection, and where on its clock we are."""

    def __init__(self, connection: ServerConnection, rate_hz: int, model: str) -> None:
        self.connection = connection
        self.rate_hz = rate_hz
        self.audio = bytearray()
        self._model = model
        self._start_secs = 0.0

    def take(self, pcm: bytes) -> None:
        self.audio += pcm
        excess = max(0, len(self.audio) - _MAX_SECS * self.rate_hz * 2)
        del self.audio[:excess]
        self._start_secs += excess / 2 / self.rate_hz

    def taken(self) -> bytes:
        audio = bytes(self.audio)
        self.audio.clear()
        return audio

    def results(self, text: str, size: int) -> dict[str, Any]:
        start, duration = self._start_secs, size / 2 / self.rate_hz
        self._start_secs += duration
        spoken = text.split()
        share = duration / max(1, len(spoken))
        words = [
            {
                "word": word.strip(".,?!").lower(),
                "punctuated_word": word,
                "start": start + index * share,
                "end": start + (index + 1) * share,
                "confidence": 0.99,
            }
            for index, word in enumerate(spoken)
        ]
        return {
            "type": "Results",
            "channel_index": [0, 1],
            "start": start,
            "duration": duration,
            "is_final": True,
            "speech_final": True,
            "from_finalize": True,
            "channel": {"alternatives": [{"transcript": text, "confidence": 0.99 if text else 0.0, "words": words}]},
            "metadata": {
                "request_id": "sim",
                "model_uuid": "sim",
                "model_info": {"name": self._model, "version": "sim", "arch": self._model},
            },
        }

    def metadata(self) -> dict[str, Any]:
        return {
            "type": "Metadata",
            "transaction_key": "deprecated",
            "request_id": "sim",
            "sha256": "",
            "created": "2026-01-01T00:00:00.000Z",
            "duration": self._start_secs,
            "channels": 1,
        }
