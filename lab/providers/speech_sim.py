"""What the simulated speech providers share: a websocket server in its own thread, faults, delays, a log.

async with CartesiaSim(ToneVoice(Lexicon())) as sim:
    sim.script(Reset(after_words=3), Mute())     # the next two requests
    sim.down()                                   # cuts every connection, refuses new ones, until up()
"""

from __future__ import annotations

import asyncio
import math
import random
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
import soxr
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from processors.speech.voice import Voice, WordTime


@dataclass(frozen=True)
class Mute:
    """Take the request, and answer nothing; the connection stays."""


@dataclass(frozen=True)
class Fail:
    """Answer with the provider's own error message."""

    message: str = "internal error"


@dataclass(frozen=True)
class Reset:
    """Cut the connection after so many words, in the middle of the next one."""

    after_words: int = 0


Fault = Mute | Fail | Reset


@dataclass(frozen=True)
class Delay:
    """A lognormal wait before the first answer to each request, drawn from `seed`."""

    median_secs: float = 0.0
    p95_secs: float = 0.0
    seed: int = 0

    def draws(self) -> Callable[[], float]:
        if self.median_secs <= 0:
            return lambda: 0.0
        spread = math.log(max(self.p95_secs, self.median_secs) / self.median_secs) / 1.645
        chance = random.Random(self.seed)
        return lambda: self.median_secs * math.exp(chance.gauss(0.0, spread))


@dataclass(frozen=True)
class Logged:
    """One thing that happened, on the machine's monotonic clock."""

    at_secs: float
    kind: str
    text: str = ""


class Ear(Protocol):
    """What a simulated STT hears with; may block."""

    def hear(self, pcm16: bytes, rate_hz: int) -> str: ...


class Cut(Exception):
    """The connection is to be dropped now."""


@dataclass(frozen=True)
class Piece:
    """The sound of one word at the asked rate, and its time from the request's first sound."""

    pcm: bytes
    word: WordTime


@dataclass
class SpeechSim(ABC):
    """A provider on an ephemeral port of 127.0.0.1 while the context lasts; subclasses speak a protocol."""

    port: int = 0
    api_key: str | None = None
    """Where set, no other key is accepted."""
    delay: Delay = Delay()
    log: list[Logged] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._script: deque[Fault | None] = deque()
        self._wait_secs = self.delay.draws()
        self._down = False
        self._connections: set[ServerConnection] = set()
        self._changed = threading.Condition()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._fault: OSError | None = None

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def script(self, *faults: Fault | None) -> None:
        """What becomes of the next requests, in this order; None is a good answer, as are all later ones."""
        self._script.extend(faults)

    def down(self) -> None:
        """Cut every connection and refuse new ones."""
        self._down = True
        self._loop.call_soon_threadsafe(self._abort_all)

    def up(self) -> None:
        self._down = False

    def note(self, kind: str, text: str = "") -> None:
        with self._changed:
            self.log.append(Logged(time.monotonic(), kind, text))
            self._changed.notify_all()

    def all(self, kind: str) -> list[Logged]:
        return [entry for entry in list(self.log) if entry.kind == kind]

    async def until(self, kind: str, count: int = 1, timeout_secs: float = 10.0) -> Logged:
        """The logged thing of this kind that makes `count`. Raises TimeoutError."""

        def wait() -> bool:
            with self._changed:
                return self._changed.wait_for(lambda: len(self.all(kind)) >= count, timeout_secs)

        if not await asyncio.to_thread(wait):
            raise TimeoutError(f"no {count} {kind!r} in {timeout_secs:g} s")
        return self.all(kind)[count - 1]

    def start(self) -> None:
        """Listen. Raises OSError where the port is taken."""
        self._thread.start()
        self._listening.wait()
        if self._fault:
            raise self._fault

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join()

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)

    @abstractmethod
    async def talk(self, connection: ServerConnection) -> None:
        """One connection, in the provider's protocol."""

    @abstractmethod
    def key_of(self, request: Request) -> str | None:
        """The key that a handshake brings."""

    async def next_fault(self) -> Fault | None:
        """What becomes of the request that has come; its delay is over when this returns."""
        fault = self._script.popleft() if self._script else None
        await asyncio.sleep(self._wait_secs())
        if isinstance(fault, Mute):
            await asyncio.Event().wait()
        return fault

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ending = asyncio.Event()
        try:
            server: Server = await serve(self._serve, "127.0.0.1", self.port, process_request=self._admit)
        except OSError as fault:
            self._fault = fault
            self._listening.set()
            return
        self.port = next(iter(server.sockets)).getsockname()[1]
        self._listening.set()
        await self._ending.wait()
        self._abort_all()
        server.close()
        await server.wait_closed()

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        if self._down:
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "down\n")
        if self.api_key is not None and self.key_of(request) != self.api_key:
            return connection.respond(HTTPStatus.UNAUTHORIZED, "invalid credentials\n")
        return None

    async def _serve(self, connection: ServerConnection) -> None:
        self._connections.add(connection)
        self.note("connected", connection.request.path if connection.request else "")
        try:
            await self._talk_while_open(connection)
        except* Cut:
            connection.transport.abort()
        except* ConnectionClosed:
            pass
        finally:
            self._connections.discard(connection)
            self.note("left")

    async def _talk_while_open(self, connection: ServerConnection) -> None:
        """`talk`, ended when the client leaves: a mute answer would wait for ever."""
        talking = asyncio.create_task(self.talk(connection))
        leaving = asyncio.create_task(connection.wait_closed())
        await asyncio.wait((talking, leaving), return_when=asyncio.FIRST_COMPLETED)
        leaving.cancel()
        talking.cancel()
        await asyncio.wait((talking,))
        if not talking.cancelled():
            talking.result()

    def _abort_all(self) -> None:
        for connection in list(self._connections):
            connection.transport.abort()


async def pieces(voice: Voice, text: str, rate_hz: int, fault: Fault | None) -> AsyncIterator[Piece]:
    """A text word by word; with `Reset` half of the word that it breaks off in is the last piece, then Cut."""
    chunks = voice.synthesise(text)
    said, before_secs = 0, 0.0
    while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
        pcm = _at_rate(chunk.pcm, chunk.rate_hz, rate_hz)
        starts = [0.0, *(word.start_secs for word in chunk.words[1:]), chunk.secs]
        for word, start, end in zip(chunk.words, starts, starts[1:], strict=False):
            sound = pcm[2 * int(start * rate_hz) : 2 * int(end * rate_hz)]
            timed = WordTime(word.word, before_secs + word.start_secs, before_secs + word.end_secs)
            if isinstance(fault, Reset) and said == fault.after_words:
                yield Piece(sound[: len(sound) // 4 * 2], timed)
                raise Cut
            yield Piece(sound, timed)
            said += 1
        before_secs += chunk.secs
    if isinstance(fault, Reset):
        raise Cut


def _at_rate(pcm: bytes, rate_hz: int, wanted_hz: int) -> bytes:
    if rate_hz == wanted_hz:
        return pcm
    resampled: Any = soxr.resample(np.frombuffer(pcm, np.int16), rate_hz, wanted_hz)
    return bytes(resampled.astype(np.int16).tobytes())
