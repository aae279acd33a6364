"""The far end of a call: takes offers as the server does, hears the microphone, hums, and sends RTVI messages."""

from __future__ import annotations

import asyncio
import fractions
from typing import Any

import numpy as np
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import AudioFrame
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pipecat.transports.smallwebrtc.connection import SmallWebRTCConnection
from pipecat.transports.smallwebrtc.request_handler import (
    IceCandidate,
    SmallWebRTCPatchRequest,
    SmallWebRTCRequest,
    SmallWebRTCRequestHandler,
)

RATE_HZ = 48_000
FRAME_SAMPLES = 960


class Hum(MediaStreamTrack):
    """A tone, in real time: 20 ms frames of mono 16-bit samples at 48 kHz."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._sent = 0
        self._began: float | None = None

    async def recv(self) -> AudioFrame:
        loop = asyncio.get_running_loop()
        self._began = loop.time() if self._began is None else self._began
        await asyncio.sleep(max(0.0, self._began + self._sent / RATE_HZ - loop.time()))
        at = np.arange(self._sent, self._sent + FRAME_SAMPLES) / RATE_HZ
        samples = (np.sin(2 * np.pi * 440 * at) * 12_000).astype(np.int16)
        frame = AudioFrame.from_ndarray(samples[np.newaxis, :], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, self._sent, fractions.Fraction(1, RATE_HZ)
        self._sent += FRAME_SAMPLES
        return frame


class FakePeer:
    """`offers` and `messages` are what the page sent; `loudest` is the loudest sample of its microphone."""

    def __init__(self) -> None:
        self.offers: list[dict[str, Any]] = []
        self.messages: list[dict[str, Any]] = []
        self.loudest = 0
        self.refuse_with: int | None = None
        self.connection: SmallWebRTCConnection | None = None
        self.closed = False
        self._handler = SmallWebRTCRequestHandler()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def add_routes(self, app: FastAPI) -> None:
        app.post("/api/offer")(self._offer)
        app.patch("/api/offer")(self._candidates)

    def send(self, kind: str, **data: Any) -> None:
        assert self.connection is not None and self._loop is not None
        message = {"label": "rtvi-ai", "id": "1", "type": kind, "data": data}
        self._loop.call_soon_threadsafe(self.connection.send_app_message, message)

    def hang_up(self) -> None:
        assert self.connection is not None and self._loop is not None
        asyncio.run_coroutine_threadsafe(self.connection.disconnect(), self._loop).result(10)

    def lose(self) -> None:
        """The network is gone: nothing more comes or goes, and nobody says goodbye."""
        assert self.connection is not None and self._loop is not None
        asyncio.run_coroutine_threadsafe(self.connection.pc.close(), self._loop).result(10)

    async def _offer(self, request: Request) -> JSONResponse:
        self._loop = asyncio.get_running_loop()
        body = await request.json()
        self.offers.append(dict(body))
        if self.refuse_with is not None:
            return JSONResponse({"error": {"code": "busy", "message": "busy"}}, self.refuse_with)
        return JSONResponse(await self._handler.handle_web_request(SmallWebRTCRequest.from_dict(body), self._connected))

    async def _candidates(self, request: Request) -> JSONResponse:
        body = await request.json()
        candidates = [IceCandidate(**candidate) for candidate in body["candidates"]]
        await self._handler.handle_patch_request(SmallWebRTCPatchRequest(body["pc_id"], candidates))
        return JSONResponse({})

    async def _connected(self, connection: SmallWebRTCConnection) -> None:
        self.connection = connection

        @connection.event_handler("app-message")
        async def on_message(_: SmallWebRTCConnection, message: dict[str, Any]) -> None:
            self.messages.append(message)
            if message["type"] == "client-ready":
                self.send("bot-ready", version="2.2.0", about={})

        @connection.event_handler("connected")
        async def on_connected(_: SmallWebRTCConnection) -> None:
            connection.replace_audio_track(Hum())
            listening = asyncio.create_task(self._listen(connection))
            self._tasks.add(listening)

        @connection.event_handler("closed")
        async def on_closed(_: SmallWebRTCConnection) -> None:
            self.closed = True

        await connection.connect()

    async def _listen(self, connection: SmallWebRTCConnection) -> None:
        track = connection.audio_input_track()
        try:
            while track is not None:
                frame = await track.recv()
                if frame is not None:
                    self.loudest = max(self.loudest, int(np.abs(frame.to_ndarray()).max()))
        except MediaStreamError:
            return
