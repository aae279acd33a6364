"""Real servers for tests, on loopback, each in a folder of its own; and a proxy that makes the way to them fail."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self, TypeVar

import pytest

from tests.conftest import CI


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def lacking(program: str, package: str) -> None:
    """Skip on a machine without a server; under CI that is a failure."""
    word = f"{program} is not installed (Debian: apt-get install {package})"
    pytest.fail(word) if CI else pytest.skip(word)


class RedisServer:
    """A redis-server without persistence. `start` after `stop` gives an empty one on the same port."""

    def __init__(self) -> None:
        if not shutil.which("redis-server"):
            lacking("redis-server", "redis-server")
        self.folder = Path(tempfile.mkdtemp(prefix="openline-redis-"))
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> Self:
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        command += ["--appendonly", "no", "--dir", str(self.folder), *options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _wait_until_it_listens(self._process, self.port)
        return self

    def stop(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None


class PostgresServer:
    """A PostgreSQL that starts, stops and keeps its data; `url` names a database that is there."""

    def __init__(self) -> None:
        self._bin = _postgres_programs()
        # Not below pytest's folders: they are closed to other users, and Postgres refuses to run as root.
        self.folder = Path(tempfile.mkdtemp(prefix="openline-postgres-"))
        self.port = free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self._as_user = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        if self._as_user:
            shutil.chown(self.folder, "postgres")
        data = str(self.folder / "data")
        self._run("initdb", "-D", data, "-A", "trust", "-U", "postgres", "--no-sync", "--no-locale", "-E", "UTF8")

    def start(self) -> Self:
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        self._run("pg_ctl", "-w", "-D", str(self.folder / "data"), "-o", options, "-l", f"{self.folder}/log", "start")
        return self

    def stop(self) -> None:
        """At once, as when its machine is lost; what was committed is there after the next start."""
        self._run("pg_ctl", "-w", "-D", str(self.folder / "data"), "-m", "immediate", "stop")

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._as_user, str(self._bin / program), *arguments]
        done = subprocess.run(
            command, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        assert done.returncode == 0, done.stdout.decode()


def _postgres_programs() -> Path:
    known = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    found = shutil.which("initdb")
    if not known and not found:
        lacking("postgres", "postgresql")
    return known[-1] if known else Path(str(found)).parent


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int) -> None:
    while process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
    raise AssertionError("the server ended at its start")


S = TypeVar("S", RedisServer, PostgresServer)


@contextmanager
def running(server: S) -> Iterator[S]:
    """The server, started; afterwards nothing is left of it."""
    try:
        yield server.start()
    finally:
        server.stop()
        shutil.rmtree(server.folder, ignore_errors=True)


class Proxy:
    """A TCP way to a port of this machine, which can be cut, and slowed by `delay_secs` per piece."""

    def __init__(self, target_port: int) -> None:
        self.port = free_port()
        self.delay_secs = 0.0
        self._target_port = target_port
        self._server: asyncio.Server | None = None
        self._ways: set[asyncio.Task[None]] = set()

    async def open(self) -> Self:
        """Let connections pass, after `cut` too."""
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)
        return self

    async def cut(self) -> None:
        """End every connection and refuse new ones."""
        if self._server:
            self._server.close()
            self._server = None
        for way in list(self._ways):
            way.cancel()
        await asyncio.gather(*self._ways, return_exceptions=True)

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(self, *_: object) -> None:
        await self.cut()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        way = asyncio.current_task()
        assert way
        self._ways.add(way)
        way.add_done_callback(self._ways.discard)
        try:
            back, forth = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            writer.close()
            return
        pipes = [asyncio.ensure_future(self._pipe(a, b)) for a, b in ((reader, forth), (back, writer))]
        try:
            await asyncio.wait(pipes, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pipe in pipes:
                pipe.cancel()
            for end in (writer, forth):
                end.transport.abort()

    async def _pipe(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await source.read(65536):
                await asyncio.sleep(self.delay_secs)
                sink.write(piece)
                await sink.drain()
