"""How far the votes are to be trusted, measured on examples that were left out of the training.

Examples left out in turn show how the votes should be mixed so that a probability means what it says. Whole intents
are left out too, so that what is learnt of "none of these" has seen plausible but unknown requests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from agent.understanding.linear import logistic, softmax
from agent.understanding.votes import Examples, Floats, Labels, Mask, Recipe, Votes, real_classes

_SURE_LOG_ODDS = 4.0
"""What stands for certainty where nothing out of scope is known."""
_THRESHOLD_RANGE = (0.3, 0.6)
_ENOUGH_TO_CHOOSE = 500
"""Fewer left-out examples cannot tell one regularisation from another."""
_GAIN_PENALTY = 50.0
"""What a gain costs that is e times what was expected, in nats over all left-out examples: few cannot move it."""
_STEPS = (0.5, 0.25, 0.12, 0.06, 0.03)


@dataclass(frozen=True)
class Rehearsal:
    """Votes on examples by voters that have not seen them."""

    votes: Votes
    labels: Labels
    in_scope: Mask
    """Whether the voters knew the example's intent, and it is one."""

    @classmethod
    def joined(cls, parts: Sequence[Rehearsal]) -> Rehearsal:
        return cls(
            Votes.joined([p.votes for p in parts]),
            np.concatenate([p.labels for p in parts]),
            np.concatenate([p.in_scope for p in parts]),
        )


def rehearse(examples: Examples, recipe: Recipe) -> tuple[Rehearsal, float]:
    """Leave out a share of the examples at a time, then of the business's intents; also the head's best strength."""
    dice = np.random.default_rng(recipe.seed)
    real = real_classes(examples.names)
    counted = (examples.calibrates | ~real)[examples.labels]
    folds = _folds(examples.labels, recipe.folds, dice)
    strength = _best_strength(examples, (folds == 0) & counted, folds != 0, recipe)
    parts: list[Rehearsal] = []
    for fold in range(recipe.folds):
        held = (folds == fold) & counted
        labels = examples.labels[held]
        parts.append(Rehearsal(_votes_on(examples, held, folds != fold, strength, recipe), labels, real[labels]))
        if _rows(parts) >= recipe.enough_rehearsed:
            break
    own = dice.permutation(np.flatnonzero(examples.own & real & examples.calibrates))
    wanted = _rows(parts) + recipe.enough_rehearsed
    for group in np.array_split(own, min(recipe.folds, len(own))) if len(own) > 2 and recipe.in_scope_share < 1 else []:
        held = np.isin(examples.labels, group)
        votes = _votes_on(examples, held, ~held, strength, recipe)
        parts.append(Rehearsal(votes, examples.labels[held], np.zeros(held.sum(), np.bool_)))
        if _rows(parts) >= wanted:
            break
    return Rehearsal.joined(parts), strength


def _rows(parts: Sequence[Rehearsal]) -> int:
    return sum(len(part.labels) for part in parts)


def _folds(labels: Labels, count: int, dice: np.random.Generator) -> Labels:
    """A fold for each example, every class spread over all of them."""
    folds = np.zeros(len(labels), np.int64)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        folds[dice.permutation(rows)] = np.arange(len(rows)) % count
    return folds


def _votes_on(examples: Examples, held: Mask, learn: Mask, strength: float, recipe: Recipe) -> Votes:
    asked = examples.where(held)
    return examples.where(learn).fit(strength, recipe).votes(asked.vectors, asked.rows)


def _best_strength(examples: Examples, held: Mask, learn: Mask, recipe: Recipe) -> float:
    """The strength under which a head that has not seen the held examples finds them likeliest."""
    if len(recipe.strengths) == 1 or held.sum() < _ENOUGH_TO_CHOOSE:
        return recipe.strengths[0]
    asked = examples.where(held)

    def surprise(strength: float) -> float:
        logits = examples.where(learn).fit_head(strength, recipe).linear(asked.vectors)
        return min(_surprise(logits / t, asked.labels) for t in np.geomspace(0.3, 4.0, 27))

    return min(recipe.strengths, key=surprise)


def _surprise(logits: Floats, labels: Labels) -> float:
    """The mean of -log p(label)."""
    chances = softmax(logits)[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(chances, 1e-9)).mean())


