"""The agent's own phrases, by name: the house's in `prompts/phrases/`, replaced by the business's."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import yaml

_FOLDER = Path(__file__).parent.parent / "prompts" / "phrases"


class Phrases:
    """Phrases of one language. Variants are taken in turn, by the number that the caller gives."""

    def __init__(self, phrases: Mapping[str, str | list[str]]) -> None:
        self._phrases = dict(phrases)

    @classmethod
    def load(cls, language: str, replaced: Mapping[str, str | list[str]]) -> Phrases:
        """The house's phrases of a language (English where it has none), with the business's on top."""
        path = _FOLDER / f"{language}.yaml"
        if not path.exists():
            path = _FOLDER / "en.yaml"
        return cls({**yaml.safe_load(path.read_text(encoding="utf-8")), **replaced})

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._phrases)

    def say(self, name: str, turn: int = 0, /, **values: Any) -> str:
        """The phrase, filled in. Raises KeyError where a name or a value is missing."""
        phrase = self._phrases[name]
        if isinstance(phrase, list):
            phrase = phrase[turn % len(phrase)]
        return phrase.format(**values).strip()


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
