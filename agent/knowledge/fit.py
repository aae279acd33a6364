"""How well a question and a passage fit, and how sure it is that the passage answers.

Similarity alone ranks well and refuses badly: "do you ship to the moon" is very near to a page about
shipping. So each content word of the question is asked for as well. A word that is taken out of the
question and thereby brings it nearer to the passage stands for something the passage does not speak of
(`lift`); so does a word that weighs much in the question and resembles no word of the passage
(`uncovered`) or of any page (`unknown`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from agent.knowledge.words import content_words, stem, without

Encode = Callable[[str], np.ndarray]
"""A text to its vector, (384,) float32, L2-normalised."""
CANDIDATES = 24
"""So many chunks are looked at closely."""
ASKED_WORDS = 8
"""The rarest words of a long question; each costs one encoding."""
_RUNNER_UP = 5
"""The lead is measured against the sixth: neighbours of one page may all fit a little."""
_WORDS_WEIGHT = 0.7
WEIGHTS = np.array([-12.96, -7.13, -6.12, 7.27, -5.41, 3.44])
"""Of lift, uncovered, unknown, lead, relevance, body: a logistic regression on questions about three small
businesses (a shop, a library, a dental practice), cross-validated between them."""


@dataclass(frozen=True)
class Question:
    """A question, taken apart; rows follow `words`."""

    vector: np.ndarray
    words: tuple[str, ...]
    rarities: np.ndarray
    word_vectors: np.ndarray
    without: np.ndarray
    """The question's vectors with each word taken out."""


@dataclass(frozen=True)
class View:
    """A candidate as one question sees it."""

    relevance: float
    coverage: np.ndarray
    """(words of the question,) 1 where the chunk holds the word, else its likeness to the nearest one."""
    nearest: float
    """The cosine of its nearest part, and a little for the words that it shares."""
    parts: np.ndarray
    """The vectors of the whole chunk, its heading and its sentences."""


@dataclass(frozen=True)
class OwnWords:
    """A chunk's content words: their stems, and their vectors."""

    stems: frozenset[str]
    vectors: np.ndarray


def take_apart(text: str, vector: np.ndarray, encode: Encode | None, rarity: Callable[[str], float]) -> Question:
    """Its content words, the rarest where there are many; none where there is no encoder."""
    found = content_words(text) if encode else []
    if len(found) > ASKED_WORDS:
        rare = sorted(found, key=rarity, reverse=True)[:ASKED_WORDS]
        found = [word for word in found if word in rare]
    if not found or encode is None:
        nothing = np.zeros((0, len(vector)), np.float32)
        return Question(vector, (), np.zeros(0), nothing, nothing)
    return Question(
        vector,
        tuple(found),
        np.array([rarity(word) for word in found]),
        np.stack([encode(word) for word in found]),
        np.stack([encode(without(text, word) or "?") for word in found]),
    )


def make_view(question: Question, parts: np.ndarray, own: OwnWords) -> View:
    """The mean of four views: the whole chunk, its heading, its best sentence, and its words."""
    coverage = _coverage(question, own)
    weight = question.rarities.sum()
    words = float(coverage @ question.rarities / weight) if weight else 0.0
    near = parts @ question.vector
    nearest = float(near.max()) + _WORDS_WEIGHT * words
    return View((float(near[0] + near[1] + near[2:].max()) + words) / 4, coverage, nearest, parts)


def _lift(question: Question, parts: np.ndarray) -> float:
    """How much nearer the question comes to the chunk when its least fitting word is taken out."""
    if not question.words:
        return 0.0
    return float((question.without @ parts.T - parts @ question.vector).mean(1).max())


def weigh(question: Question, views: Sequence[View], known: np.ndarray) -> float:
    """Log-odds, before the threshold, that the first of the views (best first) answers."""
    best, runner_up = views[0], views[min(_RUNNER_UP, len(views) - 1)]
    weight = 1.0 - question.without @ question.vector
    features = np.array(
        [
            _lift(question, best.parts),
            float((weight * (1.0 - best.coverage)).max(initial=0.0)),
            float((weight * (1.0 - known)).max(initial=0.0)),
            best.relevance - runner_up.relevance,
            best.relevance,
            float(best.parts[0] @ question.vector),
        ]
    )
    return float(features @ WEIGHTS)


def _coverage(question: Question, own: OwnWords) -> np.ndarray:
    if not question.words:
        return np.zeros(0)
    near = (question.word_vectors @ own.vectors.T).max(1) if len(own.vectors) else np.zeros(len(question.words))
    return np.where([stem(word) in own.stems for word in question.words], 1.0, near)
