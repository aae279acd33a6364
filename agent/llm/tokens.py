"""How many tokens a text takes, by the model's own vocabulary where it comes with us, else over-estimated."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

Count = Callable[[str], int]
"""A text in, its number of tokens out; too many rather than too few where the model's own vocabulary is not here."""

_VOCABULARIES = (
    ("o200k_base", re.compile(r"(?:o[134]|gpt-5|gpt-4\.[15]|gpt-4o|chatgpt-4o|gpt-oss)(?!\w)")),
    ("cl100k_base", re.compile(r"gpt-(?:4|3\.5|35)(?![\w.])")),
)
"""Which models read which vocabulary. Source: https://github.com/openai/tiktoken, `tiktoken/model.py`."""
_COSTLY = re.compile(r"\d+|\s{2,}|[^\w\s]{2,}")
"""What other vocabularies split up: numbers, and runs of blanks or of signs."""


def counter_for(model: str) -> Count:
    """The counter of a model, by its name as providers and gateways write it (`openai/gpt-4.1`, `ft:gpt-4o:...`)."""
    name = model.lower().rpartition("/")[2].removeprefix("ft:")
    for vocabulary, models in _VOCABULARIES:
        if models.match(name):
            return _exact(vocabulary)
    return _over_estimate(_exact("cl100k_base"))


def size(messages: Iterable[Any], count: Count) -> int:
    """The tokens of messages or tools, each counted as its JSON: the provider's own framing takes less."""
    return sum(count(json.dumps(message, ensure_ascii=False)) for message in messages)


@cache
def _exact(vocabulary: str) -> Count:
    import bpe_openai  # half a second and 70 MB, for those who use a model

    encode = bpe_openai.get_encoding(vocabulary).encode_ordinary
    return lambda text: len(encode(text))


def _over_estimate(known: Count) -> Count:
    """Half as much again as a known vocabulary takes, and one for each character that a poorer one may not join."""

    def count(text: str) -> int:
        beyond_ascii = len(text.encode(errors="replace")) - len(text)
        return -(-3 * known(text) // 2) + sum(map(len, _COSTLY.findall(text))) + beyond_ascii

    return count
