"""TF-IDF rows against scikit-learn's, and the labeller that has nothing else."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.understanding import ngrams
from agent.understanding.ngrams import Ngrams
from agent.understanding.votes import Words
from agent.understanding.word_intents import WordIntents

TEXTS = [
    "where is my order",
    "track the order 123, please",
    "send back the lamp; the lamp!",
    "LAMP",
    "Größe ändern",
]


def test_rows_are_scikit_learns() -> None:
    """Words and pairs by one vectoriser, pieces of words by another, weighted and normed together."""
    text = pytest.importorskip("sklearn.feature_extraction.text")
    cleaned = [t.lower().replace("123", "0").replace(";", "").replace("!", "").replace(",", "") for t in TEXTS]
    both = [
        text.CountVectorizer(ngram_range=(1, 2), token_pattern=r"(?u)\b\w+\b"),
        text.CountVectorizer(analyzer="char_wb", ngram_range=(3, 5)),
    ]
    counts = np.hstack([v.fit_transform(cleaned).toarray() for v in both])
    expected = text.TfidfTransformer(sublinear_tf=True).fit_transform(counts).toarray()
    found = Ngrams.of(TEXTS).rows(TEXTS).toarray()
    assert found @ found.T == pytest.approx(expected @ expected.T, abs=1e-5)


def test_numbers_are_all_alike_and_case_does_not_count() -> None:
    known = Ngrams.of(TEXTS)
    one, other = known.rows(["order 7", "ORDER 99"]).toarray()
    assert np.array_equal(one, other)


def test_what_is_unknown_or_nothing_is_an_empty_row() -> None:
    rows = Ngrams.of(TEXTS).rows(["zzzz", "", "?!", "lamp"]).toarray()
    assert np.linalg.norm(rows, axis=1) == pytest.approx([0, 0, 0, 1])
    assert Ngrams.of(TEXTS).rows([]).shape[0] == 0
    assert Ngrams.of([]).rows(["lamp"]).shape == (1, 0)


@given(st.lists(st.text(max_size=60), max_size=8))
def test_a_text_is_the_same_alone_and_among_others(texts: list[str]) -> None:
    known = Ngrams.of([*TEXTS, *texts])
    together = known.rows(texts).toarray()
    alone = [known.rows([text]).toarray()[0] for text in texts]
    assert together == pytest.approx(np.array(alone).reshape(together.shape), abs=1e-6)


def test_a_forgotten_word_reads_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    known = Ngrams.of(TEXTS)
    before = known.rows(TEXTS).toarray()
    monkeypatch.setattr(ngrams, "_REMEMBERED", 0)
    assert np.array_equal(known.rows(TEXTS).toarray(), before)


def test_the_rarer_n_gram_tells_more() -> None:
    known = Ngrams.of(["a b", "a c", "a d"])
    weights = dict(zip(known.pieces, known.idf, strict=True))
    assert weights["w:b"] == pytest.approx(1 + math.log(4 / 2)) and weights["w:a"] == pytest.approx(1)


def test_words_alone_label_by_the_thousand() -> None:
    examples = {"order": TEXTS[:2], "lamp": TEXTS[2:4], "size": TEXTS[4:]}
    labeller = WordIntents.train(examples)
    asked = ["is my order here", "that lamp", "die Größe"] * 900
    assert labeller.label(asked) == ["order", "lamp", "size"] * 900
    assert labeller.label([]) == []


@pytest.mark.parametrize("examples", [{}, {"one": ["a"]}, {"one": ["a"], "two": []}])
def test_nothing_to_tell_apart_is_refused(examples: dict[str, list[str]]) -> None:
    with pytest.raises(ValueError, match="at least two intents"):
        WordIntents.train(examples)


@pytest.mark.parametrize("classes", [2, 3])
def test_few_and_many_examples_are_learnt_alike(monkeypatch: pytest.MonkeyPatch, classes: int) -> None:
    """Closed form for few and scikit-learn's SVM for many; a class without an example never wins."""
    labels = np.array([0, 0, 2, 2] if classes == 2 else [0, 0, 1, 2])
    rows = Ngrams.of(TEXTS[:4]).rows(TEXTS[:4])
    few = Words.fit(rows, labels, 4)
    monkeypatch.setattr("agent.understanding.votes._FEW", 0)
    many = Words.fit(rows, labels, 4)
    for words in (few, many):
        assert list(words.margins(rows).argmax(axis=1)) == list(labels)
        assert (words.margins(rows)[:, 3] < -100).all()
