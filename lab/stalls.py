"""`scripts/bench stalls`: how long the event loop stands still while eight chats go on at a time.

A ticker of 5 ms runs on the server's own loop, on one core; the chats and a control ticker on an idle loop run on
the other. The rule: p99.9 <= 10 ms, and no stall over 25 ms net of the control's worst.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx
import numpy as np
import uvicorn
import uvloop
from rich.console import Console
from rich.table import Table

from agent.loading import load_business
from pipelines.app import make_app
from pipelines.main import Server
from pipelines.runtime import Runtime
from pipelines.settings import ROOT, Settings

TICK_SECS = 0.005
P999_MS = 10.0
WORST_NET_MS = 25.0


@dataclass(frozen=True)
class Stalls:
    """How late the ticks came, in ms."""

    ticks: int
    p50: float
    p99: float
    p999: float
    worst: float


def summed_up(late_secs: Sequence[float]) -> Stalls:
    """The stalls of a run, from each tick's lateness in seconds."""
    ms = np.asarray(late_secs, dtype=float) * 1000
    p50, p99, p999 = np.percentile(ms, [50, 99, 99.9])
    return Stalls(len(ms), float(p50), float(p99), float(p999), float(ms.max()))


def holds(server: Stalls, control: Stalls) -> bool:
    """Whether the rule holds."""
    return server.p999 <= P999_MS and server.worst - control.worst <= WORST_NET_MS


async def tick(late: list[float]) -> None:
    """Note how late each tick comes, until cancelled."""
    while True:
        due = time.perf_counter() + TICK_SECS
        await asyncio.sleep(TICK_SECS)
        late.append(max(0.0, time.perf_counter() - due))


async def tick_until_told(settings: Settings | None) -> None:
    """Tick on a loop that serves, or an idle one, until SIGTERM; then print the lateness of every tick."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    late: list[float] = []
    if settings is None:
        await _ticked(late, ended)
        return
    runtime = await Runtime.start(settings, voice=False)
    server = Server(uvicorn.Config(make_app(runtime), port=settings.port, log_config=None))
    serving = asyncio.create_task(server.serve())
    await server.up.wait()
    await _ticked(late, ended)
    await runtime.stop()
    server.should_exit = True
    await serving


async def _ticked(late: list[float], ended: asyncio.Event) -> None:
    print("up", flush=True)
    ticking = asyncio.create_task(tick(late))
    await ended.wait()
    ticking.cancel()
    print(json.dumps(late), flush=True)


class Child:
    """This module in a process of its own, on one core."""

    def __init__(self, core: int, *arguments: str) -> None:
        command = [sys.executable, "-m", "lab.stalls", *arguments]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        os.sched_setaffinity(self._process.pid, {core})
        assert self._process.stdout
        self._output = self._process.stdout
        if self._output.readline().strip() != "up":
            raise SystemExit("the server did not start; try scripts/run")

    def stop(self) -> Stalls:
        self._process.terminate()
        late = json.loads(self._output.readline())
        self._process.wait(timeout=30)
        return summed_up(late)


async def chats(url: str, business: Path, at_a_time: int, turns: int) -> None:
    """So many chats at a time, each of so many turns in the business's own words."""
    described, _ = load_business(business)
    lines = [example for intent in described.intents.values() for example in intent.examples if not intent.human]

    async def one(n: int) -> None:
        async with httpx.AsyncClient(timeout=30) as client:
            token = None
            for turn in range(turns):
                body = {"text": lines[(7 * n + 13 * turn) % len(lines)], "token": token}
                response = await client.post(f"{url}/chat", json=body)
                token = response.raise_for_status().json()["token"]

    await asyncio.gather(*(one(n) for n in range(at_a_time)))


def measure(business: Path, at_a_time: int, turns: int, port: int) -> tuple[Stalls, Stalls]:
    """(server, control)."""
    first, *others = sorted(os.sched_getaffinity(0))
    other = others[0] if others else first
    with tempfile.TemporaryDirectory() as folder:
        served = ("--serve", "--business", str(business), "--data-dir", folder, "--port", str(port))
        server = Child(first, *served)
        control = Child(other, "--control")
        os.sched_setaffinity(0, {other})
        asyncio.run(chats(f"http://127.0.0.1:{port}", business, at_a_time, turns))
        return server.stop(), control.stop()


def main() -> int:
    """Exit codes: 0 the rule holds, 1 it does not."""
    parser = argparse.ArgumentParser("scripts/bench stalls", description=__doc__)
    parser.add_argument("--business", type=Path, default=ROOT / "examples" / "acme")
    parser.add_argument("--chats", type=int, default=8, help="at a time")
    parser.add_argument("--turns", type=int, default=20, help="of each chat")
    parser.add_argument("--port", type=int, default=7869)
    parser.add_argument("--json", action="store_true", help="one object instead of the table")
    for hidden in ("--serve", "--control"):
        parser.add_argument(hidden, action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--data-dir", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve or given.control:
        settings = Settings(business=given.business, data_dir=given.data_dir, port=given.port) if given.serve else None
        uvloop.run(tick_until_told(settings))
        return 0
    server, control = measure(given.business, given.chats, given.turns, given.port)
    if given.json:
        print(json.dumps({"server": asdict(server), "control": asdict(control), "holds": holds(server, control)}))
    else:
        Console().print(_table(server, control))
    return 0 if holds(server, control) else 1


def _table(server: Stalls, control: Stalls) -> Table:
    verdict = "holds" if holds(server, control) else "does not hold"
    table = Table("lateness, ms", "ticks", "p50", "p99", "p99.9", "worst", title=f"The rule {verdict}")
    for name, s in (("server's loop", server), ("control", control)):
        table.add_row(name, str(s.ticks), *(f"{v:.2f}" for v in (s.p50, s.p99, s.p999, s.worst)))
    return table


if __name__ == "__main__":
    sys.exit(main())
