from __future__ import annotations

import numpy as np
import pytest

from agent.understanding.linear import NEVER, logistic, softmax, softmax_regression


def _clusters(seed: int = 3, each: tuple[int, ...] = (30, 12, 5)) -> tuple[np.ndarray, np.ndarray]:
    dice = np.random.default_rng(seed)
    centres = dice.normal(size=(len(each), 8))
    features = np.concatenate(
        [centre + 0.6 * dice.normal(size=(n, 8)) for centre, n in zip(centres, each, strict=True)]
    )
    return features, np.repeat(np.arange(len(each)), each)


def test_the_regression_is_scikit_learns() -> None:
    reference = pytest.importorskip("sklearn.linear_model").LogisticRegression(
        C=5.0, class_weight="balanced", tol=1e-8, max_iter=5000
    )
    features, labels = _clusters()
    expected = reference.fit(features, labels).predict_proba(features)
    coefficients, bias = softmax_regression(features, labels, 3, strength=5.0)
    assert softmax(features @ coefficients + bias) == pytest.approx(expected, abs=0.01)


def test_a_class_without_an_example_never_wins() -> None:
    features, labels = _clusters()
    coefficients, bias = softmax_regression(features, labels * 2, 6, strength=5.0)
    logits = features @ coefficients + bias
    assert set(logits.argmax(axis=1)) <= {0, 2, 4}
    assert bias[1] == bias[3] == bias[5] == NEVER


def test_two_classes_are_told_apart_and_weights_count() -> None:
    features = np.array([[0.0], [1.0], [1.0], [1.0]])
    labels = np.array([False, True, True, False])
    plain_slope, plain_bias = logistic(features, labels, np.ones(4))
    heavy_slope, heavy_bias = logistic(features, labels, np.array([1.0, 1.0, 1.0, 10.0]))
    assert plain_slope[0] + plain_bias > 0 > heavy_slope[0] + heavy_bias


def test_softmax_of_large_logits_is_finite() -> None:
    rows = softmax(np.array([[1000.0, 0.0, -1000.0]]))
    assert rows[0] == pytest.approx([1, 0, 0])
