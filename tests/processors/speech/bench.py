"""Runs one processor in a real Pipecat pipeline, and hands the test what comes out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from pipecat.frames.frames import EndFrame, Frame, StartFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.workers.runner import WorkerRunner

F = TypeVar("F", bound=Frame)

_PATIENCE_SECS = 30


class _Ends(FrameProcessor):
    """Collects the frames that leave the pipeline at one of its ends."""

    def __init__(self, direction: FrameDirection) -> None:
        super().__init__(enable_direct_mode=True)
        self._direction = direction
        self.frames: list[Frame] = []
        self.changed = asyncio.Event()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if direction is self._direction:
            self.frames.append(frame)
            self.changed.set()
        await self.push_frame(frame, direction)


class Bench:
    """Frames go in by `send`; `until` waits for one to come out."""

    def __init__(self, worker: PipelineWorker, top: _Ends, bottom: _Ends) -> None:
        self._worker, self._top, self._bottom = worker, top, bottom

    @property
    def down(self) -> list[Frame]:
        return self._bottom.frames

    @property
    def up(self) -> list[Frame]:
        return self._top.frames

    def all(self, kind: type[F]) -> list[F]:
        return [frame for frame in self.down if isinstance(frame, kind)]

    async def send(self, *frames: Frame, direction: FrameDirection = FrameDirection.DOWNSTREAM) -> None:
        for frame in frames:
            await self._worker.queue_frame(frame, direction)

    async def until(self, kind: type[F], count: int = 1, *, upstream: bool = False) -> F:
        """The frame of this kind that makes `count`; a wait in vain ends with what came instead."""
        end = self._top if upstream else self._bottom
        try:
            async with asyncio.timeout(_PATIENCE_SECS):
                while len(found := [frame for frame in end.frames if isinstance(frame, kind)]) < count:
                    end.changed.clear()
                    await end.changed.wait()
        except TimeoutError:
            came = [type(frame).__name__ for frame in end.frames]
            raise AssertionError(f"no {count} {kind.__name__} came, but {came}") from None
        return found[count - 1]

    async def finish(self) -> None:
        """End in good order, everything processed."""
        await self.send(EndFrame())
        await self.until(EndFrame)


@asynccontextmanager
async def bench(
    processors: Sequence[FrameProcessor], *, in_hz: int = 16_000, out_hz: int = 16_000
) -> AsyncIterator[Bench]:
    top, bottom = _Ends(FrameDirection.UPSTREAM), _Ends(FrameDirection.DOWNSTREAM)
    worker = PipelineWorker(
        Pipeline([top, *processors, bottom]),
        params=PipelineParams(audio_in_sample_rate=in_hz, audio_out_sample_rate=out_hz),
        enable_rtvi=False,
        idle_timeout_secs=None,
    )
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running = asyncio.create_task(runner.run())
    made = Bench(worker, top, bottom)
    try:
        await made.until(StartFrame)
        yield made
    finally:
        await worker.cancel()
        await running
