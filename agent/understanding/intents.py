"""What a turn is for: one of the business's intents, one that every business has, or none of these.

Two views of the text vote. MiniLM's vector goes to a logistic regression and to the nearest examples;
word and letter n-grams go to a linear SVM, which is heard where there are examples enough. How far
the votes are to be trusted is measured on examples left out of the training: a temperature makes the
probabilities honest, and a second, small regression says whether the text is in scope at all. For it,
whole intents are left out too, so that it has seen what a plausible but unknown request looks like.

    text ─> vector ─> logistic regression ┐
                  └─> nearest examples    ├─> probabilities ─┬─> ranking
    text ─> n-grams ─> SVM margins        ┘                  └─> in scope? ─> Intent | NotUnderstood
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import math
import os
import re
import tempfile
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml
from threadpoolctl import threadpool_limits

from agent.understanding.embedding import Encoder, Vectors
from agent.understanding.linear import NEVER, logistic, softmax, softmax_regression

Floats = npt.NDArray[np.float64]

NONE_CLASSES = frozenset({"out_of_scope", "bare_value"})
"""Classes of examples that teach what is no intent; they are never ranked."""
_INTENT_FILES = Path(__file__).resolve().parents[2] / "prompts" / "intents"
_VERSION = 3

_REGRESSION_STRENGTH = 30.0
"""Inverse regularisation; vectors of length one need a large one."""
_NEAREST_GAIN = 4.0
"""How much one unit of cosine to the nearest example adds to a class's logit."""
_SMALL_TALK_HANDICAP = 0.8
"""Taken off the logits of built-in small talk: a request in unforeseen words often sounds a little like a
complaint or a goodbye. Asking for a human has no handicap."""
_NGRAMS_FROM, _NGRAM_HALF_AT, _NGRAM_SHARE = 30, 50, 0.35
"""Words vote from so many examples per intent on, with half of their largest share at so many.

A few examples do not show the words that strangers will use; many do."""
_NGRAM_GAIN = 4.0
"""SVM margins in the scale of the regression's logits."""
_MAX_NGRAMS = 40_000
_FOLDS = 4
_TOO_NEAR = 0.65
"""A built-in off-topic example as similar as this to one of the business's own is not off-topic there."""
_CLOSE_RATIO, _CLOSE_MASS = 0.5, 0.6
"""Two intents are close when the second has this share of the first, and both this much together."""
_KEEP_IN_SCOPE = 0.97
"""The share of left-out in-scope examples that the threshold lets through."""
_THRESHOLD_RANGE = (0.3, 0.6)
_IN_SCOPE_PRIOR = 0.7
"""The share of turns taken to be in scope."""
_ENOUGH_REHEARSED = 1500
"""So many left-out examples measure well enough; large data sets need not be left out in full."""


@dataclass(frozen=True)
class Ranking:
    """Every intent with its probability, best first, given that one of them is meant; they sum to 1."""

    probabilities: tuple[tuple[str, float], ...]
    in_scope: float
    """The probability that one of them is meant at all, 0 to 1."""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.probabilities)


@dataclass(frozen=True)
class Intent:
    """What is wanted. `confidence` is the probability that this is it."""

    name: str
    confidence: float
    alternatives: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class NotUnderstood:
    """None of the intents, or none that stands out. `confidence` is that of the likeliest."""

    confidence: float
    alternatives: tuple[tuple[str, float], ...] = ()


def built_in_examples(language: str = "en") -> dict[str, list[str]]:
    """The intents that every business has, with their examples."""
    text = (_INTENT_FILES / f"{language}.yaml").read_text(encoding="utf-8")
    examples: dict[str, list[str]] = yaml.safe_load(text)
    return examples


