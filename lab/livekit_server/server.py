"""A real LiveKit server on loopback, for tests and for a developer's own rooms.

    with LiveKitServer.find_or_build() as server:
        Settings(livekit_url=server.url, livekit_api_key=server.api_key, livekit_api_secret=server.api_secret)

The server is an installed `livekit-server`, or one that is built once from the module that `go.mod` beside
this file pins, and kept in the user's cache.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import IO

HERE = Path(__file__).resolve().parent
SCRIPT = HERE.parent.parent / "scripts" / "livekit-server"
MODULE = "github.com/livekit/livekit-server"
READY_SECS = 15.0
ENDING_SECS = 5.0
API_KEY = "devkey"
API_SECRET = "a-secret-for-rooms-on-loopback-only"
"""LiveKit wants 32 characters or more."""


class ServerUnavailable(Exception):
    """There is no LiveKit server to be had here, or it does not start; says why and what would help."""


def pinned_version() -> str:
    """The version that go.mod names, such as v1.13.5."""
    found = re.search(rf"{re.escape(MODULE)} (v\S+)", (HERE / "go.mod").read_text())
    assert found, "go.mod names no livekit-server"
    return found[1]


def cached_binary() -> Path:
    """Where the built server stands, whether or not it has been built."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "openline" / f"livekit-server-{pinned_version()}" / "livekit-server"


def find_binary() -> Path | None:
    """An installed server, else the built one, else None."""
    installed = shutil.which("livekit-server")
    if installed and Path(installed).resolve() != SCRIPT:
        return Path(installed)
    return cached_binary() if cached_binary().exists() else None


def build_binary() -> Path:
    """Build the pinned server into the cache: about four minutes on two cores. Raises ServerUnavailable."""
    go = shutil.which("go")
    if go is None:
        raise ServerUnavailable(
            "There is no livekit-server here, and no Go to build it with: install Go 1.26 or newer "
            "(https://go.dev/dl), or LiveKit's own server (https://docs.livekit.io/home/self-hosting/local)."
        )
    target = cached_binary()
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        built = Path(folder) / "livekit-server"
        command = [go, "build", "-mod=readonly", "-o", str(built), f"{MODULE}/cmd/server"]
        run = subprocess.run(command, cwd=HERE, stderr=subprocess.PIPE, text=True, check=False)
        if run.returncode:
            raise ServerUnavailable(f"Building livekit-server {pinned_version()} failed:\n{run.stderr[-2000:]}")
        built.replace(target)
    return target


class LiveKitServer:
    """One server process on 127.0.0.1; `stop` and `start` again keep its ports."""

    api_key = API_KEY
    api_secret = API_SECRET

    def __init__(self, binary: Path, port: int = 0) -> None:
        """A `port` of 0 takes a free one; media always goes over free ones."""
        self._binary = binary
        self.port = port or _free_port(socket.SOCK_STREAM)
        self._rtc_tcp_port = _free_port(socket.SOCK_STREAM)
        self._rtc_udp_port = _free_port(socket.SOCK_DGRAM)
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the server
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def find_or_build(cls, port: int = 0) -> LiveKitServer:
        """Raises ServerUnavailable."""
        return cls(find_binary() or build_binary(), port)

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start and wait until it answers, about 0.1 s. Raises ServerUnavailable."""
        environment = {"PATH": os.environ.get("PATH", ""), "LIVEKIT_CONFIG": json.dumps(self._config())}
        self._process = subprocess.Popen(
            [str(self._binary)], env=environment, stdout=self._log, stderr=self._log, start_new_session=True
        )
        deadline = time.monotonic() + READY_SECS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise ServerUnavailable(f"livekit-server does not answer at {self.url}:\n{self.log()[-2000:]}")
            time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it: SIGTERM tells the rooms, SIGKILL is a crash. Nothing happens where it does not run."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(ENDING_SECS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def wait(self) -> int:
        """Until it ends by itself; its exit code."""
        assert self._process, "not started"
        return self._process.wait()

    def log(self) -> str:
        """What it has said so far."""
        self._log.flush()
        return os.pread(self._log.fileno(), os.fstat(self._log.fileno()).st_size, 0).decode(errors="replace")

    def __enter__(self) -> LiveKitServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _config(self) -> dict[str, object]:
        """Media and signalling on loopback alone, for Python participants and for browsers."""
        return {
            "port": self.port,
            "bind_addresses": ["127.0.0.1"],
            "keys": {self.api_key: self.api_secret},
            "rtc": {
                "tcp_port": self._rtc_tcp_port,
                "udp_port": self._rtc_udp_port,
                "node_ip": "127.0.0.1",
                "use_external_ip": False,
                "enable_loopback_candidate": True,
                "interfaces": {"includes": ["lo"]},
            },
            "logging": {"level": "warn"},
        }

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()


def _free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def main() -> int:
    """Exit codes: 0 built or ended, 1 there is no server to be had."""
    parser = argparse.ArgumentParser(
        "scripts/livekit-server",
        description="Runs a LiveKit server on 127.0.0.1 with development keys, building it first where there is none.",
    )
    parser.add_argument("--build", action="store_true", help="only build it (once, about four minutes) and say where")
    parser.add_argument("--port", type=int, default=7880, help="default 7880")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        binary = find_binary()
        if binary is None:
            say(f"Building livekit-server {pinned_version()} (once, about four minutes) ...")
            binary = build_binary()
        if arguments.build:
            print(binary)
            return 0
        with LiveKitServer(binary, arguments.port) as server:
            print(f"LIVEKIT_URL={server.url} LIVEKIT_API_KEY={server.api_key} LIVEKIT_API_SECRET={server.api_secret}")
            print("Start the agent with these settings: scripts/run. Ctrl-C ends the server.", flush=True)
            server.wait()
    except ServerUnavailable as fault:
        say(str(fault))
        return 1
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
