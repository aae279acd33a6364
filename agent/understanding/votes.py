"""What votes on a text's intent: a linear head on its vector, its nearest examples, and its words.

text ─> vector ─> logistic regression ─> linear  ┐
              └─> nearest examples    ─> nearest ├─> Votes, a column for each class
text ─> n-grams ─> linear machines    ─> words   ┘
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from agent.understanding.embedding import Encoder, Vectors
from agent.understanding.linear import NEVER, ridge_machines, softmax_regression
from agent.understanding.ngrams import Ngrams

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

NONE_CLASSES = frozenset({"out_of_scope", "bare_value"})
"""Classes of examples that teach what is no intent; they are never ranked."""
_FEW = 3000
"""Up to so many examples the words' machines are solved in closed form."""
_CHUNK = 512
"""So many texts at a time are compared with the examples: cosines of all at once would not fit into memory."""


@dataclass(frozen=True)
class Recipe:
    """How the classifier is trained. Part of its name in the cache."""

    strengths: tuple[float, ...] = (30.0, 10.0, 100.0)
    """Inverse regularisation of the head, the usual one first (vectors of length one need a large one); of
    several, the one that does best on left-out examples is taken, where there are enough of them."""
    words_from: int = 12
    """Words vote from so many examples per intent on: fewer do not show the words that strangers will use."""
    words_half_at: int = 50
    words_share: float = 0.35
    """The words' largest share of the vote before it is fitted, half of which they have at `words_half_at`."""
    nearest_gain: float = 4.0
    """How much one unit of cosine to the nearest example adds to a class's logit, before it is fitted."""
    words_gain: float = 4.0
    """The words' margins in the scale of the head's logits."""
    small_talk_handicap: float = 0.8
    """Taken off the logits of built-in small talk: a request in unforeseen words often sounds a little like a
    complaint or a goodbye. Asking for a human has no handicap."""
    too_near: float = 0.65
    """A built-in off-topic example as similar as this to one of the business's own is not off-topic there."""
    folds: int = 4
    enough_rehearsed: int = 1500
    """So many left-out examples measure well enough; large data sets need not be left out in full."""
    in_scope_share: float = 0.8
    """The share of turns taken to be in scope (four of five, as in CLINC150's test); 1 where nothing else is asked."""
    keep_in_scope: float = 0.97
    """The share of left-out in-scope examples that the threshold lets through."""
    seed: int = 0

    def expected_words_gain(self, typical: float) -> float:
        """What a margin of the words is worth beside the head's logit, by the typical number of examples."""
        share = self.words_share * typical / (typical + self.words_half_at) if typical >= self.words_from else 0.0
        return self.words_gain * share / (1 - share)


@dataclass(frozen=True)
class Votes:
    """What each voter says of some texts; all (n, classes)."""

    linear: Floats
    nearest: Floats
    """The cosine of the nearest example of each class."""
    words: Floats
    """Margins; zero where words do not vote."""

    def of(self, rows: Mask | slice, classes: Mask | slice = slice(None)) -> Votes:
        return Votes(*(part[rows][:, classes] for part in (self.linear, self.nearest, self.words)))

    @classmethod
    def joined(cls, parts: Sequence[Votes]) -> Votes:
        return cls(*(np.concatenate([getattr(p, f) for p in parts]) for f in ("linear", "nearest", "words")))


@dataclass(frozen=True)
class Head:
    """The vector's voters: logistic regression and the nearest example of each class."""

    coefficients: npt.NDArray[np.float32]
    """(384, classes)"""
    bias: npt.NDArray[np.float32]
    vectors: Vectors
    labels: Labels
    """Ascending."""

    @classmethod
    def fit(cls, vectors: Vectors, labels: Labels, classes: int, strength: float) -> Head:
        weights, bias = softmax_regression(vectors.astype(np.float64), labels, classes, strength=strength)
        return cls(weights.astype(np.float32), bias.astype(np.float32), vectors, labels)

    def linear(self, vectors: Vectors) -> Floats:
        return (vectors @ self.coefficients + self.bias).astype(np.float64)

    def nearest(self, vectors: Vectors) -> Floats:
        known, starts = np.unique(self.labels, return_index=True)
        nearest = np.full((len(vectors), len(self.bias)), -1.0)
        for start in range(0, len(vectors), _CHUNK):
            cosines = vectors[start : start + _CHUNK] @ self.vectors.T
            nearest[start : start + _CHUNK, known] = np.maximum.reduceat(cosines, starts, axis=1)
        return nearest


