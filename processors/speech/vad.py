"""Pipecat's own ears, Silero (voice activity) and Smart Turn (end of turn), with one model for the whole process.

Pipecat loads both models anew for every call, on the event loop, which the other calls hear as a gap. Here
a call's analyser is only its state: made in a fraction of a millisecond. Call `warm` at start.
"""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import onnxruntime
from pipecat.audio.turn.base_turn_analyzer import BaseTurnAnalyzer
from pipecat.audio.turn.smart_turn.base_smart_turn import BaseSmartTurn, SmartTurnParams
from pipecat.audio.turn.smart_turn.local_smart_turn_v3 import LocalSmartTurnAnalyzerV3
from pipecat.audio.vad.silero import SileroOnnxModel, SileroVADAnalyzer
from pipecat.audio.vad.vad_analyzer import VADAnalyzer, VADParams, VADState
from pipecat.frames.frames import Frame, VADUserStartedSpeakingFrame, VADUserStoppedSpeakingFrame
from pipecat.turns.types import ProcessFrameResult
from pipecat.turns.user_stop import TurnAnalyzerUserTurnStopStrategy

EVERY_WORD = VADParams(min_volume=0.3)
"""Pipecat's own gate of 0.6 misses a short "yes" or "no" altogether; at 0.3 noise still begins no turn."""
_SMART_TURN_RATE_HZ = 16_000

_loading = threading.Lock()


class _SileroStream(SileroOnnxModel):
    """Silero's recurrent state for one stream, over the process's session."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self.session = session
        self.sample_rates = [8000, 16000]
        self.reset_states()


class SharedSilero(SileroVADAnalyzer):
    """Silero as Pipecat has it, on the shared session, run in place.

    One window of 32 ms takes 0.15 ms: less than the hop to a thread and back would cost the loop. A turn
    analyser given as `turn` is fed from here, so that the caller's audio need not travel on to it.
    """

    def __init__(
        self,
        *,
        sample_rate: int | None = None,
        params: VADParams | None = None,
        turn: BaseTurnAnalyzer | None = None,
    ) -> None:
        VADAnalyzer.__init__(self, sample_rate=sample_rate, params=params or EVERY_WORD)
        self._model = _SileroStream(_silero_session())
        self._windows_since_reset = 0
        self._low_confidence_windows = 0
        self._turn = turn

    async def analyze_audio(self, buffer: bytes) -> VADState:
        state = self._run_analyzer(buffer)
        if self._turn is not None:
            self._turn.append_audio(buffer, state in (VADState.SPEAKING, VADState.STOPPING))
        return state


class SharedSmartTurn(LocalSmartTurnAnalyzerV3):
    """Smart Turn as Pipecat has it, on the shared session and in a bounded pool."""

    def __init__(self, *, sample_rate: int | None = None, params: SmartTurnParams | None = None) -> None:
        BaseSmartTurn.__init__(self, sample_rate=sample_rate, params=params)
        self._log_data = False
        self._session = _smart_turn_session()

    @property
    def _model_executor(self) -> ThreadPoolExecutor:
        return _smart_turn_pool()


class SmartTurnStop(TurnAnalyzerUserTurnStopStrategy):
    """Ends a turn as Smart Turn says; after `silence_secs` without a voice even where it says "not yet".

    Pipecat's own strategy counts that silence in audio frames, which do not come here when the audio stops
    at the STT; the analyser is fed by `SharedSilero(turn=...)` then.
    """

    def __init__(self, *, turn_analyzer: BaseTurnAnalyzer, silence_secs: float = 2.0, **kwargs: Any) -> None:
        super().__init__(turn_analyzer=turn_analyzer, **kwargs)
        self._silence_secs = silence_secs
        self._silence: asyncio.Task[None] | None = None
        self._turn_ended = False

    async def process_frame(self, frame: Frame) -> ProcessFrameResult:
        if isinstance(frame, VADUserStartedSpeakingFrame | VADUserStoppedSpeakingFrame):
            await self._stop_waiting()
        loop = asyncio.get_running_loop()
        silent_at = loop.time() + self._silence_secs
        self._turn_ended = False
        result = await super().process_frame(frame)  # Smart Turn's verdict is in when this returns
        if isinstance(frame, VADUserStoppedSpeakingFrame) and not self._turn_ended:
            self._silence = self.task_manager.create_task(
                self._wait_in_silence(silent_at - loop.time()), f"{self}::silence"
            )
        return result

    async def handle_user_turn_stopped(self) -> None:
        self._turn_ended = True
        await self._stop_waiting()
        await super().handle_user_turn_stopped()

    async def cleanup(self) -> None:
        await self._stop_waiting()
        await super().cleanup()

    async def _wait_in_silence(self, secs: float) -> None:
        await asyncio.sleep(secs)
        self._silence = None
        self._turn_complete = True
        await self._maybe_trigger_user_turn_stopped()

    async def _stop_waiting(self) -> None:
        silence, self._silence = self._silence, None
        if silence is not None:
            await self.task_manager.cancel_task(silence)


def shared_smart_turn(params: SmartTurnParams | None = None) -> SharedSmartTurn:
    """A new call's end-of-turn analyser."""
    return SharedSmartTurn(params=params)


def warm() -> None:
    """Load both models and run each once (about 0.2 s); blocks, so call it in a thread."""
    silero = _SileroStream(_silero_session())
    for rate_hz, window in ((8000, 256), (16000, 512)):
        silero(np.zeros(window, np.float32), rate_hz)
    SharedSmartTurn(sample_rate=_SMART_TURN_RATE_HZ)._predict_endpoint(np.zeros(_SMART_TURN_RATE_HZ, np.float32))


def _silero_session() -> onnxruntime.InferenceSession:
    return _session("pipecat.audio.vad.data", "silero_vad.onnx")


def _smart_turn_session() -> onnxruntime.InferenceSession:
    return _session("pipecat.audio.turn.smart_turn.data", "smart-turn-v3.2-cpu.onnx")


def _session(package: str, name: str) -> onnxruntime.InferenceSession:
    with _loading:
        return _loaded_session(package, name)


@cache
def _loaded_session(package: str, name: str) -> onnxruntime.InferenceSession:
    options: Any = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    with resources.as_file(resources.files(package) / name) as path:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


@cache
def _smart_turn_pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max(1, (os.cpu_count() or 2) - 1), thread_name_prefix="smart-turn")
