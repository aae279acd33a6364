"""Measures each turn: the time between the stages' frames, as the customer waited for them.

speech ends      turn ends          words          audio          first sound
   |--endpointing--|--understanding, retrieval, model, sentence--|--tts--|--transport, playout--|
          |--stt--|   (the part of the wait in which only the transcript was missing)
"""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    Frame,
    InterruptionFrame,
    LLMContextFrame,
    LLMMessagesAppendFrame,
    LLMTextFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSStartedFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.observers.base_observer import BaseObserver, FramePushed

from agent import events as ev
from agent.live import LiveConversation
from agent.llm.prompt import Medium
from processors.frames import TurnFrame
from processors.ground import Ground


class TurnMeter(BaseObserver):
    """Frames seen in passing in, one `TurnMeasured` event per turn into the journal."""

    def __init__(self, *, live: LiveConversation, medium: Medium) -> None:
        super().__init__()
        self._live = live
        self._medium = medium
        self._at: dict[str, float] = {}
        self._turn_id = ""
        self._writing: set[asyncio.Task[Any]] = set()

    async def on_push_frame(self, data: FramePushed) -> None:
        now, frame = asyncio.get_running_loop().time(), data.frame
        match frame:
            case LLMMessagesAppendFrame():
                self._at = {"speech_ended": now, "noticed": now, "transcribed": now}
            case VADUserStoppedSpeakingFrame() if data.first_push:
                self._at = {"speech_ended": now - frame.stop_secs, "noticed": now}
            case InterruptionFrame():
                self._at = {} if "turn_ended" in self._at else self._at
            case _:
                self._mark(frame, data, now)

    def _mark(self, frame: Frame, data: FramePushed, now: float) -> None:
        match frame:
            case TranscriptionFrame():
                self._at["transcribed"] = now
            case LLMContextFrame():
                self._first("turn_ended", now)
            case TurnFrame(turn=turn) if turn is not None:
                self._turn_id = turn.turn_id
                self._first("retrieved" if isinstance(data.source, Ground) else "understood", now)
            case LLMTextFrame() if "retrieved" in self._at:
                self._first("first_token", now)
                if self._medium == "text":
                    self._finish(now)
            case TTSStartedFrame() if "first_token" in self._at:
                self._first("first_sentence", now)
            case TTSAudioRawFrame() if "first_sentence" in self._at:
                self._first("first_audio", now)
            case BotStartedSpeakingFrame() if "first_audio" in self._at:
                self._finish(now)

    def _first(self, name: str, now: float) -> None:
        self._at.setdefault(name, now)

    def _finish(self, now: float) -> None:
        at, self._at = self._at, {}
        if "speech_ended" not in at or "turn_ended" not in at:
            return
        stages = stages_ms(at, now)
        event = ev.TurnMeasured(stages_ms=stages, total_ms=sum(stages.values()), **self._live.stamp(self._turn_id))
        task = asyncio.create_task(self._live.record(event))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)


def stages_ms(at: dict[str, float], heard: float) -> dict[ev.Stage, float]:
    """The stages between the marks, in ms; they sum to `heard - at["speech_ended"]`."""
    turn_ended = at["turn_ended"]
    transcribed = min(max(at.get("transcribed", at["noticed"]), at["noticed"]), turn_ended)
    marks = [at.get(name, 0.0) for name in ("understood", "retrieved", "first_token", "first_sentence", "first_audio")]
    times = [turn_ended]
    for mark in (*marks, heard):
        times.append(max(mark, times[-1]))
    spans = [later - earlier for earlier, later in itertools.pairwise(times)]
    stt = transcribed - at["noticed"]
    secs: dict[ev.Stage, float] = {
        "endpointing": turn_ended - at["speech_ended"] - stt,
        "stt": stt,
        "understanding": spans[0],
        "retrieval": spans[1],
        "model_first_token": spans[2],
        "first_sentence": spans[3],
        "tts_first_audio": spans[4],
        "transport": spans[5],
        "playout": 0.0,
    }
    return {stage: round(value * 1000, 3) for stage, value in secs.items()}
