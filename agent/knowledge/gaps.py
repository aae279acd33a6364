"""Questions that no page answered, those of one meaning together: what the operator might write next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agent.understanding.embedding import Encoder

ALIKE_FROM = 0.6
"""The cosine to a group's centre from which on a question belongs to it."""


@dataclass(frozen=True)
class Unanswered:
    """A question as it was asked, with tokens for personal data."""

    text: str
    at: float
    """Seconds since the epoch."""
    conversation_id: str


@dataclass(frozen=True)
class Gap:
    """Questions of one meaning, newest first; never empty."""

    title: str
    """The question nearest to all others."""
    questions: tuple[Unanswered, ...]


def group(questions: Sequence[Unanswered], encoder: Encoder) -> list[Gap]:
    """The gaps, those asked in most conversations first, then the newest."""
    members: list[list[int]] = []
    sums: list[np.ndarray] = []
    vectors = encoder.encode([q.text for q in questions])
    for row in sorted(range(len(questions)), key=lambda n: questions[n].at):
        near = [float(vectors[row] @ s) / float(np.linalg.norm(s)) for s in sums]
        best = int(np.argmax(near)) if near else -1
        if best >= 0 and near[best] >= ALIKE_FROM:
            members[best].append(row)
            sums[best] = sums[best] + vectors[row]
        else:
            members.append([row])
            sums.append(vectors[row])
    gaps = [
        Gap(
            title=questions[rows[int(np.argmax(vectors[rows] @ centre))]].text,
            questions=tuple(questions[n] for n in reversed(rows)),
        )
        for rows, centre in zip(members, sums, strict=True)
    ]
    return sorted(gaps, key=lambda gap: (-_conversations(gap), -gap.questions[0].at))


def _conversations(gap: Gap) -> int:
    return len({q.conversation_id for q in gap.questions})
