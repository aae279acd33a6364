"""Where passages live: vectors and words of every chunk, searched together.

    question ──> dense: nearest of (chunk, heading, sentence)  ┐
             └─> words: BM25 over stems                        ┴─> ranks fused (RRF)

`KnowledgeIndex` is the protocol; `EmbeddedIndex` is its home in numpy arrays, loaded from files.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np

from agent.knowledge.chunks import Chunk
from agent.knowledge.fit import CANDIDATES, Encode, OwnWords, Question, View, make_view, take_apart, weigh
from agent.knowledge.sentences import bare
from agent.knowledge.words import content_words, stem

_RRF = 60.0
"""The constant of reciprocal rank fusion (Cormack, Clarke, Büttcher 2009)."""
_K1, _B = 1.2, 0.75
_STOPWORDS = frozenset(
    "a an and any are as at be been but by can could did do does for from get had has have how i if in into is it its "
    "just me my need no not of on one or our please so some still tell than that the their them then there they this "
    "to too us want was we were what when where which who why will with would you your about after also am much many "
    "long if i'm it's don't know there's make way let like".split()
)


@dataclass(frozen=True)
class Hit:
    """A chunk that was found; `similarity` is how relevant it is, 0 to 1 (see fit.py)."""

    chunk: Chunk
    similarity: float
    sentences: np.ndarray
    """The cosine of each of the chunk's sentences, shape (n,)."""
    heading: float
    """The cosine of its heading; of the page's title where it has none."""
    evidence: float = 0.0
    """Log-odds that it answers, before the threshold (see fit.py)."""


class KnowledgeIndex(Protocol):
    """A searchable version of a business's pages."""

    def search(
        self, query: str, vector: np.ndarray, k: int, language: str | None = None, *, audience: str = ""
    ) -> list[Hit]:
        """The best `k` chunks. `vector` is the question's, (384,) float32, L2-normalised.

        Chunks for everybody are searched, and those for `audience`; with `language` those of it alone.
        """
        ...


@dataclass(frozen=True)
class Vectors:
    """float32, L2-normalised, 384 wide: one row per chunk, per heading (the page's title for none), per sentence."""

    chunks: np.ndarray
    headings: np.ndarray
    sentences: np.ndarray
    words: np.ndarray
    """One row per content word of all pages, in `vocabulary`'s order."""


class EmbeddedIndex:
    """One version of the pages in memory; immutable."""

    def __init__(self, chunks: Sequence[Chunk], vectors: Vectors, threshold: float) -> None:
        self.chunks = list(chunks)
        self.threshold = threshold
        """From this confidence on a passage fits; learned when the pages were ingested."""
        self._vectors = vectors
        counts = [len(chunk.sentences) for chunk in chunks]
        self._ends = np.cumsum(counts) if counts else np.zeros(0, dtype=int)
        self._words = _Words([f"{c.path} {c.text}" for c in chunks])
        self._vocabulary = {word: row for row, word in enumerate(vocabulary(chunks))}
        self._languages = np.array([c.language for c in chunks])
        self._audiences = np.array([c.audience for c in chunks])
        self._own_words = lru_cache(maxsize=4096)(self._read_words)

    def search(
        self,
        query: str,
        vector: np.ndarray,
        k: int,
        language: str | None = None,
        *,
        audience: str = "",
        encode: Encode | None = None,
    ) -> list[Hit]:
        """As in KnowledgeIndex. With `encode` the words of the question are weighed too, and `evidence` is set.

        The most relevant chunk gives the page; of its chunks the one with the nearest part answers.
        """
        rows = self._candidates(query, vector, language, audience)
        if not rows:
            return []
        question = take_apart(query, vector, encode, self.rarity)
        views = [self._view(row, question) for row in rows]
        order = sorted(range(len(rows)), key=lambda n: -views[n].relevance)
        page = self.chunks[rows[order[0]]].file
        answering = max((n for n in order if self.chunks[rows[n]].file == page), key=lambda n: views[n].nearest)
        order.remove(answering)
        order.insert(0, answering)
        evidence = weigh(question, [views[n] for n in order], self._known(question))
        return [self._hit(rows[n], vector, views[n], evidence) for n in order[: max(k, 1)]]

    def rarity(self, word: str) -> float:
        """How telling a word is: greatest for one that no page has."""
        return self._words.weight(stem(word))

    def _candidates(self, query: str, vector: np.ndarray, language: str | None, audience: str) -> list[int]:
        if not self.chunks:
            return []
        words = self._words.scores(content_stems(query))
        dense = self._vectors.chunks @ vector + self._vectors.headings @ vector
        fused = _reciprocal(dense) + _reciprocal(words) * (words > 0)
        fused[(self._audiences != "") & (self._audiences != audience)] = -1.0
        if language:
            fused[self._languages != language] = -1.0
        return [int(i) for i in np.argsort(-fused, kind="stable")[:CANDIDATES] if fused[i] >= 0]

    def _view(self, row: int, question: Question) -> View:
        v = self._vectors
        return make_view(
            question, np.vstack([v.chunks[row], v.headings[row], v.sentences[self._span(row)]]), self._own_words(row)
        )

    def _span(self, row: int) -> slice:
        return slice(int(self._ends[row - 1]) if row else 0, int(self._ends[row]))

    def _read_words(self, row: int) -> OwnWords:
        chunk = self.chunks[row]
        own = content_words(f"{chunk.path} {chunk.text}")
        rows = [self._vocabulary[word] for word in own if word in self._vocabulary]
        return OwnWords(frozenset(map(stem, own)), self._vectors.words[rows])

    def _known(self, question: Question) -> np.ndarray:
        """(words of the question,) their likeness to the nearest word of all pages."""
        if not question.words:
            return np.zeros(0)
        near = (question.word_vectors @ self._vectors.words.T).max(1)
        return np.where([self._words.knows(stem(word)) for word in question.words], 1.0, near)

    def _hit(self, row: int, vector: np.ndarray, view: View, evidence: float) -> Hit:
        return Hit(
            chunk=self.chunks[row],
            similarity=view.relevance,
            sentences=self._vectors.sentences[self._span(row)] @ vector,
            heading=float(self._vectors.headings[row] @ vector),
            evidence=evidence,
        )

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        described = {"threshold": self.threshold, "chunks": [asdict(c) for c in self.chunks]}
        (folder / "chunks.json").write_text(json.dumps(described, ensure_ascii=False), encoding="utf-8")
        v = self._vectors
        np.savez(folder / "vectors.npz", chunks=v.chunks, headings=v.headings, sentences=v.sentences, words=v.words)

    @classmethod
    def load(cls, folder: Path) -> EmbeddedIndex:
        described = json.loads((folder / "chunks.json").read_text(encoding="utf-8"))
        chunks = [Chunk(**{**c, "sentences": tuple(c["sentences"])}) for c in described["chunks"]]
        with np.load(folder / "vectors.npz") as arrays:
            vectors = Vectors(arrays["chunks"], arrays["headings"], arrays["sentences"], arrays["words"])
        return cls(chunks, vectors, described["threshold"])

    @property
    def questions(self) -> list[str]:
        """The pages' headings: what the business expects to be asked."""
        return list(dict.fromkeys(c.heading or c.source for c in self.chunks))


