"""Scenarios of `tests/evals/*.yaml`, each a short play, through the whole text pipeline with no key.

    - name: a correction half-way
      turns:
        - user: where's my parcel?
          expect: {intent: order_status, action: ask, slots: {}}
        - user: 10008, sorry, 10007
          expect: {action: call, tool: order_status, arguments: {order_number: "10007"}, says: [delivered]}
      database:
        "SELECT count(*) FROM cancellations": 0

`expect` may hold: intent (null is "none of these"), action, slots (all that are known then), tool with
arguments, says / says_not (words of the answer), sources, handed_off, reason (of the hand-off).
A play with a `known_gap` shows what the agent does not do yet, and says why: it may fail.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml
from rapidfuzz import fuzz

from agent import events as ev
from agent.conversation import fold
from agent.loading import load_business
from pipelines.chat import Desk
from pipelines.runtime import Runtime
from pipelines.settings import Settings
from tests.conftest import ACME
from transports.chat import ChatAnswer, Opened

FOLDER = Path(__file__).parent
NEARLY = 88
"""From this likeness (0 to 100) on, an utterance is nearly one of agent.yaml's examples."""


def scenarios() -> Iterator[Any]:
    for path in sorted(FOLDER.glob("*.yaml")):
        for scenario in yaml.safe_load(path.read_text()):
            yield pytest.param(scenario, id=f"{path.stem}: {scenario['name']}")


SCENARIOS = list(scenarios())


@pytest.fixture(scope="module")
def examples() -> list[str]:
    if not ACME.is_dir():
        pytest.skip("examples/ is absent")
    business, _ = load_business(ACME)
    return [example for intent in business.intents.values() for example in intent.examples]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> AsyncIterator[Runtime]:
    """One shop's agent for all plays; each play finds the shop's database as it was at first."""
    if not ACME.is_dir():
        pytest.skip("examples/ is absent")
    data_dir = tmp_path_factory.mktemp("evals")
    (data_dir / "cache").symlink_to(model_cache)
    runtime = await Runtime.start(Settings(business=ACME, data_dir=data_dir), voice=False)
    yield runtime
    await runtime.stop()


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_scenario(scenario: dict[str, Any], shop: Runtime, request: pytest.FixtureRequest) -> None:
    if "known_gap" in scenario:
        request.applymarker(pytest.mark.xfail(reason=scenario["known_gap"]))
    for database in shop.settings.data_dir.glob("shop.db*"):
        database.unlink()
    desk = Desk(shop)
    token: str | None = None
    for turn in scenario["turns"]:
        answer = ChatAnswer()
        async for item in desk.say(turn["user"], token):
            answer.take(item)
            if isinstance(item, Opened):
                token = item.token
        assert token
        told = await observed(shop, token, answer)
        wanted = turn.get("expect", {})
        assert mismatches(wanted, told) == [], f"after {turn['user']!r} the agent said {answer.text!r}: {told}"
    for query, expected in scenario.get("database", {}).items():
        assert rows(shop, query) == expected, query


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_no_utterance_is_nearly_an_example(scenario: dict[str, Any], examples: list[str]) -> None:
    for turn in scenario["turns"]:
        said = turn["user"].lower()
        if len(said.split()) >= 4:
            nearest = max(examples, key=lambda e: fuzz.ratio(said, e.lower()))
            assert fuzz.ratio(said, nearest.lower()) < NEARLY, f"{said!r} is nearly {nearest!r}"


def test_there_are_enough_scenarios_of_each_kind() -> None:
    plays = [p.values[0] for p in SCENARIOS if "known_gap" not in p.values[0]]
    assert len(plays) >= 40
    assert sum(len(p["turns"]) > 1 for p in plays) >= 30
    assert sum("out of scope" in p.get("kind", "") for p in plays) >= 8
    assert sum("human" in p.get("kind", "") for p in plays) >= 5


async def observed(runtime: Runtime, token: str, answer: ChatAnswer) -> dict[str, Any]:
    """What the journal and the answer say of the last turn."""
    conversation_id = await runtime.journal.find_token(token)
    assert conversation_id
    events = await runtime.journal.read(conversation_id)
    state = fold(conversation_id, events)
    turn = [e for e in events if e.turn_id == answer.turn_id]
    calls = [e for e in turn if isinstance(e, ev.EffectStarted)]
    vault = await runtime.vaults.open(conversation_id)
    return {
        "intent": next(e.intent for e in turn if isinstance(e, ev.Understood)),
        "action": next(e.action for e in turn if isinstance(e, ev.Decided)),
        "slots": {n: vault.reveal_text(v, "tool") for n, v in state.slots.items()},
        "tool": calls[0].tool if calls else None,
        "arguments": {n: vault.reveal_text(str(v), "tool") for n, v in calls[0].arguments.items()} if calls else {},
        "says": answer.text,
        "sources": [source.name for source in answer.show.sources],
        "handed_off": answer.handed_off,
        "reason": state.hand_off.reason if state.hand_off else None,
    }


def mismatches(wanted: dict[str, Any], told: dict[str, Any]) -> list[str]:
    found = []
    for key, value in wanted.items():
        if key == "says":
            found += [f"does not say {w!r}" for w in value if w.lower() not in told["says"].lower()]
        elif key == "says_not":
            found += [f"says {w!r}" for w in value if w.lower() in told["says"].lower()]
        elif key == "sources":
            found += [f"does not cite {s!r}" for s in value if s not in told["sources"]]
        elif key == "action" and isinstance(value, list):
            found += [] if told["action"] in value else [f"action {told['action']!r} is none of {value}"]
        elif told[key] != value:
            found.append(f"{key} is {told[key]!r}, not {value!r}")
    return found


def rows(runtime: Runtime, query: str) -> Any:
    """The first value of a query over the shop's own database."""
    with sqlite3.connect(runtime.settings.data_dir / "shop.db") as shop:
        row = shop.execute(query).fetchone()
    return row[0] if row else None
