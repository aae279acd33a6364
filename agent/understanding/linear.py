"""Linear classifiers in numpy: importing scikit-learn takes ten times as long as a fit to few examples.

Logistic regression goes by L-BFGS, ridge regression in closed form.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]

NEVER = -1e3
"""The bias of a class that had no example."""
_MEMORY = 10


def softmax(logits: Array) -> Array:
    """Rows to probabilities."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def softmax_regression(features: Array, labels: Labels, classes: int, *, strength: float) -> tuple[Array, Array]:
    """Multinomial logistic regression: coefficients (features, classes) and bias (classes,).

    `strength` is the inverse of the L2 penalty, as scikit-learn's C. Every class counts the same,
    however many examples it has; one without an example gets a bias that never wins.
    """
    known, places = np.unique(labels, return_inverse=True)
    truth = np.eye(len(known))[places]
    weights = _balanced(places, len(known))[:, None] * strength

    def loss(logits: Array) -> tuple[float, Array]:
        chances = softmax(logits)
        surprise = -np.log(np.maximum(chances[np.arange(len(places)), places], 1e-300))
        return float(weights[:, 0] @ surprise), weights * (chances - truth)

    return _spread(_fit(features, len(known), loss), known, classes)


def logistic(features: Array, labels: npt.NDArray[np.bool_], weights: Array) -> tuple[Array, float]:
    """Two-class logistic regression with a weight for each row: coefficients (features,) and bias."""
    sides = 2.0 * labels - 1

    def loss(logits: Array) -> tuple[float, Array]:
        margins = sides[:, None] * logits
        slope = -sides[:, None] / (1 + np.exp(np.minimum(margins, 500)))
        return float(weights @ np.logaddexp(0, -margins[:, 0])), weights[:, None] * slope

    coefficients, bias = _fit(features, 1, loss)
    return coefficients[:, 0], float(bias[0])


def ridge_machines(rows: Any, labels: Labels, classes: int, *, penalty: float = 1.0) -> tuple[Array, Array]:
    """One against all others by ridge regression onto +1 and -1: coefficients (features, classes), bias (classes,).

    `rows` is a scipy CSR matrix, (n, features). Solved in the examples' own space (n x n), so that any number of
    features will do and few examples are quick. Classes count as in `softmax_regression`.
    """
    known, places = np.unique(labels, return_inverse=True)
    sides = 2 * np.eye(len(known))[places] - 1
    likeness = (rows @ rows.T).toarray().astype(np.float64) + 1
    shares = np.linalg.solve(likeness + np.diag(penalty / _balanced(places, len(known))), sides)
    return _spread((np.asarray(rows.T @ shares), shares.sum(axis=0)), known, classes)


def _balanced(places: Labels, classes: int) -> Array:
    counts = np.bincount(places, minlength=classes)
    return np.asarray(len(places) / (classes * counts[places]))


def _spread(fitted: tuple[Array, Array], known: Labels, classes: int) -> tuple[Array, Array]:
    coefficients, bias = np.zeros((len(fitted[0]), classes)), np.full(classes, NEVER)
    coefficients[:, known], bias[known] = fitted
    return coefficients, bias


def _fit(features: Array, outputs: int, loss: Callable[[Array], tuple[float, Array]]) -> tuple[Array, Array]:
    """Minimise `loss(features @ W + b)` plus half of W's squared length; `loss` gives value and slope."""
    size = features.shape[1]
    shape = (size + 1, outputs)

    def objective(flat: Array) -> tuple[float, Array]:
        both = flat.reshape(shape)
        value, slope = loss(features @ both[:-1] + both[-1])
        gradient = np.empty(shape)
        gradient[:-1] = features.T @ slope + both[:-1]
        gradient[-1] = slope.sum(axis=0)
        return value + 0.5 * float((both[:-1] ** 2).sum()), gradient.ravel()

    both = _minimise(objective, np.zeros(shape[0] * outputs)).reshape(shape)
    return both[:-1], both[-1]


def _minimise(
    objective: Callable[[Array], tuple[float, Array]],
    start: Array,
    *,
    steps: int = 200,
    tolerance: float = 2e-3,
) -> Array:
    """L-BFGS with a backtracking line search (Nocedal and Wright, algorithm 7.5); for convex objectives.

    Ends when the gradient is `tolerance` of what it was at the start.
    """
    place, (value, gradient) = start, objective(start)
    enough = tolerance * float(np.linalg.norm(gradient))
    history: list[tuple[Array, Array, float]] = []
    for _ in range(steps):
        if np.linalg.norm(gradient) <= enough:
            break
        direction = _two_loops(gradient, history)
        downhill = float(direction @ gradient)
        length = 1.0 if history else min(1.0, 1.0 / float(np.abs(gradient).sum()))
        while True:
            there = place + length * direction
            new_value, new_gradient = objective(there)
            if new_value <= value + 1e-4 * length * downhill:
                break
            length /= 2
            if length < 1e-12:
                return place
        moved, turned = there - place, new_gradient - gradient
        curvature = float(moved @ turned)
        if curvature > 1e-12:
            history = [*history[1 - _MEMORY :], (moved, turned, 1 / curvature)]
        place, value, gradient = there, new_value, new_gradient
    return place


def _two_loops(gradient: Array, history: list[tuple[Array, Array, float]]) -> Array:
    """The quasi-Newton direction from the last moves."""
    direction, shares = -gradient, []
    for moved, turned, inverse in reversed(history):
        share = inverse * float(moved @ direction)
        shares.append(share)
        direction = direction - share * turned
    if history:
        moved, turned, inverse = history[-1]
        direction = direction / (inverse * float(turned @ turned))
    for (moved, turned, inverse), share in zip(history, reversed(shares), strict=True):
        direction = direction + (share - inverse * float(turned @ direction)) * moved
    return direction
