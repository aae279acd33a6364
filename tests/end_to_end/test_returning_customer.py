"""A customer over two calls and a chat on a real server: known by the shop's rule, unknown to others, erased."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from lab.caller import FliteCaller
from lab.carriers.twilio import CallEnded, TwilioCall
from tests.conftest import ACME, LIBRARY
from tests.end_to_end.server import ADMIN_TOKEN, ROOT, Server

pytestmark = pytest.mark.timeout(240)
ANNAS_NUMBER = "+12125550100"
EMAIL = "anna.schmidt@example.com"
ADMIN = {"Authorization": f"Bearer {ADMIN_TOKEN}"}


@pytest.fixture
def own_shop(data_dirs: Any) -> Iterator[Server]:
    """A shop without customers; skipped where examples/ is absent."""
    if not ACME.is_dir():
        pytest.skip("examples/ is absent")
    with Server(data_dirs("returning"), ACME) as server:
        yield server


def said(server: Server, known_as: str) -> list[str]:
    """What the agent said, with tokens."""
    return [e["text"] for e in server.events(known_as) if e["kind"] == "agent_said"]


def ask(server: Server, method: str, path: str) -> httpx.Response:
    return httpx.request(method, f"{server.url}{path}", headers=ADMIN, timeout=30)


def memory(server: Server, *arguments: str, business: Path = ACME) -> subprocess.CompletedProcess[str]:
    """`scripts/memory` beside the running server, or without it."""
    command = [sys.executable, "-m", "pipelines.customers", "--business", str(business)]
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    return subprocess.run(
        [*command, "--data-dir", str(server.data_dir), *arguments], env=env, capture_output=True, text=True
    )


async def call_about_the_order(server: Server, number: str, keys: str) -> list[str]:
    """Ask for an order, give its number on the keypad; what the agent said."""
    voice = FliteCaller("rms")
    async with TwilioCall.dial(f"{server.url}/twilio/voice", from_=number) as call:
        await call.agent_finished()
        await call.say_pcm(*voice.synthesise("Where is my order?"))
        await call.agent_finished()
        await call.digits(keys)
        await call.agent_finished()
    return said(server, call.call_sid)


def files(server: Server) -> bytes:
    """Every byte that the server keeps, without the shop's own orders and the models."""
    kept = [p for p in server.data_dir.rglob("*") if p.is_file() and p.name != "shop.db"]
    return b"".join(p.read_bytes() for p in kept)


async def test_known_on_the_second_call_and_in_the_chat_after_and_erased(own_shop: Server) -> None:
    first = await call_about_the_order(own_shop, ANNAS_NUMBER, "12345#")
    assert "Welcome" not in " ".join(first)
    second = await call_about_the_order(own_shop, ANNAS_NUMBER, "12345#")
    assert second[0] == first[0] and "Welcome back." in second[-1]
    stranger = await call_about_the_order(own_shop, ANNAS_NUMBER, "10003#")
    assert stranger[0] == first[0] and "Welcome" not in " ".join(stranger)

    chat = own_shop.say(f"My name is Anna Schmidt, my e-mail is {EMAIL} and my number is {ANNAS_NUMBER}")
    assert "Welcome" not in chat["text"]
    assert own_shop.say("Where is my order 12345?", chat["token"])["text"].startswith("Welcome back")
    later = own_shop.say(f"Hello, I'm {EMAIL}")
    assert "Welcome" not in later["text"]
    answer = own_shop.say("Has order 12345 been delivered?", later["token"])
    assert answer["text"].startswith("Welcome back, Anna Schmidt.")

    shown = memory(own_shop, "show", EMAIL)
    assert shown.returncode == 0, shown.stderr
    assert all(value in shown.stdout for value in ("Anna Schmidt", EMAIL, ANNAS_NUMBER, "12345"))
    assert memory(own_shop, "list").stdout.count(ANNAS_NUMBER) == 2  # Anna, and the stranger on her telephone

    removed = ask(own_shop, "DELETE", f"/customers/{EMAIL}")
    assert removed.status_code == 200, removed.text
    assert removed.json()["removed"]["conversations"] == 4
    assert ask(own_shop, "DELETE", f"/customers/{EMAIL}").status_code == 404
    assert "Welcome" not in " ".join(await call_about_the_order(own_shop, ANNAS_NUMBER, "12345#"))
    erased = memory(own_shop, "erase", ANNAS_NUMBER)
    assert (erased.returncode, "conversations" in erased.stdout) == (0, True)
    again = memory(own_shop, "erase", ANNAS_NUMBER)
    assert (again.returncode, again.stdout.strip()) == (1, f"Nothing is kept of {ANNAS_NUMBER}.")
    assert ask(own_shop, "GET", f"/chat/history?token={later['token']}").status_code == 404
    left = files(own_shop)
    assert not any(value in left for value in (b"Schmidt", b"schmidt", b"2125550100"))
    assert "Traceback" not in own_shop.output and "schmidt" not in own_shop.output.lower()


@pytest.mark.long
async def test_a_caller_who_is_erased_by_another_process_is_told_and_nothing_comes_back(own_shop: Server) -> None:
    async with TwilioCall.dial(f"{own_shop.url}/twilio/voice", from_=ANNAS_NUMBER) as call:
        await call.agent_finished()
        erased = await asyncio.to_thread(memory, own_shop, "erase", ANNAS_NUMBER)
        assert erased.returncode == 0, erased.stdout + erased.stderr
        with pytest.raises(CallEnded):
            while True:
                await call.pause(5)
    assert ask(own_shop, "GET", f"/calls/{call.call_sid}").status_code == 404
    assert memory(own_shop, "list").stdout.strip() == "No customer is remembered."
    assert "Traceback" not in own_shop.output


@pytest.mark.long
async def test_where_the_number_is_enough_the_second_call_is_greeted_by_name(data_dirs: Any) -> None:
    server = Server(data_dirs("enough"), LIBRARY).start()
    async with TwilioCall.dial(f"{server.url}/twilio/voice", from_=ANNAS_NUMBER) as call:
        await call.agent_finished()
    first = server.say(f"I'm {EMAIL}")
    assert "Welcome" not in first["text"]
    server.stop(signal.SIGKILL)
    with server:
        async with TwilioCall.dial(f"{server.url}/twilio/voice", from_=ANNAS_NUMBER) as call:
            await call.agent_finished()
        assert said(server, call.call_sid)[0].startswith("Welcome back. This is Finn")
        async with TwilioCall.dial(f"{server.url}/twilio/voice", from_="+12125550111") as other:
            await other.agent_finished()
        assert "Welcome" not in said(server, other.call_sid)[0]
    assert memory(server, "erase", ANNAS_NUMBER, business=LIBRARY).returncode == 0
    assert memory(server, "show", ANNAS_NUMBER, business=LIBRARY).returncode == 1
