"""The agent's own phrases, by name: the house's in `prompts/phrases/`, replaced by the business's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import yaml

_PROMPTS = Path(__file__).parent.parent / "prompts"
_FOLDER = _PROMPTS / "phrases"
_Texts = Mapping[str, str | list[str]]


class Phrases:
    """Phrases of one language, and of the others that are served. Variants are taken in turn, by a number given."""

    def __init__(self, phrases: _Texts, others: Mapping[str, _Texts] | None = None) -> None:
        self._phrases = dict(phrases)
        self._others = {language: Phrases(of_it) for language, of_it in (others or {}).items()}

    @classmethod
    def load(cls, language: str, replaced: _Texts, others: Mapping[str, _Texts] | None = None) -> Phrases:
        """The house's phrases of a language (English where it has none), with the business's on top.

        `others` has the business's in further languages; those that anybody has phrases in can be had by `within`.
        """
        usual = _house(language) or _house("en")
        further = {code: (_house(code), own) for code, own in (others or {}).items()}
        return cls(
            {**usual, **replaced},
            {code: {**(house or usual), **own} for code, (house, own) in further.items() if house or own},
        )

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._phrases)

    def within(self, language: str) -> Phrases:
        """The phrases in a language, where there are any; else these."""
        return self._others.get(language, self)

    def say(self, name: str, turn: int = 0, /, **values: Any) -> str:
        """The phrase, filled in. Raises KeyError where a name or a value is missing."""
        phrase = self._phrases[name]
        if isinstance(phrase, list):
            phrase = phrase[turn % len(phrase)]
        return phrase.format(**values).strip()


def _house(language: str) -> dict[str, str | list[str]]:
    """The house's phrases of a language; empty where it has none."""
    path = _FOLDER / f"{language}.yaml"
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}


def not_served(language: str, served: Sequence[str]) -> str:
    """That only `served` are spoken here, in the customer's language, or in the business's, or in English."""
    texts = _not_served()
    languages = ", ".join(texts["names"].get(code, code) for code in served)
    sentence = next(texts["sentences"][code] for code in (language, *served, "en") if code in texts["sentences"])
    return str(sentence.format(languages=languages))


def known_languages() -> tuple[str, ...]:
    """The languages in which the agent can say that it does not serve them."""
    return tuple(_not_served()["sentences"])


@cache
def _not_served() -> dict[str, dict[str, str]]:
    return yaml.safe_load((_PROMPTS / "not_served.yaml").read_text(encoding="utf-8"))


def in_words(value: Any) -> str:
    """A slot's value or a tool's argument as it stands in a sentence: dates by weekday, choices without underscores."""
    text = str(value)
    if text.startswith("["):
        return text
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return text.replace("_", " ")
    return f"{day:%A, %B} {day.day}"
