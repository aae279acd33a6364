"""A call in a LiveKit room."""

from __future__ import annotations

from contextlib import suppress

from pipecat.processors.aggregators.dtmf_aggregator import DTMFAggregator
from pipecat.transports.livekit.transport import LiveKitParams

from pipelines.memory import NotSigned, signed_user, vouch
from pipelines.phone import DIGITS_SECS
from pipelines.runtime import Runtime, Session
from pipelines.voice import call_pipeline, run_call
from transports.livekit import RoomTransport

RATE_HZ = 16_000
QUEUE_MS = 100
"""How far the output runs ahead of playback: "heard" is true to this."""


async def answer_room(runtime: Runtime, session: Session, room: str, token: str) -> None:
    """Carry one room until its people have left for good; `token` is the agent's."""
    async with runtime.carrying(session):
        transport = RoomTransport(
            runtime.settings.livekit_url,
            token,
            room,
            LiveKitParams(
                audio_in_enabled=True,
                audio_out_enabled=True,
                audio_in_user_tracks=False,
                audio_out_queue_size_ms=QUEUE_MS,
            ),
        )

        async def meet() -> None:
            number, user = transport.caller()
            await vouch(runtime, session.live, "phone", number)
            if user:
                with suppress(NotSigned):
                    await vouch(runtime, session.live, "user_id", signed_user(runtime.settings, user))

        keypad = [DTMFAggregator(timeout=DIGITS_SECS, prefix="")]
        pipeline = call_pipeline(transport, runtime, session.live, rate_hz=RATE_HZ, keypad=keypad)
        await run_call(runtime, session, transport, pipeline, rate_hz=RATE_HZ, rtvi=True, meet=meet)
