"""A call from the page, peer to peer: WebRTC without a media server."""

from __future__ import annotations

from pipecat.transports.base_transport import TransportParams
from pipecat.transports.smallwebrtc.connection import SmallWebRTCConnection
from pipecat.transports.smallwebrtc.transport import SmallWebRTCTransport

from pipelines.runtime import Runtime, Session
from pipelines.voice import call_pipeline, run_call

RATE_HZ = 16_000


async def answer_browser(runtime: Runtime, session: Session, connection: SmallWebRTCConnection, token: str) -> None:
    """Carry one call of the page; the page learns the conversation's token."""
    async with runtime.carrying(session):
        transport = SmallWebRTCTransport(
            connection, TransportParams(audio_in_enabled=True, audio_out_enabled=True, audio_out_10ms_chunks=2)
        )
        pipeline = call_pipeline(transport, runtime, session.live, rate_hz=RATE_HZ)
        await run_call(runtime, session, transport, pipeline, rate_hz=RATE_HZ, rtvi=True, token=token)
