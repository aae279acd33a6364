from __future__ import annotations

import string
from pathlib import Path

import pytest
import yaml

from agent.phrases import Phrases, not_served

FOLDER = Path(__file__).parents[2] / "prompts" / "phrases"
ENGLISH = yaml.safe_load((FOLDER / "en.yaml").read_text("utf-8"))
OTHERS = sorted(path.stem for path in FOLDER.glob("*.yaml") if path.stem != "en")


def placeholders(phrase: str | list[str]) -> list[set[str]]:
    """The names in braces of each variant."""
    variants = [phrase] if isinstance(phrase, str) else phrase
    return [{name for _, name, _, _ in string.Formatter().parse(text) if name} for text in variants]


def test_spanish_and_german_are_there() -> None:
    assert {"de", "es"} <= set(OTHERS)


@pytest.mark.parametrize("language", OTHERS)
def test_a_language_has_every_phrase_with_the_same_placeholders(language: str) -> None:
    phrases = yaml.safe_load((FOLDER / f"{language}.yaml").read_text("utf-8"))
    assert list(phrases) == list(ENGLISH)
    for name, phrase in phrases.items():
        assert placeholders(phrase) == placeholders(ENGLISH[name]), name
        assert phrase != ENGLISH[name], name


def test_phrases_are_had_in_each_language_that_is_served() -> None:
    phrases = Phrases.load(
        "en", {"goodbye": "So long!"}, {"de": {"goodbye": "Tschüss!"}, "sv": {}, "nl": {"ack": "Goed."}}
    )
    assert phrases.say("goodbye") == "So long!"
    assert phrases.within("de").say("goodbye") == "Tschüss!"
    assert phrases.within("de").say("looking") == "Ich sehe nach"
    assert phrases.within("nl").say("ack") == "Goed."
    assert phrases.within("sv") is phrases.within("fr") is phrases


def test_who_is_not_served_hears_it_in_the_own_language() -> None:
    assert not_served("es", ["en", "de"]).endswith("idiomas: English, Deutsch.")