@dataclass(frozen=True)
class Words:
    """The words' voter: a linear machine for each class over n-grams; it may be empty."""

    coefficients: npt.NDArray[np.float32]
    """(n-grams, classes)"""
    bias: npt.NDArray[np.float32]

    @classmethod
    def none(cls, classes: int) -> Words:
        return cls(np.zeros((0, classes), np.float32), np.zeros(classes, np.float32))

    @classmethod
    def fit(cls, rows: Any, labels: Labels, classes: int) -> Words:
        """Few examples are solved in closed form: importing scikit-learn alone takes longer."""
        if rows.shape[0] <= _FEW:
            weights, bias = ridge_machines(rows, labels, classes)
            return cls(np.asarray(weights, np.float32), np.asarray(bias, np.float32))
        from sklearn.svm import LinearSVC

        machine = LinearSVC(C=1.0, class_weight="balanced", random_state=0).fit(rows, labels)
        slopes, offsets = machine.coef_.T, machine.intercept_
        if len(machine.classes_) == 2:  # scikit-learn keeps one machine for two classes
            slopes, offsets = np.hstack([-slopes, slopes]), np.hstack([-offsets, offsets])
        fitted = cls(np.zeros((rows.shape[1], classes), np.float32), np.full(classes, NEVER, np.float32))
        fitted.coefficients[:, machine.classes_], fitted.bias[machine.classes_] = slopes, offsets
        return fitted

    def margins(self, rows: Any) -> npt.NDArray[np.float32]:
        """(n, classes), of `Ngrams.rows`."""
        return np.asarray(rows @ self.coefficients + self.bias)

    @property
    def vote(self) -> bool:
        return len(self.coefficients) > 0


@dataclass(frozen=True)
class Voters:
    """A head and words that were trained on the same examples."""

    head: Head
    words: Words

    def votes(self, vectors: Vectors, rows: Any) -> Votes:
        """Of texts as vectors, (n, 384), and as rows of n-grams, (n, n-grams)."""
        linear = self.head.linear(vectors)
        words = self.words.margins(rows).astype(np.float64) if self.words.vote else np.zeros_like(linear)
        return Votes(linear, self.head.nearest(vectors), words)


@dataclass(frozen=True)
class Examples:
    """The training data, one row an example, in the order of the classes."""

    names: tuple[str, ...]
    labels: Labels
    vectors: Vectors
    ngrams: Ngrams
    rows: Any
    """The examples' n-grams, (n, n-grams), sparse; None where words do not vote."""
    own: Mask
    """Which classes are the business's own."""
    calibrates: Mask
    """Which classes measure the calibration."""
    typical: float
    """The median number of examples of the business's intents."""

    @classmethod
    def of(cls, data: Mapping[str, Sequence[str]], own: frozenset[str], encoder: Encoder, recipe: Recipe) -> Examples:
        """Read the examples of each class; `own` are the business's classes."""
        names = tuple(data)
        texts = [text for name in names for text in data[name]]
        labels = np.array([i for i, name in enumerate(names) for _ in data[name]], np.int64)
        vectors = encoder.encode(texts)
        is_own = np.array([name in own for name in names])
        kept = _far(vectors, (~real_classes(names) & ~is_own)[labels], is_own[labels], recipe.too_near)
        texts = [text for text, keep in zip(texts, kept, strict=True) if keep]
        sizes = [len(texts) for name, texts in data.items() if name in own and name[0] != "_"]
        typical = float(np.median(sizes)) if sizes else 0.0
        ngrams = Ngrams.of(texts if recipe.expected_words_gain(typical) else [])
        return cls(
            names=names,
            labels=labels[kept],
            vectors=vectors[kept],
            ngrams=ngrams,
            rows=ngrams.rows(texts) if ngrams.pieces else None,
            own=is_own,
            calibrates=np.array([not name.startswith("_") for name in names]),
            typical=typical,
        )

    def where(self, kept: Mask) -> Examples:
        ngrams = None if self.rows is None else self.rows[kept]
        return replace(self, labels=self.labels[kept], vectors=self.vectors[kept], rows=ngrams)

    def fit_head(self, strength: float, recipe: Recipe) -> Head:
        head = Head.fit(self.vectors, self.labels, len(self.names), strength)
        small_talk = real_classes(self.names) & ~self.own & (np.array(self.names) != "human")
        head.bias[small_talk] -= np.float32(recipe.small_talk_handicap)
        return head

    def fit(self, strength: float, recipe: Recipe) -> Voters:
        classes = len(self.names)
        words = Words.none(classes) if self.rows is None else Words.fit(self.rows, self.labels, classes)
        return Voters(self.fit_head(strength, recipe), words)


def real_classes(names: Sequence[str]) -> Mask:
    """Which classes are intents."""
    return np.array([name not in NONE_CLASSES for name in names])


def _far(vectors: Vectors, doubtful: Mask, sure: Mask, too_near: float) -> Mask:
    """Which examples to keep: all but doubtful ones that are too near a sure one."""
    kept = np.ones(len(vectors), np.bool_)
    if doubtful.any() and sure.any():
        kept[doubtful] = (vectors[doubtful] @ vectors[sure].T).max(axis=1) < too_near
    return kept
