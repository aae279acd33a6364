"""A phone call over Twilio: mu-law at 8 kHz both ways."""

from __future__ import annotations

from pipecat.processors.aggregators.dtmf_aggregator import DTMFAggregator
from pipecat.transports.websocket.fastapi import FastAPIWebsocketParams, FastAPIWebsocketTransport

from pipelines.memory import vouch
from pipelines.runtime import Busy, Runtime
from pipelines.voice import call_pipeline, run_call
from transports.twilio import RATE_HZ, PhoneCall

DIGITS_SECS = 2.0
"""Digits that follow each other within this belong together."""


async def answer_phone(runtime: Runtime, call: PhoneCall) -> None:
    """Carry one phone call; its session id is the carrier's call id."""
    conversation_id, _ = await runtime.find_or_begin(None)
    live = await runtime.open(conversation_id, call.call_sid, "phone")
    try:
        session = runtime.admit(live)
    except Busy:
        return await call.websocket.close(1013, "busy")
    async with runtime.carrying(session):
        await vouch(runtime, live, "phone", call.caller)
        transport = FastAPIWebsocketTransport(
            websocket=call.websocket,
            params=FastAPIWebsocketParams(serializer=call.serializer, audio_in_enabled=True, audio_out_enabled=True),
        )
        keypad = [DTMFAggregator(timeout=DIGITS_SECS, prefix="")]
        pipeline = call_pipeline(transport, runtime, live, rate_hz=RATE_HZ, keypad=keypad)
        await run_call(runtime, session, transport, pipeline, rate_hz=RATE_HZ, rtvi=False)
