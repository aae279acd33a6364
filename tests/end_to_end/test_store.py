"""The server on real stores, and killed in the middle of its work."""

from __future__ import annotations

import base64
import random
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import sleep
from typing import Any

import httpx
import pytest
import redis

from tests.conftest import ACME, LIBRARY
from tests.end_to_end.server import Server
from tests.servers import PostgresServer, RedisServer, running

pytestmark = pytest.mark.timeout(600)

VAULT_KEY = base64.b64encode(bytes(range(32))).decode()
SCRIPT = [
    "any news on order 10007?",
    "please cancel order 10004",
    "yes please",
    "how long do I have to return something?",
    "I want to return order 10008, it arrived damaged",
    "yes",
    "where is order 10012?",
    "use jo.bloggs@example.com for order 10007 from now on",
    "yes",
    "can I talk to a real person please",
]


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    with running(RedisServer()) as server:
        yield server


@pytest.fixture
def postgres_server() -> Iterator[PostgresServer]:
    with running(PostgresServer()) as server:
        yield server


def test_a_chat_goes_on_at_another_server_with_postgres_and_redis(
    data_dirs: Any, postgres_server: PostgresServer, redis_server: RedisServer
) -> None:
    """The second has nothing of the first but the stores and the key; an e-mail address is revealed to its tool."""
    shared = {"DATABASE_URL": postgres_server.url, "REDIS_URL": redis_server.url, "VAULT_KEY": VAULT_KEY}
    first = Server(data_dirs("first"), LIBRARY, **shared).start()
    asked = first.say("Could you tell me by e-mail when a book is back? I am jo.bloggs@example.com")
    first.kill()
    assert "Postgres" in first.output and "REDIS_URL is set" in first.output
    with redis.Redis.from_url(redis_server.url) as client:
        (copy,) = client.keys("openline:*:events")  # type: ignore[misc]
        assert b"bloggs" not in b"".join(client.lrange(copy, 0, -1))  # type: ignore[arg-type]
    with Server(data_dirs("second"), LIBRARY, **shared) as second:
        second.say("The book is called Moby Dick", asked["token"])
        kinds = [event["kind"] for event in second.events(asked["token"])]
        shelf = (second.data_dir / "library.db").read_bytes()
    assert kinds.count("effect_ended") == 1 and b"jo.bloggs@example.com" in shelf
    assert not list(second.data_dir.glob("openline.db*"))


def test_a_shared_database_needs_the_vaults_key(data_dirs: Any) -> None:
    server = Server(data_dirs("no-key"), LIBRARY, DATABASE_URL="postgresql://nobody@127.0.0.1:9/none").start()
    assert server.stop() == 1
    assert "VAULT_KEY must be set" in server.output and "Traceback" not in server.output


def test_a_database_that_is_not_there_stops_the_start(data_dirs: Any) -> None:
    address = "postgresql://nobody@127.0.0.1:9/none"
    server = Server(data_dirs("no-database"), LIBRARY, DATABASE_URL=address, VAULT_KEY=VAULT_KEY).start()
    assert server.stop() == 1
    assert "the journal's database did not deliver" in server.output and "Traceback" not in server.output


@pytest.mark.parametrize("kills", [2, pytest.param(10, marks=pytest.mark.long)])
def test_kill_9_in_the_middle_of_turns_changes_nothing(data_dirs: Any, kills: int) -> None:
    """The customer sends a message again only where the history does not have it."""
    if not ACME.is_dir():
        pytest.skip("examples/ is absent")
    whole = Server(data_dirs("whole"), ACME)
    with whole:
        token = None
        for text in SCRIPT:
            token = whole.say(text, token)["token"]
        expected = story(whole.events(str(token)))
    chance = random.Random(kills)
    killed_in = set(chance.sample(range(1, len(SCRIPT)), min(kills, len(SCRIPT) - 1)))
    server = Server(data_dirs("killed"), ACME).start()
    token = server.say(SCRIPT[0])["token"]
    for number, text in enumerate(SCRIPT[1:], 1):
        if number in killed_in:
            kill_while_it_answers(server, text, token, after_secs=chance.uniform(0, 0.12))
            server = Server(server.data_dir, ACME).start()
        if answered(server, token) <= number:
            server.say(text, token)
    if kills >= len(SCRIPT):
        server.kill()
        server = Server(server.data_dir, ACME).start()
    history = httpx.get(f"{server.url}/chat/history", params={"token": token}, timeout=30).json()["turns"]
    assert [turn["text"] for turn in history if turn["who"] == "customer"] == SCRIPT
    assert story(server.events(str(token))) == expected
    server.stop()
    assert changed(server.data_dir) == changed(whole.data_dir)


def kill_while_it_answers(server: Server, text: str, token: str, *, after_secs: float) -> None:
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(httpx.post, f"{server.url}/chat", json={"text": text, "token": token}, timeout=30)
        sleep(after_secs)
        server.kill()
        assert sending.exception() is None or isinstance(sending.exception(), httpx.TransportError)


def answered(server: Server, token: str) -> int:
    """How many of the customer's messages are in the history, each with its answer."""
    response = httpx.get(f"{server.url}/chat/history", params={"token": token}, timeout=30)
    who = [turn["who"] for turn in response.json()["turns"]]
    assert who.count("agent") == who.count("customer")
    return who.count("customer")


def story(events: list[dict[str, Any]]) -> list[Any]:
    """What was said, decided and done, without ids and times."""
    told: list[Any] = []
    for event in events:
        match event["kind"]:
            case "user_said" | "agent_said":
                told.append((event["kind"], event["text"]))
            case "decided":
                told.append((event["action"], event["reasons"]))
            case "effect_started":
                told.append((event["tool"], event["arguments"]))
            case "effect_ended":
                told.append((event["status"], event["result"]))
            case "hand_off_moved":
                told.append((event["kind"], event["state"]))
    return told


def changed(data_dir: Path) -> dict[str, int]:
    """How many rows each table of the shop has."""
    (path,) = [path for path in data_dir.glob("*.db") if path.name not in ("openline.db", "knowledge.db")]
    with sqlite3.connect(path) as shop:
        tables = [name for (name,) in shop.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {table: shop.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}
