"""The real server in its own process, started as `scripts/run` starts it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Self

import httpx

from tests.servers import free_port

ROOT = Path(__file__).parents[2]
ADMIN_TOKEN = "admin-of-the-tests"
START_SECS = 90


class Server:
    """One server process; `output` is all that it printed so far."""

    def __init__(self, data_dir: Path, business: Path, *, port: int | None = None, **env: str) -> None:
        self.data_dir = data_dir
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._command = [sys.executable, "-m", "pipelines.main", "--port", str(self.port)]
        self._command += ["--business", str(business), "--data-dir", str(data_dir)]
        kept = {k: os.environ[k] for k in ("PATH", "HOME", "LANG") if k in os.environ}
        self._env = {**kept, "PYTHONPATH": str(ROOT), "ADMIN_TOKEN": ADMIN_TOKEN, **env}
        self._lines: list[str] = []
        self._ready = threading.Event()

    def start(self) -> Self:
        """Start and wait until it is ready, or has ended."""
        self._ready.clear()
        self.process = subprocess.Popen(
            self._command, cwd=self.data_dir, env=self._env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self._ready.wait(START_SECS), self.output
        return self

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._lines.append(line)
            if "is ready." in line:
                self._ready.set()
        self._ready.set()

    @property
    def output(self) -> str:
        return "".join(self._lines)

    def stop(self, how: int = signal.SIGTERM) -> int:
        """End it; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        code = self.process.wait(timeout=30)
        self._reader.join(timeout=5)
        return code

    def kill(self) -> None:
        """kill -9."""
        self.stop(signal.SIGKILL)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def say(self, text: str, token: str | None = None) -> dict[str, Any]:
        response = httpx.post(f"{self.url}/chat", json={"text": text, "token": token}, timeout=30)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def events(self, known_as: str) -> list[dict[str, Any]]:
        """The journal of a conversation, by a session's id or the customer's token."""
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
        response = httpx.get(f"{self.url}/calls/{known_as}", headers=headers, timeout=30)
        assert response.status_code == 200, response.text
        events: list[dict[str, Any]] = response.json()["events"]
        return events