def vocabulary(chunks: Sequence[Chunk]) -> list[str]:
    """The content words of all pages, each once, sorted."""
    return sorted({word for chunk in chunks for word in content_words(f"{chunk.path} {chunk.text}")})


def embedded_texts(chunk: Chunk) -> tuple[str, str, list[str]]:
    """What the vectors of a chunk are made of: chunk, heading, sentences."""
    heading = chunk.heading or chunk.source
    return chunk.embedded_text, heading, [f"{heading} {bare(s)}" for s in chunk.sentences]


def content_stems(text: str) -> list[str]:
    """The words that carry a question's content, as stems, each once."""
    words = re.findall(r"[a-z0-9à-ÿ']{2,}", text.lower())
    return list(dict.fromkeys(stem(w) for w in words if w not in _STOPWORDS))


def _reciprocal(scores: np.ndarray) -> np.ndarray:
    ranks = np.empty(len(scores))
    ranks[np.argsort(-scores, kind="stable")] = np.arange(len(scores))
    return 1.0 / (_RRF + ranks)


class _Words:
    """BM25 postings over stems."""

    def __init__(self, texts: Sequence[str]) -> None:
        counted = [Counter(stem(w) for w in re.findall(r"[a-z0-9à-ÿ']{2,}", t.lower())) for t in texts]
        lengths = np.array([sum(c.values()) for c in counted], dtype=float)
        self._norm = _K1 * (1 - _B + _B * lengths / max(lengths.mean() if len(lengths) else 1.0, 1.0))
        self._count = len(texts)
        self._postings: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        gathered: dict[str, list[tuple[int, int]]] = {}
        for i, counts in enumerate(counted):
            for word, n in counts.items():
                gathered.setdefault(word, []).append((i, n))
        for word, found in gathered.items():
            where, times = zip(*found, strict=True)
            self._postings[word] = (np.array(where), np.array(times, dtype=float))

    def knows(self, word: str) -> bool:
        return word in self._postings

    def scores(self, stems: Sequence[str]) -> np.ndarray:
        scores = np.zeros(self._count)
        for word in stems:
            if word in self._postings:
                where, times = self._postings[word]
                scores[where] += self.weight(word) * times * (_K1 + 1) / (times + self._norm[where])
        return scores

    def weight(self, word: str) -> float:
        found = len(self._postings[word][0]) if word in self._postings else 0
        return float(np.log(1 + (self._count - found + 0.5) / (found + 0.5)))