@dataclass(frozen=True)
class Intents:
    """A trained classifier; read only, so that all threads may share it."""

    names: tuple[str, ...]
    _encoder: Encoder = field(repr=False)
    _head: _Head = field(repr=False)
    _vocabulary: _Vocabulary = field(repr=False)
    _words: _Words = field(repr=False)
    _temperature: float
    _scope: _Scope
    threshold: float
    """The least `in_scope` of an understood intent."""

    @classmethod
    def train(
        cls,
        examples: Mapping[str, Sequence[str]],
        encoder: Encoder,
        *,
        cache_dir: Path | None,
        seed: int = 0,
        built_in: Mapping[str, Sequence[str]] | None = None,
    ) -> Intents:
        """Learn from examples: intent -> ways to say it. Deterministic for a seed.

        A class named with a leading underscore (such as `_knowledge`) is ranked like the others but
        does not calibrate: its examples need not be worded as a customer would. The business's
        examples replace built-in ones of the same name. `built_in` None takes those of prompts/.
        With a `cache_dir` the result is kept by the content of the examples.

        Raises ValueError with fewer than two classes, or a class without examples.
        """
        own = {name: list(dict.fromkeys(texts)) for name, texts in examples.items()}
        common = built_in_examples() if built_in is None else built_in
        data = {**{name: list(texts) for name, texts in common.items()}, **own}
        _check(data)
        path = cache_dir / f"intents-{_digest(data, encoder, seed)}.npz" if cache_dir else None
        if path and path.exists():
            loaded = cls._load(path, encoder)
            if loaded:
                return loaded
        with threadpool_limits(1):  # the matrices are small: more threads only make them slower
            trained = cls._fit(data, frozenset(own), encoder, seed)
        if path:
            trained._save(path)
        return trained

    @classmethod
    def _fit(cls, data: Mapping[str, Sequence[str]], own: frozenset[str], encoder: Encoder, seed: int) -> Intents:
        examples = _Examples.of(data, own, encoder)
        real = _real(examples.names)
        rehearsal = _rehearse(examples, seed)
        temperature = _fit_temperature(rehearsal, real)
        scope = _Scope.fit(rehearsal, real, temperature)
        head, words = examples.fit()
        return cls(
            names=examples.names,
            _encoder=encoder,
            _head=head,
            _vocabulary=examples.vocabulary,
            _words=words,
            _temperature=temperature,
            _scope=scope,
            threshold=_fit_threshold(rehearsal, scope, real, temperature),
        )

    def rank(self, text: str, vector: Vectors | None = None) -> Ranking:
        """All intents by probability. `vector`, (384,), spares encoding the text again."""
        row = self._encoder.encode([text])[0] if vector is None else vector
        linear, nearest = self._head.logits(row[None, :])
        votes = _Votes(self._words.mix(linear, self._vocabulary.rows([text])), nearest)
        real = _real(self.names)
        in_scope = float(self._scope.probability(votes, real, self._temperature)[0])
        chances = softmax(votes.logits[:, real] / self._temperature)[0]
        names = [name for name, is_real in zip(self.names, real, strict=True) if is_real]
        order = np.argsort(-chances, kind="stable")
        return Ranking(tuple((names[i], float(chances[i])) for i in order), in_scope)

    def choose(self, ranking: Ranking) -> Intent | NotUnderstood:
        """The intent that stands out in a ranking, if one does."""
        (best, chance), *others = ranking.probabilities
        confidence = chance * ranking.in_scope
        rest = tuple((name, c * ranking.in_scope) for name, c in others[:4])
        if ranking.in_scope < self.threshold or self.close(ranking):
            return NotUnderstood(confidence, ((best, confidence), *rest))
        return Intent(best, confidence, rest)

    def close(self, ranking: Ranking) -> list[str]:
        """The two likeliest intents when they are near each other, else nothing."""
        if ranking.in_scope < self.threshold / 2 or len(ranking.probabilities) < 2:
            return []
        (first, high), (second, low) = ranking.probabilities[:2]
        return [first, second] if low >= _CLOSE_RATIO * high and high + low >= _CLOSE_MASS else []

    def _save(self, path: Path) -> None:
        meta = {
            "names": self.names,
            "ngrams": self._vocabulary.pieces,
            "share": self._words.share,
            "temperature": self._temperature,
            "threshold": self.threshold,
        }
        content = io.BytesIO()
        np.savez(
            content,
            meta=np.frombuffer(json.dumps(meta).encode(), np.uint8),
            coefficients=self._head.coefficients,
            bias=self._head.bias,
            vectors=self._head.vectors,
            labels=self._head.labels,
            idf=self._vocabulary.idf,
            ngram_coefficients=self._words.coefficients,
            ngram_bias=self._words.bias,
            scope=self._scope.weights,
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, scratch = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(content.getvalue())
        Path(scratch).replace(path)

    @classmethod
    def _load(cls, path: Path, encoder: Encoder) -> Intents | None:
        """The saved classifier, or None where the file is damaged."""
        try:
            with np.load(path, allow_pickle=False) as kept:
                arrays = {name: kept[name] for name in kept.files}
            meta = json.loads(arrays["meta"].tobytes())
            return cls(
                names=tuple(meta["names"]),
                _encoder=encoder,
                _head=_Head(*(arrays[name] for name in ("coefficients", "bias", "vectors", "labels"))),
                _vocabulary=_Vocabulary(meta["ngrams"], arrays["idf"]),
                _words=_Words(meta["share"], arrays["ngram_coefficients"], arrays["ngram_bias"]),
                _temperature=meta["temperature"],
                _scope=_Scope(arrays["scope"]),
                threshold=meta["threshold"],
            )
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None


def _check(data: Mapping[str, Sequence[str]]) -> None:
    empty = [name for name, texts in data.items() if not texts]
    if empty:
        raise ValueError(f"no examples for {', '.join(empty)}")
    if sum(name not in NONE_CLASSES for name in data) < 2:
        raise ValueError("at least two intents are needed")


def _digest(data: Mapping[str, Sequence[str]], encoder: Encoder, seed: int) -> str:
    told = json.dumps([_VERSION, type(encoder).__name__, seed, sorted(data.items())], ensure_ascii=False)
    return hashlib.sha256(told.encode()).hexdigest()[:24]


def _real(names: Sequence[str]) -> npt.NDArray[np.bool_]:
    return np.array([name not in NONE_CLASSES for name in names])


@dataclass(frozen=True)
class _Examples:
    """The training data, one row an example."""

    names: tuple[str, ...]
    labels: npt.NDArray[np.int64]
    vectors: Vectors
    vocabulary: _Vocabulary
    rows: Any
    """The n-grams' weights, (n, n-grams), sparse; None where words do not vote."""
    share: float
    """The words' share of the vote."""
    own: npt.NDArray[np.bool_]
    """Which classes are the business's own."""
    calibrates: npt.NDArray[np.bool_]
    """Which classes measure the calibration."""

    @classmethod
    def of(cls, data: Mapping[str, Sequence[str]], own: frozenset[str], encoder: Encoder) -> _Examples:
        names = tuple(data)
        texts = [text for name in names for text in data[name]]
        labels = np.array([i for i, name in enumerate(names) for _ in data[name]], np.int64)
        vectors = encoder.encode(texts)
        is_own = np.array([name in own for name in names])
        kept = _far(vectors, (~_real(names) & ~is_own)[labels], is_own[labels])
        texts = [text for text, keep in zip(texts, kept, strict=True) if keep]
        share = _ngram_share([len(texts) for name, texts in data.items() if name in own and name[0] != "_"])
        vocabulary = _Vocabulary.of(texts if share else [])
        return cls(
            names=names,
            labels=labels[kept],
            vectors=vectors[kept],
            vocabulary=vocabulary,
            rows=vocabulary.rows(texts),
            share=share,
            own=is_own,
            calibrates=np.array([not name.startswith("_") for name in names]),
        )

    def where(self, rows: npt.NDArray[np.bool_]) -> _Examples:
        ngrams = None if self.rows is None else self.rows[rows]
        return replace(self, labels=self.labels[rows], vectors=self.vectors[rows], rows=ngrams)

    def fit(self) -> tuple[_Head, _Words]:
        classes = len(self.names)
        head = _Head.fit(self.vectors, self.labels, classes)
        small_talk = _real(self.names) & ~self.own & (np.array(self.names) != "human")
        head.bias[small_talk] -= np.float32(_SMALL_TALK_HANDICAP)
        return head, _Words.fit(self.rows, self.labels, classes, self.share)


def _ngram_share(sizes: Sequence[int]) -> float:
    """The words' share of the vote, by the number of examples of the business's intents."""
    typical = float(np.median(sizes)) if sizes else 0.0
    return _NGRAM_SHARE * typical / (typical + _NGRAM_HALF_AT) if typical >= _NGRAMS_FROM else 0.0


def _far(vectors: Vectors, doubtful: npt.NDArray[np.bool_], sure: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Which examples to keep: all but doubtful ones that are too near a sure one."""
    kept = np.ones(len(vectors), np.bool_)
    if doubtful.any() and sure.any():
        kept[doubtful] = (vectors[doubtful] @ vectors[sure].T).max(axis=1) < _TOO_NEAR
    return kept


@dataclass(frozen=True)
class _Head:
    """The vector's vote: logistic regression and the nearest example of each class."""

    coefficients: npt.NDArray[np.float32]
    """(384, classes)"""
    bias: npt.NDArray[np.float32]
    vectors: Vectors
    labels: npt.NDArray[np.int64]

    @classmethod
    def fit(cls, vectors: Vectors, labels: npt.NDArray[np.int64], classes: int) -> _Head:
        weights, bias = softmax_regression(vectors.astype(np.float64), labels, classes, strength=_REGRESSION_STRENGTH)
        return cls(weights.astype(np.float32), bias.astype(np.float32), vectors, labels)

    def logits(self, vectors: Vectors) -> tuple[Floats, Floats]:
        """Per text and class: the vote, and the cosine of the nearest example; both (n, classes)."""
        cosines = vectors @ self.vectors.T
        nearest = np.full((len(vectors), len(self.bias)), -1.0)
        for label in np.unique(self.labels):
            nearest[:, label] = cosines[:, self.labels == label].max(axis=1)
        linear = vectors @ self.coefficients + self.bias
        return linear.astype(np.float64) + _NEAREST_GAIN * nearest, nearest


_WORD = re.compile(r"\w+")
_DIGITS = re.compile(r"\d+")


def _pieces(text: str) -> Counter[str]:
    """Words, pairs of words, and pieces of 3 to 5 letters within a word; numbers are all alike."""
    words = _WORD.findall(_DIGITS.sub("0", text.lower()))
    counts: Counter[str] = Counter(f"w:{word}" for word in words)
    counts.update(f"w:{a} {b}" for a, b in itertools.pairwise(words))
    for word in words:
        padded = f" {word} "
        for size in (3, 4, 5):
            counts.update(padded[i : i + size] for i in range(len(padded) - size + 1))
    return counts


class _Vocabulary:
    """The known n-grams and how telling each is (inverse document frequency)."""

    def __init__(self, pieces: Sequence[str], idf: npt.NDArray[np.float32]) -> None:
        self.pieces = list(pieces)
        self.idf = idf
        self._index = {piece: i for i, piece in enumerate(self.pieces)}

    @classmethod
    def of(cls, texts: Sequence[str]) -> _Vocabulary:
        documents = Counter(piece for text in texts for piece in _pieces(text))
        known = documents.most_common(_MAX_NGRAMS)
        return cls(
            [piece for piece, _ in known],
            np.array([1 + math.log((1 + len(texts)) / (1 + n)) for _, n in known], np.float32),
        )

    def _row(self, text: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """The places of the text's n-grams and their weights, together of length one."""
        known = [(self._index[piece], n) for piece, n in _pieces(text).items() if piece in self._index]
        places = np.array([place for place, _ in known], np.int64)
        weights = (1 + np.log(np.array([n for _, n in known], np.float32))) * self.idf[places]
        length = np.float32(np.linalg.norm(weights)) if known else np.float32(1)
        return places, weights / length

    def rows(self, texts: Sequence[str]) -> Any:
        """The texts' n-grams as a scipy CSR matrix, (n, n-grams); None where no n-grams are known."""
        if not self.pieces:
            return None
        from scipy.sparse import csr_matrix

        rows = [self._row(text) for text in texts]
        ends = np.cumsum([0, *(len(places) for places, _ in rows)])
        weights, places = np.concatenate([w for _, w in rows]), np.concatenate([p for p, _ in rows])
        return csr_matrix((weights, places, ends), shape=(len(texts), len(self.pieces)))


@dataclass(frozen=True)
class _Words:
    """The words' vote: a linear SVM over n-grams; without a share it is empty."""

    share: float
    coefficients: npt.NDArray[np.float32]
    """(n-grams, classes)"""
    bias: npt.NDArray[np.float32]

    @classmethod
    def fit(cls, matrix: Any, labels: npt.NDArray[np.int64], classes: int, share: float) -> _Words:
        if not share:
            return cls(0.0, np.zeros((0, classes), np.float32), np.zeros(classes, np.float32))
        from sklearn.svm import LinearSVC

        machine = LinearSVC(C=1.0, class_weight="balanced", random_state=0).fit(matrix, labels)
        weights = np.zeros((matrix.shape[1], classes), np.float32)
        bias = np.full(classes, NEVER, np.float32)
        weights[:, machine.classes_], bias[machine.classes_] = machine.coef_.T, machine.intercept_
        return cls(share, weights, bias)

    def mix(self, linear: Floats, rows: Any) -> Floats:
        """The vector's votes with the words' votes mixed in; `rows` are theirs, (n, n-grams)."""
        if not self.share:
            return linear
        margins = np.asarray(rows @ self.coefficients) + self.bias
        return (1 - self.share) * linear + self.share * _NGRAM_GAIN * margins


@dataclass(frozen=True)
class _Votes:
    """What the two views say of some texts; both (n, classes)."""

    logits: Floats
    nearest: Floats
    """The cosine of the nearest example of each class."""


@dataclass(frozen=True)
class _Rehearsal:
    """Votes on examples by a classifier that has not seen them."""

    votes: _Votes
    labels: npt.NDArray[np.int64]
    in_scope: npt.NDArray[np.bool_]
    """Whether the classifier knew the example's intent, and it is one."""


def _rehearse(examples: _Examples, seed: int) -> _Rehearsal:
    """Leave out a quarter of the examples at a time, then a quarter of the business's intents at a time."""
    dice = np.random.default_rng(seed)
    real = _real(examples.names)
    counted = (examples.calibrates | ~real)[examples.labels]
    parts = []
    folds = _folds(examples.labels, dice)
    for fold in range(_FOLDS):
        held = folds == fold
        votes = _votes_on(examples, held & counted, ~held)
        labels = examples.labels[held & counted]
        parts.append(_Rehearsal(votes, labels, real[labels]))
        if sum(len(part.labels) for part in parts) >= _ENOUGH_REHEARSED:
            break
    own = dice.permutation(np.flatnonzero(examples.own & real & examples.calibrates))
    for group in np.array_split(own, min(_FOLDS, len(own))) if len(own) > 2 else []:
        held = np.isin(examples.labels, group)
        votes = _votes_on(examples, held, ~held)
        parts.append(_Rehearsal(votes, examples.labels[held], np.zeros(held.sum(), np.bool_)))
    return _Rehearsal(
        _Votes(np.concatenate([p.votes.logits for p in parts]), np.concatenate([p.votes.nearest for p in parts])),
        np.concatenate([p.labels for p in parts]),
        np.concatenate([p.in_scope for p in parts]),
    )


def _folds(labels: npt.NDArray[np.int64], dice: np.random.Generator) -> npt.NDArray[np.int64]:
    """A fold for each example, every class spread over all of them."""
    folds = np.zeros(len(labels), np.int64)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        folds[dice.permutation(rows)] = np.arange(len(rows)) % _FOLDS
    return folds


def _votes_on(examples: _Examples, held: npt.NDArray[np.bool_], learn: npt.NDArray[np.bool_]) -> _Votes:
    head, words = examples.where(learn).fit()
    asked = examples.where(held)
    linear, nearest = head.logits(asked.vectors)
    return _Votes(words.mix(linear, asked.rows), nearest)


def _fit_temperature(rehearsal: _Rehearsal, real: npt.NDArray[np.bool_]) -> float:
    """The divisor of the logits under which the left-out examples are likeliest."""
    places = np.cumsum(real) - 1
    rows = rehearsal.in_scope
    logits, labels = rehearsal.votes.logits[rows][:, real], places[rehearsal.labels[rows]]

    def surprise(temperature: float) -> float:
        chances = softmax(logits / temperature)[np.arange(len(labels)), labels]
        return float(-np.log(np.maximum(chances, 1e-9)).mean())

    return float(min(np.geomspace(0.3, 4.0, 53), key=surprise))


@dataclass(frozen=True)
class _Scope:
    """Whether a text is one of the intents at all: a logistic regression on how the votes look."""

    weights: Floats
    """One for each fact, and the bias."""

    @classmethod
    def fit(cls, rehearsal: _Rehearsal, real: npt.NDArray[np.bool_], temperature: float) -> _Scope:
        facts = _facts(rehearsal.votes, real, temperature)
        inside = rehearsal.in_scope
        weight = np.where(inside, _IN_SCOPE_PRIOR / inside.sum(), (1 - _IN_SCOPE_PRIOR) / max(1, (~inside).sum()))
        if inside.all():
            return cls(np.append(np.zeros(facts.shape[1]), 4.0))
        centre, spread = facts.mean(axis=0), facts.std(axis=0) + 1e-6
        weights, bias = logistic((facts - centre) / spread, inside, weight * len(weight))
        weights = weights / spread
        return cls(np.append(weights, bias - weights @ centre))

    def probability(self, votes: _Votes, real: npt.NDArray[np.bool_], temperature: float) -> Floats:
        """(n,)"""
        facts = _facts(votes, real, temperature)
        return np.asarray(1 / (1 + np.exp(-(facts @ self.weights[:-1] + self.weights[-1]))))


def _facts(votes: _Votes, real: npt.NDArray[np.bool_], temperature: float) -> Floats:
    """How the votes look, (n, 4): the odds against none, the best's odds, its nearness, none's nearness."""
    chances = softmax(votes.logits / temperature)
    inside, best = chances[:, real].sum(axis=1), chances[:, real].max(axis=1)
    near = votes.nearest[:, real].max(axis=1)
    near_none = votes.nearest[:, ~real].max(axis=1) if (~real).any() else np.zeros(len(near))
    return np.column_stack([_log_odds(inside), _log_odds(best), near, near_none])


def _log_odds(chances: Floats) -> Floats:
    inside = np.clip(chances, 1e-3, 1 - 1e-3)
    return np.asarray(np.log(inside / (1 - inside)))


def _fit_threshold(rehearsal: _Rehearsal, scope: _Scope, real: npt.NDArray[np.bool_], temperature: float) -> float:
    """The threshold that nearly all left-out in-scope examples pass, within a sensible range."""
    chances = scope.probability(rehearsal.votes, real, temperature)[rehearsal.in_scope]
    return float(np.clip(np.quantile(chances, 1 - _KEEP_IN_SCOPE), *_THRESHOLD_RANGE))
