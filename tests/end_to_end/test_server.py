"""The server as its operator meets it: start, restart, kill -9, faults at the start, a clean end."""

from __future__ import annotations

import shutil
import signal
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import LIBRARY
from tests.end_to_end.server import Server

pytestmark = pytest.mark.timeout(180)


def test_kill_9_between_two_turns_loses_nothing(data_dirs: Any) -> None:
    """With an e-mail address in a slot: after the restart the tool gets its true value."""
    server = Server(data_dirs("killed"), LIBRARY).start()
    first = server.say("Could you tell me by e-mail when a book is back? I am jo.bloggs@example.com")
    server.kill()
    with server:
        second = server.say("The book is called Moby Dick", first["token"])
        started = [e for e in server.events(first["token"]) if e["kind"] == "effect_started"]
    assert second["token"] == first["token"]
    assert [(e["tool"], e["arguments"]["email"]) for e in started] == [("notify_me", "[EMAIL_1]")]
    stored = (server.data_dir / "library.db").read_bytes()
    assert b"jo.bloggs@example.com" in stored
    for path in server.data_dir.glob("openline.db*"):
        assert b"bloggs" not in path.read_bytes()
    assert "bloggs" not in server.output


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_and_sessions_are_told(data_dirs: Any, how: int) -> None:
    server = Server(data_dirs("stopped"), LIBRARY).start()
    server.say("hello")
    assert server.stop(how) == 0
    assert "Traceback" not in server.output


def test_ready_says_which_part_serves_each_job(library: Server) -> None:
    ready = httpx.get(f"{library.url}/health/ready").json()
    assert ready["status"] == "ready" and ready["parts"]["ear"] == "whisper-tiny"
    assert httpx.get(f"{library.url}/health/live").json() == {"status": "live"}
    assert "no key is set" in library.output


def test_a_port_in_use_is_said_with_a_remedy(data_dirs: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = Server(data_dirs("taken"), LIBRARY, port=taken.getsockname()[1]).start()
        assert server.stop() == 1
    assert "Try --port" in server.output and "Traceback" not in server.output


def test_a_broken_business_stops_the_start_with_every_fault(data_dirs: Any, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(LIBRARY, broken)
    shutil.rmtree(broken / "knowledge")
    text = (broken / "agent.yaml").read_text()
    (broken / "agent.yaml").write_text(text.replace("greeting:", "greetings:", 1))
    server = Server(data_dirs("broken"), broken).start()
    assert server.stop() == 1
    assert "did you mean `greeting`?" in server.output and "knowledge: missing" in server.output
    assert "Traceback" not in server.output


def test_a_bad_setting_is_named(data_dirs: Any) -> None:
    server = Server(data_dirs("setting"), LIBRARY, VAULT_KEY="short").start()
    assert server.stop() == 1
    assert "VAULT_KEY must be 32 bytes" in server.output
