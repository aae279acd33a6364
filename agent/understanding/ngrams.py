"""Text as weighted n-grams (TF-IDF): words, pairs of words, and pieces of words; fast enough for volume.

What a word consists of does not depend on its neighbours, so it is worked out once: a batch is a count of its
words (texts x words) times a table of their pieces (words x n-grams), both sparse.
"""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

MAX_NGRAMS = 60_000
_SIZES = (3, 4, 5)
_REMEMBERED, _REMEMBERED_CHARS = 100_000, 40
"""So many words and pairs are remembered, none longer than so."""
_WORD = re.compile(r"\w+")
_DIGITS = re.compile(r"\d+")


class Ngrams:
    """The known n-grams and how telling each is (inverse document frequency). Threads may share it."""

    def __init__(self, pieces: Sequence[str], idf: npt.NDArray[np.float32]) -> None:
        self.pieces = list(pieces)
        self.idf = idf
        self._places = {piece: place for place, piece in enumerate(self.pieces)}
        self._remembered: dict[str, list[int]] = {}

    @classmethod
    def of(cls, texts: Sequence[str]) -> Ngrams:
        """The n-grams that most texts have."""
        documents = Counter(piece for items in _items(texts) for piece in {p for item in items for p in _pieces(item)})
        known = documents.most_common(MAX_NGRAMS)
        idf = np.array([1 + math.log((1 + len(texts)) / (1 + n)) for _, n in known], np.float32)
        return cls([piece for piece, _ in known], idf)

    def rows(self, texts: Sequence[str]) -> Any:
        """A scipy CSR matrix, (texts, n-grams) float32; each row of length one, or empty where nothing is known."""
        from scipy.sparse import csr_matrix

        order: dict[str, int] = {}
        numbers: list[int] = []
        ends = [0]
        for items in _items(texts):
            numbers.extend(order.setdefault(item, len(order)) for item in items)
            ends.append(len(numbers))
        said = csr_matrix((np.ones(len(numbers), np.float32), numbers, ends), shape=(len(texts), len(order)))
        counts = said @ self._table(order)
        weights = (1 + np.log(counts.data)) * self.idf[counts.indices]
        lengths = np.sqrt(np.bincount(_row_numbers(counts), weights**2, minlength=len(texts)))
        counts.data = (weights / lengths[_row_numbers(counts)]).astype(np.float32)
        return counts

    def _table(self, items: Iterable[str]) -> Any:
        """(items, n-grams): which known n-grams each item consists of."""
        from scipy.sparse import csr_matrix

        if len(self._remembered) > _REMEMBERED:
            self._remembered = {}
        places = [self._known(item) for item in items]
        flat = np.fromiter(itertools.chain.from_iterable(places), np.int64)
        ends = np.cumsum([0, *map(len, places)])
        return csr_matrix((np.ones(len(flat), np.float32), flat, ends), shape=(len(places), len(self.pieces)))

    def _known(self, item: str) -> list[int]:
        known = self._remembered.get(item)
        if known is None:
            known = [self._places[piece] for piece in _pieces(item) if piece in self._places]
            if len(item) <= _REMEMBERED_CHARS:
                self._remembered[item] = known
        return known


def _items(texts: Sequence[str]) -> Iterable[list[str]]:
    """Each text's words and pairs of words; numbers are all alike."""
    joined = _DIGITS.sub("0", "\n".join(text.replace("\n", " ") for text in texts).lower())
    for line in joined.split("\n") if texts else ():
        words = _WORD.findall(line)
        yield words + [f"{a} {b}" for a, b in itertools.pairwise(words)]


def _pieces(item: str) -> list[str]:
    """A pair of words is itself; a word is itself and its pieces of 3 to 5 letters, its ends marked by blanks."""
    if " " in item:
        return [f"w:{item}"]
    padded = f" {item} "
    return [f"w:{item}", *(padded[i : i + n] for n in _SIZES for i in range(len(padded) - n + 1))]


def _row_numbers(matrix: Any) -> npt.NDArray[np.int64]:
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