@dataclass(frozen=True)
class Mix:
    """The voters' weights: logits = linear / temperature + nearest x gain + words x gain."""

    linear: float
    nearest: float
    words: float

    @classmethod
    def fit(cls, rehearsal: Rehearsal, real: Mask, expected: Mix) -> Mix:
        """The weights under which the left-out examples in scope are likeliest, near the expected ratios."""
        places = np.cumsum(real) - 1
        inside = rehearsal.in_scope
        votes, labels = rehearsal.votes.of(inside, real), places[rehearsal.labels[inside]]

        def cost(moves: Floats) -> float:
            strain = _GAIN_PENALTY * float(moves[1:] @ moves[1:])
            return _surprise(expected._moved(moves).logits(votes), labels) + strain / max(1, len(labels))

        return expected._moved(_descend(cost, 3)) if len(labels) else expected

    def _moved(self, moves: Floats) -> Mix:
        """All weights changed by the first move, the gains by their own too; each is a logarithm."""
        whole, nearest, words = np.exp(moves)
        return Mix(self.linear * whole, self.nearest * whole * nearest, self.words * whole * words)

    def logits(self, votes: Votes) -> Floats:
        """(n, classes)"""
        return self.linear * votes.linear + self.nearest * votes.nearest + self.words * votes.words


def _descend(cost: Callable[[Floats], float], size: int) -> Floats:
    """A minimum near zero, coordinate by coordinate in ever smaller steps."""
    place = np.zeros(size)
    least = cost(place)
    for step in _STEPS:
        moved = True
        while moved:
            moved = False
            for move in (*(step * np.eye(size)), *(-step * np.eye(size))):
                there = cost(place + move)
                if there < least:
                    place, least, moved = place + move, there, True
    return place


@dataclass(frozen=True)
class Scope:
    """Whether a text is one of the intents at all: a logistic regression on how the votes look."""

    weights: Floats
    """One for each fact, and the bias."""

    @classmethod
    def fit(cls, rehearsal: Rehearsal, real: Mask, mix: Mix, in_scope_share: float) -> Scope:
        facts = _facts(rehearsal.votes, real, mix)
        inside = rehearsal.in_scope
        if inside.all() or in_scope_share >= 1:
            return cls(np.append(np.zeros(facts.shape[1]), np.inf if in_scope_share >= 1 else _SURE_LOG_ODDS))
        weight = np.where(inside, in_scope_share / inside.sum(), (1 - in_scope_share) / (~inside).sum())
        centre, spread = facts.mean(axis=0), facts.std(axis=0) + 1e-6
        weights, bias = logistic((facts - centre) / spread, inside, weight * len(weight))
        weights = weights / spread
        return cls(np.append(weights, bias - weights @ centre))

    def probability(self, votes: Votes, real: Mask, mix: Mix) -> Floats:
        """(n,)"""
        odds = _facts(votes, real, mix) @ self.weights[:-1] + self.weights[-1]
        return np.asarray(1 / (1 + np.exp(-np.clip(odds, -500, 500))))


def _facts(votes: Votes, real: Mask, mix: Mix) -> Floats:
    """How the votes look, (n, facts): the odds against none, the best's odds, logit and margin, what is near."""
    logits = mix.logits(votes)
    chances = softmax(logits)
    inside, best = chances[:, real].sum(axis=1), chances[:, real].max(axis=1)
    near = votes.nearest[:, real].max(axis=1)
    near_none = votes.nearest[:, ~real].max(axis=1) if (~real).any() else np.zeros(len(near))
    top, margin = logits[:, real].max(axis=1), votes.words[:, real].max(axis=1)
    return np.column_stack([_log_odds(inside), _log_odds(best), near, near_none, top, margin])


def _log_odds(chances: Floats) -> Floats:
    inside = np.clip(chances, 1e-3, 1 - 1e-3)
    return np.asarray(np.log(inside / (1 - inside)))


def fit_threshold(rehearsal: Rehearsal, scope: Scope, real: Mask, mix: Mix, keep: float) -> float:
    """The threshold that the share `keep` of the left-out in-scope examples passes, within a sensible range."""
    chances = scope.probability(rehearsal.votes, real, mix)[rehearsal.in_scope]
    return float(np.clip(np.quantile(chances, 1 - keep), *_THRESHOLD_RANGE))
