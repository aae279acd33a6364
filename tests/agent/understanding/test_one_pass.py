"""The encoder's pass over a turn serves its intent, its tone, its further wishes and the search of the pages."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from agent.conversation import Conversation
from agent.knowledge.ingest import ingest
from agent.knowledge.retrieval import Retrieval
from agent.loading import load_business
from agent.understanding.embedding import HashEncoder
from agent.understanding.intents import Intents
from agent.understanding.understander import Understander, training_examples
from tests.conftest import LIBRARY


class Counting(HashEncoder):
    """Notes what it was asked for, one entry per pass."""

    def __init__(self) -> None:
        self.passes: list[list[str]] = []

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        self.passes.append(list(texts))
        return super().encode(texts)


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("What does a lost book cost?", 1),
        ("renew the book on 2000001 and tell me what 2000002 owes", 3),
    ],
)
async def test_a_turn_takes_one_pass_and_the_search_does_not_encode_it_again(
    text: str, encoded: int, tmp_path: Path
) -> None:
    encoder = Counting()
    business, _ = load_business(LIBRARY)
    intents = Intents.train(training_examples(business, []), encoder, cache_dir=None)
    index = ingest([LIBRARY / "knowledge"], encoder, tmp_path)[0]
    with ThreadPoolExecutor(1) as pool:
        understander = Understander(business, intents, encoder, pool)
        retrieval = Retrieval(lambda: index, lambda words: encoder.encode([words])[0], pool)
        await understander.understand("hello", Conversation("c"), date(2026, 5, 13))  # the tone is learnt once
        encoder.passes.clear()
        understood = await understander.understand(text, Conversation("c"), date(2026, 5, 13))
        assert [len(texts) for texts in encoder.passes] == [encoded]
        await retrieval.search(understood.text, vector=understood.vector)
    assert not any(understood.text in texts for texts in encoder.passes[1:])
