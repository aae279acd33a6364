"""Which of the business's languages a turn is in, and whether it is plainly in another one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from agent.phrases import known_languages

_NOT_WORDS = re.compile(r"\[[A-Z]+_\d+\]|[^\s@]{1,64}@\S+|https?://\S+|[\d_]+")
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]")
"""Letters of scripts that put no space between words; two of them count as a word."""
_SHORT_WORDS = 3
_SURE = 0.75
_PLAIN_WORDS = 4
_PLAIN = 0.9
"""English that the house's own tests hold reaches 0.6 as another language at most; names and addresses 0.87."""


def detect(text: str, languages: Sequence[str], previous: str) -> str:
    """One of `languages` (ISO 639-1 codes, at least one); `previous` where the text is too short or unclear.

    With one language nothing is loaded.
    """
    usual = previous if previous in languages else languages[0]
    if len(languages) == 1:
        return languages[0]
    words = _words(text)
    if not words or (len(words) < _SHORT_WORDS and "".join(words).isascii()):
        return usual
    code, chance = _identifier(tuple(sorted(languages))).classify(" ".join(words))
    return str(code) if chance >= _SURE else usual


def unserved(text: str, languages: Sequence[str]) -> str | None:
    """The language that a text of four words or more is plainly in, where it is none of `languages`."""
    words = _words(text)
    if max(len(words), len(_UNSPACED.findall(text)) // 2) < _PLAIN_WORDS:
        return None
    code, chance = _identifier(tuple(sorted({*known_languages(), *languages}))).classify(" ".join(words))
    return str(code) if chance >= _PLAIN and code not in languages else None


def _words(text: str) -> list[str]:
    return _WORD.findall(_NOT_WORDS.sub(" ", text).lower())


@lru_cache(maxsize=8)
def _identifier(languages: tuple[str, ...]) -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(list(languages))
    return identifier
