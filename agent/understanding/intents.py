"""What a turn is for: one of the business's intents, one that every business has, or none of these.

Several voters (`votes.py`) judge a text; how their votes are mixed, and how far the sum is to be trusted, is
measured on examples left out of the training (`calibration.py`).

    text ─> voters ─> votes ─> mix ─> probabilities ─┬─> ranking
                                                     └─> in scope? ─> Intent | NotUnderstood
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import yaml
from threadpoolctl import threadpool_limits

from agent.understanding.calibration import Mix, Scope, fit_threshold, rehearse
from agent.understanding.embedding import Encoder, Vectors
from agent.understanding.linear import softmax
from agent.understanding.ngrams import Ngrams
from agent.understanding.votes import NONE_CLASSES, Examples, Head, Recipe, Voters, Words, real_classes

_INTENT_FILES = Path(__file__).resolve().parents[2] / "prompts" / "intents"
_VERSION = 4
_CLOSE_RATIO, _CLOSE_MASS = 0.5, 0.6
"""Two intents are close when the second has this share of the first, and both this much together."""


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
    _ngrams: Ngrams = field(repr=False)
    _voters: Voters = field(repr=False)
    _mix: Mix
    _scope: Scope
    threshold: float
    """The least `in_scope` of an understood intent."""

    @classmethod
    def train(
        cls,
        examples: Mapping[str, Sequence[str]],
        encoder: Encoder,
        *,
        cache_dir: Path | None,
        recipe: Recipe | None = None,
        built_in: Mapping[str, Sequence[str]] | None = None,
    ) -> Intents:
        """Learn from examples: intent -> ways to say it. Deterministic for a recipe.

        A class named with a leading underscore (such as `_knowledge`) is ranked like the others but
        does not calibrate: its examples need not be worded as a customer would. The business's
        examples replace built-in ones of the same name. `built_in` None takes those of prompts/.
        With a `cache_dir` the result is kept by the content of the examples and of the recipe.

        Raises ValueError with fewer than two classes, or a class without examples.
        """
        recipe = recipe or Recipe()
        own = {name: list(dict.fromkeys(texts)) for name, texts in examples.items()}
        common = built_in_examples() if built_in is None else built_in
        data = {**{name: list(texts) for name, texts in common.items()}, **own}
        _check(data)
        path = cache_dir / f"intents-{_digest(data, frozenset(own), encoder, recipe)}.npz" if cache_dir else None
        if path and path.exists():
            loaded = cls._load(path, encoder)
            if loaded:
                return loaded
        with threadpool_limits(1):  # the matrices are small: more threads only make them slower
            trained = cls._fit(Examples.of(data, frozenset(own), encoder, recipe), encoder, recipe)
        if path:
            trained._save(path)
        return trained

    @classmethod
    def _fit(cls, examples: Examples, encoder: Encoder, recipe: Recipe) -> Intents:
        real = real_classes(examples.names)
        rehearsal, strength = rehearse(examples, recipe)
        mix = Mix.fit(rehearsal, real, Mix(1.0, recipe.nearest_gain, recipe.expected_words_gain(examples.typical)))
        scope = Scope.fit(rehearsal, real, mix, recipe.in_scope_share)
        return cls(
            names=examples.names,
            _encoder=encoder,
            _ngrams=examples.ngrams,
            _voters=examples.fit(strength, recipe),
            _mix=mix,
            _scope=scope,
            threshold=fit_threshold(rehearsal, scope, real, mix, recipe.keep_in_scope),
        )

    def rank(self, text: str, vector: Vectors | None = None) -> Ranking:
        """All intents by probability. `vector`, (384,), spares encoding the text again."""
        return self.rank_all([text], None if vector is None else vector[None, :])[0]

    def rank_all(self, texts: Sequence[str], vectors: Vectors | None = None) -> list[Ranking]:
        """A ranking for each text. `vectors`, (n, 384), spare encoding them again."""
        vectors = self._encoder.encode(texts) if vectors is None else vectors
        votes = self._voters.votes(vectors, self._ngrams.rows(texts) if self._voters.words.vote else None)
        real = real_classes(self.names)
        in_scope = self._scope.probability(votes, real, self._mix)
        chances = softmax(self._mix.logits(votes)[:, real])
        order = np.argsort(-chances, axis=1, kind="stable")
        names = [name for name, is_real in zip(self.names, real, strict=True) if is_real]
        return [
            Ranking(tuple((names[i], float(row[i])) for i in best), float(inside))
            for row, best, inside in zip(chances, order, in_scope, strict=True)
        ]

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
        head, words = self._voters.head, self._voters.words
        meta = {
            "names": self.names,
            "ngrams": self._ngrams.pieces,
            "mix": asdict(self._mix),
            "threshold": self.threshold,
        }
        content = io.BytesIO()
        np.savez(
            content,
            meta=np.frombuffer(json.dumps(meta).encode(), np.uint8),
            coefficients=head.coefficients,
            bias=head.bias,
            vectors=head.vectors,
            labels=head.labels,
            idf=self._ngrams.idf,
            ngram_coefficients=words.coefficients,
            ngram_bias=words.bias,
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
                _ngrams=Ngrams(meta["ngrams"], arrays["idf"]),
                _voters=Voters(
                    Head(*(arrays[name] for name in ("coefficients", "bias", "vectors", "labels"))),
                    Words(arrays["ngram_coefficients"], arrays["ngram_bias"]),
                ),
                _mix=Mix(**meta["mix"]),
                _scope=Scope(arrays["scope"]),
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


def _digest(data: Mapping[str, Sequence[str]], own: frozenset[str], encoder: Encoder, recipe: Recipe) -> str:
    told = [_VERSION, type(encoder).__name__, asdict(recipe), sorted(own), sorted(data.items())]
    return hashlib.sha256(json.dumps(told, ensure_ascii=False).encode()).hexdigest()[:24]
