"""The fast path: an intent from the words alone (TF-IDF and a linear machine), for texts by the thousand.

It needs no encoder, and gives a label only: no probability, and nothing is out of scope.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from agent.understanding.ngrams import Ngrams
from agent.understanding.votes import Words

_BATCH = 2000


@dataclass(frozen=True)
class WordIntents:
    """A trained labeller; read only, so that all threads may share it."""

    names: tuple[str, ...]
    _ngrams: Ngrams = field(repr=False)
    _words: Words = field(repr=False)

    @classmethod
    def train(cls, examples: Mapping[str, Sequence[str]]) -> WordIntents:
        """Learn from examples: intent -> ways to say it.

        Raises ValueError with fewer than two intents, or one without examples.
        """
        if len(examples) < 2 or not all(examples.values()):
            raise ValueError("at least two intents with examples are needed")
        texts = [text for said in examples.values() for text in said]
        labels = np.repeat(np.arange(len(examples)), [len(said) for said in examples.values()])
        ngrams = Ngrams.of(texts)
        return cls(tuple(examples), ngrams, Words.fit(ngrams.rows(texts), labels, len(examples)))

    def label(self, texts: Sequence[str]) -> list[str]:
        """Each text's intent."""
        best: list[str] = []
        for start in range(0, len(texts), _BATCH):
            margins = self._words.margins(self._ngrams.rows(texts[start : start + _BATCH]))
            best.extend(self.names[i] for i in margins.argmax(axis=1))
        return best
