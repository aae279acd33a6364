"""`scripts/run`: reads the arguments, starts the server, says when it is ready, ends it cleanly."""

from __future__ import annotations

import argparse
import asyncio
import gc
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
import uvloop
from pydantic import ValidationError

from agent.errors import OpenlineError
from pipelines.app import make_app
from pipelines.logs import configure_logs
from pipelines.runtime import Runtime
from pipelines.settings import Settings, setting_faults

WS_MAX_BYTES = 256_000
REQUESTS_END_SECS = 5
"""A request that has not ended so long after the sessions were told is cut off."""
TIDY_SECS = 60.0
NEVER = 1_000_000
"""A threshold that is not reached."""


def main() -> int:
    """Exit codes: 0 ended cleanly, 1 could not start, 2 wrong arguments."""
    arguments = _arguments()
    given = {k: v for k, v in vars(arguments).items() if v is not None}
    try:
        settings = Settings(**given)
    except ValidationError as fault:
        print(setting_faults(fault), file=sys.stderr)
        return 1
    configure_logs(settings.log_level)
    return uvloop.run(_serve(settings))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "scripts/run", description="Starts the agent of a business. Settings: .env.example"
    )
    parser.add_argument("--port", type=int, help="default 7860, or PORT")
    parser.add_argument("--host", help="default 127.0.0.1, or HOST")
    parser.add_argument("--business", type=Path, help="the business's folder; default examples/acme, or BUSINESS")
    parser.add_argument("--data-dir", type=Path, help="where data is kept; default ./var, or DATA_DIR")
    return parser.parse_args()


async def _serve(settings: Settings) -> int:
    try:
        listener = _bind(settings)
    except OSError as fault:
        print(f"Cannot listen on {settings.host}:{settings.port}: {fault.strerror}. Try --port.", file=sys.stderr)
        return 1
    try:
        runtime = await Runtime.start(settings)
    except OpenlineError as fault:
        print(fault, file=sys.stderr)
        return 1
    except OSError as fault:
        print(
            f"Cannot write to the data folder {settings.data_dir}: {fault.strerror}. Try --data-dir.", file=sys.stderr
        )
        return 1
    server = Server(
        uvicorn.Config(
            make_app(runtime),
            log_config=None,
            ws="websockets-sansio",
            ws_max_size=WS_MAX_BYTES,
            timeout_graceful_shutdown=REQUESTS_END_SECS,
        )
    )
    stopping = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stopping.set)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    await asyncio.wait({serving, asyncio.create_task(server.up.wait())}, return_when=asyncio.FIRST_COMPLETED)
    _say_ready(runtime, listener.getsockname()[1])
    waiting = asyncio.create_task(stopping.wait())
    await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
    print("\nClosing: sessions are told ...", flush=True)
    await runtime.stop()
    server.should_exit = True
    await serving
    return 0


class Server(uvicorn.Server):
    """Signals are ours: sessions are told before the sockets close. `up` is set when they listen."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        gc.collect()
        gc.freeze()  # what was loaded is no garbage: walking over it would stop the loop for 200 ms
        gc.set_threshold(700, 5, NEVER)
        self._tidying = asyncio.create_task(_tidy())
        self.up.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _tidy() -> None:
    """The full collections, which stop the loop, at our own pace instead of in the middle of a turn's work."""
    while True:
        await asyncio.sleep(TIDY_SECS)
        gc.collect()


def _bind(settings: Settings) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((settings.host, settings.port))
    listener.set_inheritable(True)
    return listener


def _say_ready(runtime: Runtime, port: int) -> None:
    address = f"http://{runtime.settings.host}:{port}"
    print(f"\n{runtime.business.agent_name} of {runtime.business.name} is ready.")
    print(f"  page       {address}/")
    print(f"  chat       POST {address}/chat   (scripts/chat)")
    print(f"  phone      POST {address}/twilio/voice   (scripts/call)")
    for job, part, why in runtime.parts_in_use():
        print(f"  {job:<10} {part}   ({why})")
    print("Ctrl-C ends it.", flush=True)


if __name__ == "__main__":
    sys.exit(main())
