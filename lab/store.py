"""`scripts/bench store`: how long a 40-turn conversation takes to read, from Redis and from SQL, on loopback.

The aims: a raw read from Redis under 2 ms and a read with its fold under 6 ms, at the 95th percentile.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from redis.asyncio import Redis
from rich.console import Console
from rich.table import Table

from agent import events as ev
from agent.conversation import fold
from agent.store.redis import RedisFront
from agent.store.sql import SqlJournal

TURNS = 40
RAW_P95_MS = 2.0
FOLDED_P95_MS = 6.0


def conversation() -> list[ev.Event]:
    """Turns as a session writes them: heard, understood, grounded, decided, said, delivered, measured."""
    answer = "Standard delivery takes three to five working days. " * 3
    events: list[ev.Event] = [ev.SessionJoined(channel="text", at=0.0, session_id="s")]
    for number in range(TURNS):
        stamp: dict[str, Any] = {"at": float(number), "turn_id": f"turn-{number}", "session_id": "s"}
        passages = [ev.PassageFound(id=f"shipping-{n}", source="Shipping", score=0.5) for n in range(5)]
        events += [
            ev.UserSaid(text=f"and what about the delivery of my order number 1000{number}, please?", **stamp),
            ev.Understood(intent="order_status", confidence=0.9, alternatives=[("returns", 0.05)], **stamp),
            ev.Retrieved(passages=passages, **stamp),
            ev.Decided(action="answer", reasons=["a page fits"], details={"task": None}, **stamp),
            ev.AgentSaid(
                text="Standard delivery takes three to five working days. " * 3, sources=["Shipping"], **stamp
            ),
            ev.Heard(text=answer, complete=True, **stamp),
            ev.TurnMeasured(stages_ms={"understanding": 20.0, "retrieval": 5.0}, total_ms=25.0, **stamp),
        ]
    return events


@contextmanager
def _redis() -> Iterator[str]:
    """A throwaway Redis on loopback."""
    with socket.socket() as listener, tempfile.TemporaryDirectory() as folder:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        listener.close()
        command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            yield f"redis://127.0.0.1:{port}"
        finally:
            process.kill()
            process.wait()


async def _measured(read: Callable[[], Awaitable[object]], reads: int) -> tuple[float, float]:
    """p50 and p95 in ms."""
    took = []
    for _ in range(reads):
        began = time.perf_counter()
        await read()
        took.append((time.perf_counter() - began) * 1000)
    p50, p95 = np.percentile(took, [50, 95])
    return float(p50), float(p95)


async def measure(url: str, folder: Path, reads: int) -> dict[str, tuple[float, float]]:
    """p50 and p95 in ms of each way to read the conversation."""
    sql = await SqlJournal.open(f"sqlite:///{folder / 'journal.db'}", clock=time.time)
    redis = Redis.from_url(url)
    while True:
        with suppress(Exception):
            await redis.ping()
            break
        await asyncio.sleep(0.01)
    front = await RedisFront.open(sql, url, clock=time.time)
    await front.append("c", 0, conversation())
    key = "openline:{c}:events"

    async def folded() -> None:
        fold("c", await front.read("c"))

    try:
        return {
            "Redis, raw": await _measured(lambda: redis.lrange(key, 0, -1), reads),
            "Redis, read and folded": await _measured(folded, reads),
            "SQLite, read": await _measured(lambda: sql.read("c"), reads),
        }
    finally:
        await redis.aclose()
        await front.close()


def main() -> int:
    """Exit codes: 0 within the aims, 1 beyond them or no Redis."""
    parser = argparse.ArgumentParser("scripts/bench store", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--reads", type=int, default=500, help="how often each way is tried; default 500")
    reads = parser.parse_args().reads
    if not shutil.which("redis-server"):
        print("redis-server is not installed (Debian: apt-get install redis-server).", file=sys.stderr)
        return 1
    with _redis() as url, tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(measure(url, Path(folder), reads))
    table = Table("way", "p50 ms", "p95 ms", title=f"A conversation of {TURNS} turns, {len(conversation())} events")
    for way, (p50, p95) in figures.items():
        table.add_row(way, f"{p50:.2f}", f"{p95:.2f}")
    Console().print(table)
    return int(figures["Redis, raw"][1] > RAW_P95_MS or figures["Redis, read and folded"][1] > FOLDED_P95_MS)


if __name__ == "__main__":
    sys.exit(main())
