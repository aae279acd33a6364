"""Which of the business's languages a turn is in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

_NOT_WORDS = re.compile(r"\[[A-Z]+_\d+\]|\S+@\S+|https?://\S+|[\d_]+")
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_SHORT_WORDS = 3
_SURE = 0.75


def detect(text: str, languages: Sequence[str], previous: str) -> str:
    """One of `languages` (ISO 639-1 codes, at least one); `previous` where the text is too short or unclear.

    With one language nothing is loaded.
    """
    usual = previous if previous in languages else languages[0]
    if len(languages) == 1:
        return languages[0]
    words = _WORD.findall(_NOT_WORDS.sub(" ", text))
    if not words or (len(words) < _SHORT_WORDS and "".join(words).isascii()):
        return usual
    code, chance = _identifier(tuple(sorted(languages))).classify(" ".join(words).lower())
    return str(code) if chance >= _SURE else usual


@lru_cache(maxsize=8)
def _identifier(languages: tuple[str, ...]) -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(list(languages))
    return identifier
