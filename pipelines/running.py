"""Runs a pipeline to its end, and then lets it go."""

from __future__ import annotations

from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.workers.runner import WorkerRunner


async def run_to_end(worker: PipelineWorker, pipeline: Pipeline) -> None:
    """Returns when the worker has finished. One runner per session: a runner never forgets its workers.

    The parts of a pipeline refer to each other in circles. What is left to the garbage collector comes back as a
    pause of the event loop, so the circles are cut here and the memory is free at once.
    """
    runner = WorkerRunner(handle_sigint=False)
    try:
        await runner.add_workers(worker)
        await runner.run()
    finally:
        for part in (*pipeline.processors, pipeline, worker, runner):
            vars(part).clear()
