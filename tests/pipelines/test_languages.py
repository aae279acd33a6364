"""A library that serves English and German: each reader is answered in the own language, others are told politely."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import yaml

from agent import events as ev
from pipelines.chat import Desk
from pipelines.runtime import Runtime
from pipelines.settings import Settings
from tests.conftest import LIBRARY
from transports.chat import ChatAnswer, Opened

GERMAN = {
    "slots": {
        "card_number": {
            "title": "Ausweisnummer",
            "ask": "Wie lautet Ihre Ausweisnummer? Sie hat sieben Ziffern.",
        }
    },
    "intents": {"renew_loan": {"title": "Ihre Bücher verlängern"}},
    "hand_off": {
        "who": "einer Bibliothekarin",
        "chat": "Eine Bibliothekarin antwortet Ihnen hier.",
        "voice": "Eine Bibliothekarin ruft Sie zurück.",
    },
    "phrases": {"goodbye": "Auf Wiedersehen und viel Freude beim Lesen!"},
}
EXAMPLES = [
    "ich möchte meine Bücher verlängern",
    "können Sie meine Ausleihe verlängern",
    "bitte die Frist meiner Bücher verlängern",
    "meine Bücher sind fällig, bitte verlängern",
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def library(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> AsyncIterator[Runtime]:
    folder = tmp_path_factory.mktemp("businesses") / "library"
    shutil.copytree(LIBRARY, folder)
    described = yaml.safe_load((folder / "agent.yaml").read_text("utf-8"))
    described |= {"languages": ["en", "de"], "translations": {"de": GERMAN}}
    described["intents"]["renew_loan"]["examples"] += EXAMPLES
    (folder / "agent.yaml").write_text(yaml.safe_dump(described, allow_unicode=True), encoding="utf-8")
    data_dir = tmp_path_factory.mktemp("languages")
    (data_dir / "cache").symlink_to(model_cache)
    runtime = await Runtime.start(Settings(business=folder, data_dir=data_dir), voice=False)
    yield runtime
    await runtime.stop()


async def answers(library: Runtime, *turns: str) -> list[str]:
    """What the agent answers to each turn of one conversation."""
    desk, token = Desk(library), None
    said = []
    for turn in turns:
        answer = ChatAnswer()
        async for item in desk.say(turn, token):
            answer.take(item)
            if isinstance(item, Opened):
                token = item.token
        said.append(answer.text)
    return said


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_german_turn_is_answered_in_german(library: Runtime) -> None:
    asked, again = await answers(
        library, "Guten Tag, ich möchte bitte meine Bücher verlängern", "das weiß ich gerade leider nicht"
    )
    assert asked == "Wie lautet Ihre Ausweisnummer? Sie hat sieben Ziffern."
    assert again.startswith("Entschuldigung, dazu brauche ich noch eine Angabe: Ausweisnummer.")


async def test_a_short_turn_keeps_the_language_and_a_longer_one_may_change_it(library: Runtime) -> None:
    _, short, english = await answers(
        library, "Ich möchte bitte meine Bücher verlängern", "ok", "sorry, I would rather continue in English please"
    )
    assert "Ausweisnummer" in short
    assert "Ausweisnummer" not in english and "card" in english


async def test_english_stays_english(library: Runtime) -> None:
    assert await answers(library, "I want to renew my books please") == [
        "What is your library card number? It has seven digits."
    ]


async def test_who_writes_another_language_is_told_once_politely_in_it(library: Runtime) -> None:
    first, second = await answers(
        library, "Hola, quisiera saber cuándo abre la biblioteca", "No entiendo nada de lo que me dice usted"
    )
    assert first == "Lo siento, aquí solo puedo atenderle en estos idiomas: English, Deutsch."
    assert second != first


async def test_the_open_question_is_asked_again_after_it(library: Runtime) -> None:
    _, told = await answers(library, "I want to renew my books please", "No sé cuál es el número de mi tarjeta")
    assert told.startswith("Lo siento, aquí solo puedo atenderle")
    assert told.endswith("What is your library card number? It has seven digits.")


async def test_the_language_is_in_the_journal(library: Runtime) -> None:
    token = ""
    async for item in Desk(library).say("Bonjour, je voudrais prolonger mes livres", None):
        token = item.token if isinstance(item, Opened) else token
    events = await library.journal.read(await library.journal.find_token(token) or "")
    understood = next(e for e in events if isinstance(e, ev.Understood))
    decided = next(e for e in events if isinstance(e, ev.Decided))
    assert (understood.unserved, decided.action, decided.reasons) == ("fr", "not_served", ["written in fr"])
