"""The retrieval bench counts what it says it counts."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from agent.knowledge.index import EmbeddedIndex
from agent.knowledge.ingest import ingest
from agent.knowledge.retrieval import Retrieval
from agent.understanding.embedding import MiniLM
from lab.retrieval import QuestionSet, quality, synthetic

PAGES = {
    "ski.md": "# Ski hire\n\nSkis cost 32 euros a day.\n",
    "bus.md": "# Bus\n\nThe bus stops at the church.\n",
}


@pytest.fixture
def bench(tmp_path: Path, model_cache: Path) -> Iterator[tuple[EmbeddedIndex, Retrieval, MiniLM]]:
    (tmp_path / "pages").mkdir()
    for name, text in PAGES.items():
        (tmp_path / "pages" / name).write_text(text)
    encoder = MiniLM(model_cache)
    index, _ = ingest([tmp_path / "pages"], encoder, tmp_path / "home")
    with ThreadPoolExecutor(1) as pool:
        yield index, Retrieval(lambda: index, lambda text: encoder.encode([text])[0], pool), encoder


def test_a_page_found_second_counts_half_and_a_page_that_is_not_there_nothing(
    bench: tuple[EmbeddedIndex, Retrieval, MiniLM],
) -> None:
    asked = "What do skis cost a day?"
    found = quality(QuestionSet([("ski", asked), ("bus", asked), ("gone", asked)], []), *bench)
    assert (found["recall_at_3"], found["mrr"]) == (0.667, 0.5)


def test_refusals_are_counted_on_both_kinds_of_question(bench: tuple[EmbeddedIndex, Retrieval, MiniLM]) -> None:
    asked, off = "What do skis cost a day?", "Who painted the Mona Lisa?"
    assert quality(QuestionSet([("ski", asked)], [off]), *bench)["refused"] == 1.0
    swapped = quality(QuestionSet([("ski", off)], [asked]), *bench)
    assert (swapped["refused"], swapped["false_refusals"]) == (0.0, 1.0)


def test_overlap_is_the_share_of_content_words_that_the_page_has(
    bench: tuple[EmbeddedIndex, Retrieval, MiniLM],
) -> None:
    assert quality(QuestionSet([("ski", "Do skis cost dollars?")], []), *bench)["word_overlap"] == 0.667


def test_a_synthetic_index_has_the_size_that_was_asked_for() -> None:
    index = synthetic(50, np.random.default_rng(1))
    vector = np.eye(1, 384, dtype=np.float32)[0]
    assert len(index.chunks) == 50 and len(index.search("w1 w2", vector, 3)) == 3
