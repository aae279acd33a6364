"""The tone of a turn, learnt from examples on the sentence embedding that understanding has anyway."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from agent.understanding.embedding import Encoder
from agent.understanding.linear import logistic

_STRENGTH = 10.0
"""The inverse of the L2 penalty."""


class Tone:
    """How upset a turn sounds, by its embedding."""

    def __init__(self, weights: np.ndarray, bias: float) -> None:
        self._weights = weights
        self._bias = bias

    @classmethod
    def train(cls, examples: Mapping[str, Sequence[str]], encoder: Encoder) -> Tone:
        """From `upset` and `calm` examples; takes an encoder's pass over each of them."""
        upset, calm = (np.asarray(encoder.encode(examples[name])) for name in ("upset", "calm"))
        labels = np.concatenate([np.ones(len(upset), bool), np.zeros(len(calm), bool)])
        weights, bias = logistic(np.concatenate([upset, calm]).astype(float), labels, np.full(len(labels), _STRENGTH))
        return cls(weights, float(bias))

    def upset(self, vector: np.ndarray) -> float:
        """The probability that a turn with this embedding is upset."""
        return float(1 / (1 + np.exp(-(vector @ self._weights + self._bias))))
