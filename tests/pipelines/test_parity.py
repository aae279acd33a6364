"""The same words typed into `/ws/chat` and said on the phone give the same decisions and effects.

Every play of `tests/evals/` is held twice. What the phone's ears hear is the play's text as a recogniser without
formatting writes it (`lab/transcripts.py`): numbers in words, no capitals, no marks, fillers.
"""

from __future__ import annotations

import asyncio
import random
import re
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import uvicorn

from agent import events as ev
from agent.events import Event
from lab.transcripts import as_transcript
from pipelines.app import make_app
from pipelines.main import Server
from pipelines.runtime import Runtime
from pipelines.settings import Settings
from tests.conftest import ACME
from tests.end_to_end.server import free_port
from tests.evals.test_evals import SCENARIOS
from tests.pipelines.scripted_call import ScriptedEar, calling
from tests.pipelines.test_chat_socket import joined

PARTED_BY_MARKS = {"chat will do after all", "letters without sense"}
"""Plays in which a full stop tells two clauses apart; a recogniser without marks does not give it."""


@dataclass
class Line:
    """A server of its own with a shop of its own."""

    runtime: Runtime
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def refill(self) -> None:
        """The shop's database as it was at first."""
        for database in self.runtime.settings.data_dir.glob("shop.db*"):
            database.unlink()


@asynccontextmanager
async def serving(data_dir: Path, model_cache: Path) -> AsyncIterator[Line]:
    (data_dir / "cache").symlink_to(model_cache)
    runtime = await Runtime.start(Settings(business=ACME, data_dir=data_dir, port=free_port()), voice=False)
    port = runtime.settings.port
    config = uvicorn.Config(make_app(runtime), port=port, log_config=None, ws="websockets-sansio", lifespan="off")
    server = Server(config)
    running = asyncio.create_task(server.serve())
    await server.up.wait()
    yield Line(runtime, port)
    server.should_exit = True
    await running
    await runtime.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lines(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> AsyncIterator[tuple[Line, Line]]:
    if not ACME.is_dir():
        pytest.skip("examples/ is absent")
    typed, spoken = tmp_path_factory.mktemp("typed"), tmp_path_factory.mktemp("spoken")
    async with serving(typed, model_cache) as chat, serving(spoken, model_cache) as phone:
        yield chat, phone


PLAYS = [
    pytest.param(*play.values, id=play.id, marks=pytest.mark.long if place % 2 else ())
    for place, play in enumerate(SCENARIOS)
]
"""Every other one is held in each run, all of them by `scripts/test --long`."""


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("scenario", PLAYS)
async def test_typed_and_spoken_decide_and_do_the_same(
    scenario: dict[str, Any], lines: tuple[Line, Line], scripted_ears: list[ScriptedEar], request: pytest.FixtureRequest
) -> None:
    if scenario["name"] in PARTED_BY_MARKS:
        request.applymarker(pytest.mark.xfail(reason="nothing parts the clauses of a transcript without marks"))
    chat, phone = lines
    said = [turn["user"] for turn in scenario["turns"]]
    rng = random.Random(zlib.crc32(scenario["name"].encode()))
    chat.refill()
    phone.refill()
    async with joined(f"ws://127.0.0.1:{chat.port}/ws/chat") as (client, token, _):
        for text in said:
            await client.say(text)
    typed_id = await chat.runtime.journal.find_token(token)
    assert typed_id
    async with calling(phone.runtime, phone.url, scripted_ears, from_="") as call:
        for text in said:
            await call.say(as_transcript(text, rng))
    typed = await done(chat.runtime, typed_id)
    spoken = await done(phone.runtime, call.conversation_id)
    assert typed == spoken


async def done(runtime: Runtime, conversation_id: str) -> list[tuple[Any, ...]]:
    """Each decision and each effect of a conversation, in order, with the values that tools would get."""
    vault = await runtime.vaults.open(conversation_id)

    def plain(value: Any) -> Any:
        match value:
            case dict():
                return {name: plain(v) for name, v in value.items() if name != "effect_id"}
            case list():
                return [plain(v) for v in value]
            case str():
                return re.sub(r"[\W_]+", "", vault.reveal_text(value, "tool")).lower()
            case _:
                return value

    def seen(event: Event) -> tuple[Any, ...] | None:
        match event:
            case ev.Decided():
                return ("decided", event.action, plain(event.details))
            case ev.EffectStarted():
                return ("effect", event.tool, plain(event.arguments))
            case _:
                return None

    return [s for event in await runtime.journal.read(conversation_id) if (s := seen(event))]
