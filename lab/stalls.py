"""`scripts/bench stalls`: how long the event loop stands still while eight chats go on at a time.

A ticker of 5 ms runs on the server's own loop, on one core; the chats and a control ticker on an idle loop run on the
other, where the control waits for the host's noise and not for the server. The rule: p99.9 <= 10 ms, and no stall over
25 ms net of the control's worst. A run lasts longer than the server's pace of full garbage collections, so that one
of them falls into it.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
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
from typing import Self

import httpx
import numpy as np
import uvicorn
import uvloop
from rich.console import Console
from rich.table import Table

from agent.loading import load_business
from pipelines.app import make_app
from pipelines.main import TIDY_SECS, Server
from pipelines.runtime import Runtime
from pipelines.settings import ROOT, Settings

TICK_SECS = 0.005
P999_MS = 10.0
WORST_NET_MS = 25.0
KEPT_ENV = ("PATH", "HOME", "LANG", "LOGURU_AUTOINIT", "OPENBLAS_NUM_THREADS")
"""Of the environment; keys and addresses of providers are left out, since the chats are embedded ones."""


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


def net(server: Stalls, control: Stalls) -> Stalls:
    """What the server's loop adds to the control's lateness, never below 0."""
    over = {f: max(0.0, getattr(server, f) - getattr(control, f)) for f in ("p50", "p99", "p999", "worst")}
    return Stalls(server.ticks, **over)


def holds(server: Stalls, control: Stalls) -> bool:
    """Whether the rule holds."""
    return server.p999 <= P999_MS and net(server, control).worst <= WORST_NET_MS


@dataclass(frozen=True)
class Load:
    """`chats` at a time of `turns` each; new ones are begun for `secs`."""

    chats: int
    turns: int
    secs: float


async def tick(late: list[float]) -> None:
    """Note how late each tick comes, until cancelled."""
    while True:
        due = time.perf_counter() + TICK_SECS
        await asyncio.sleep(TICK_SECS)
        late.append(max(0.0, time.perf_counter() - due))


async def tick_until_told(settings: Settings | None) -> None:
    """Tick on a loop that serves, or an idle one, until SIGTERM; then print each tick's lateness since SIGUSR1."""
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
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, late.clear)
    ticking = asyncio.create_task(tick(late))
    await ended.wait()
    ticking.cancel()
    print(json.dumps(late), flush=True)


class Child:
    """This module in a process of its own, on one core; killed where it was not stopped."""

    def __init__(self, core: int, folder: str, *arguments: str) -> None:
        command = [sys.executable, "-m", "lab.stalls", *arguments]
        env = {k: os.environ[k] for k in KEPT_ENV if k in os.environ} | {"PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE, text=True)
        os.sched_setaffinity(self._process.pid, {core})
        assert self._process.stdout
        self._output = self._process.stdout

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def wait_up(self) -> None:
        """Raises SystemExit where it did not start."""
        if self._output.readline().strip() != "up":
            raise SystemExit("the server did not start; try scripts/run")

    def forget(self) -> None:
        """Leave out the ticks so far: those beside the server's start are no part of the load."""
        self._process.send_signal(signal.SIGUSR1)

    def stop(self) -> Stalls:
        self._process.terminate()
        late = json.loads(self._output.readline())
        self._process.wait(timeout=30)
        return summed_up(late)


def lines_of(business: Path) -> list[str]:
    """What customers of the business say: its starters, and the examples of what it answers itself."""
    described, _ = load_business(business)
    examples = [example for intent in described.intents.values() for example in intent.examples if not intent.human]
    return [*described.starters, *examples]


async def chats(url: str, lines: Sequence[str], load: Load) -> None:
    """So many chats at a time; each that is over is followed by a new one until the time is up."""
    end = time.perf_counter() + load.secs
    order = itertools.count()

    async def one(client: httpx.AsyncClient) -> None:
        token, n = None, next(order)
        for turn in range(load.turns):
            body = {"text": lines[(7 * n + 13 * turn) % len(lines)], "token": token}
            response = await client.post(f"{url}/chat", json=body)
            token = response.raise_for_status().json()["token"]

    async def in_a_row() -> None:
        async with httpx.AsyncClient(timeout=30) as client:
            await one(client)
            while time.perf_counter() < end:
                await one(client)

    await asyncio.gather(*(in_a_row() for _ in range(load.chats)))


def measure(business: Path, load: Load, port: int) -> tuple[Stalls, Stalls]:
    """(server, control)."""
    lines = lines_of(business)
    first, *others = sorted(os.sched_getaffinity(0))
    other = others[0] if others else first
    os.sched_setaffinity(0, {other})
    with tempfile.TemporaryDirectory() as folder:
        served = ("--serve", "--business", str(business.resolve()), "--data-dir", folder, "--port", str(port))
        with Child(other, folder, "--control") as control, Child(first, folder, *served) as server:
            control.wait_up()
            server.wait_up()
            control.forget()
            server.forget()
            asyncio.run(chats(f"http://127.0.0.1:{port}", lines, load))
            return server.stop(), control.stop()


def main() -> int:
    """Exit codes: 0 the rule holds, 1 it does not."""
    parser = argparse.ArgumentParser("scripts/bench stalls", description=__doc__)
    parser.add_argument("--business", type=Path, default=ROOT / "examples" / "acme")
    parser.add_argument("--chats", type=int, default=8, help="at a time")
    parser.add_argument("--turns", type=int, default=20, help="of each chat")
    parser.add_argument("--secs", type=float, default=TIDY_SECS + 15, help="so long new chats are begun")
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
    server, control = measure(given.business, Load(given.chats, given.turns, given.secs), given.port)
    if given.json:
        rows = {"server": server, "control": control, "net": net(server, control)}
        print(json.dumps({**{name: asdict(s) for name, s in rows.items()}, "holds": holds(server, control)}))
    else:
        Console().print(_table(server, control))
    return 0 if holds(server, control) else 1


def _table(server: Stalls, control: Stalls) -> Table:
    verdict = "holds" if holds(server, control) else "does not hold"
    table = Table("lateness, ms", "ticks", "p50", "p99", "p99.9", "worst", title=f"The rule {verdict}")
    for name, s in (("server's loop", server), ("control", control), ("net", net(server, control))):
        table.add_row(name, str(s.ticks), *(f"{v:.2f}" for v in (s.p50, s.p99, s.p999, s.worst)))
    return table


if __name__ == "__main__":
    sys.exit(main())
